"""Every backend of ours keeps the contract that the gates rely on."""

from collections.abc import Callable

import pytest

from pytest_whisperq.backends import Clip, get_backend, in_all
from pytest_whisperq.contract import Subject, parametrize_backend_checks
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus, subset

CLIPS = [
    Clip(samples=audio.load(item.audio), language=item.language) for item in subset(load_corpus(), 3, seed=0).utterances
]
NAMES = (*in_all(), "faster-whisper-batched", "openvino-stateless")
SUBJECTS = [Subject(get_backend(name), clips=CLIPS) for name in NAMES]


@pytest.fixture(scope="module", autouse=True)
def bases(gate_run: Callable[..., GateRunner]) -> None:
    """What models of other tests are built from, too, is built once a run."""
    for subject in SUBJECTS:
        if base := subject.backend.base(subject.precision):
            run = gate_run(candidate=":".join(base))
            subject.source = run.session.store.get(run.session.spec(run.config.candidates[0])).directory


@parametrize_backend_checks(*SUBJECTS)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()
