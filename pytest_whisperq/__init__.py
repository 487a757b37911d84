"""Release gates for quantized Whisper speech models, as a pytest plugin.

Nothing is imported here until it is used: pytest loads every installed plugin at start-up, and a run that gates no
model must not pay for one.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_whisperq.config.candidates import Candidate
    from pytest_whisperq.config.settings import GateConfig, resolve
    from pytest_whisperq.gates.runner import Report, run_gates
    from pytest_whisperq.judging.rule import Outcome
    from pytest_whisperq.judging.verdict import Judgement, Verdict
    from pytest_whisperq.models.source import ModelSpec
    from pytest_whisperq.plugin.gating import GateFixture
    from pytest_whisperq.session import Session
    from pytest_whisperq.speech.corpus import Corpus, Utterance, load_corpus
    from pytest_whisperq.speech.normalizers import Normalizer
    from pytest_whisperq.system.errors import WhisperqError

__all__ = [
    "Candidate",
    "Corpus",
    "GateConfig",
    "GateFixture",
    "Judgement",
    "ModelSpec",
    "Normalizer",
    "Outcome",
    "Report",
    "Session",
    "Utterance",
    "Verdict",
    "WhisperqError",
    "load_corpus",
    "resolve",
    "run_gates",
]

_HOME = {
    "Candidate": "config.candidates",
    "Corpus": "speech.corpus",
    "GateConfig": "config.settings",
    "GateFixture": "plugin.gating",
    "Judgement": "judging.verdict",
    "ModelSpec": "models.source",
    "Normalizer": "speech.normalizers",
    "Outcome": "judging.rule",
    "Report": "gates.runner",
    "Session": "session",
    "Utterance": "speech.corpus",
    "Verdict": "judging.verdict",
    "WhisperqError": "system.errors",
    "load_corpus": "speech.corpus",
    "resolve": "config.settings",
    "run_gates": "gates.runner",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
