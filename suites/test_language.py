"""Does the candidate detect the baseline's languages? Limit: --whisperq-min-language-agreement."""

import pytest

from pytest_whisperq.workbench import Model


@pytest.mark.whisperq_language
def test_language(whisperq_candidate: Model) -> None:
    """The candidate hears the languages that the baseline hears."""
    if not whisperq_candidate.is_multilingual:
        pytest.skip("an English-only model detects no language")
