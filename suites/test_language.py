"""Does the candidate detect the baseline's languages? Limit: --whisperq-min-language-agreement."""

from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model


def test_language(whisperq_gate: GateFixture, whisperq_candidate: Model) -> None:
    """The candidate hears the languages that the baseline hears."""
    if not whisperq_candidate.is_multilingual:
        whisperq_gate.skip("language", "an English-only model detects no language")
    whisperq_gate.language()
