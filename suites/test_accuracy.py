"""Does the candidate transcribe as well as the baseline? Limit: --whisperq-max-drop, in points of word accuracy."""

import pytest


@pytest.mark.whisperq_accuracy
def test_accuracy() -> None:
    """The candidate's accuracy drop stays below the limit."""
