"""Every backend of ours keeps the contract that the gates rely on."""

from collections.abc import Callable

from pytest_whisperq.backends import Clip, get_backend, in_all
from pytest_whisperq.contract import Subject, parametrize_backend_checks
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus, subset

CLIPS = [
    Clip(samples=audio.load(item.audio), language=item.language) for item in subset(load_corpus(), 4, seed=0).utterances
]
SUBJECTS = [Subject(get_backend(name), clips=CLIPS) for name in (*in_all(), "openvino-stateless")]


@parametrize_backend_checks(*SUBJECTS)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()
