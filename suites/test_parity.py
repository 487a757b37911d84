"""Does the candidate say what the baseline says? Limits: --whisperq-min-exact-match and --whisperq-max-divergence."""

import pytest


@pytest.mark.whisperq_parity
def test_parity() -> None:
    """The candidate's transcripts agree with the baseline's."""
