"""Every backend of ours keeps the contract that the gates rely on."""

from collections.abc import Callable

import pytest
from pairs import on_embedded

from pytest_whisperq.backends import Clip, get_backend
from pytest_whisperq.contract import Subject, parametrize_backend_checks
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus, subset

CLIPS = [
    Clip(samples=audio.load(item.audio), language=item.language) for item in subset(load_corpus(), 3, seed=0).utterances
]
OFTEN = [Subject(get_backend(name), clips=CLIPS) for name in ("transformers", "ctranslate2")]
OTHERS = [
    Subject(get_backend(name), clips=CLIPS)
    for name in (*on_embedded(), "faster-whisper-batched", "openvino-genai", "openvino-stateless")
    if name not in [subject.backend.name for subject in OFTEN]
]


@pytest.fixture(scope="module")
def bases(gate_run: Callable[..., GateRunner]) -> None:
    """What models of other tests are built from, too, is built once a run."""
    for subject in OTHERS:
        if base := subject.backend.base(subject.precision):
            run = gate_run(candidate=":".join(base))
            subject.source = run.session.store.get(run.session.spec(run.config.candidates[0])).directory


@parametrize_backend_checks(*OFTEN)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


@pytest.mark.matrix
@pytest.mark.usefixtures("bases")
@parametrize_backend_checks(*OTHERS)
def test_the_others_keep_it(check: Callable[[], None]) -> None:
    check()
