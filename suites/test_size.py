"""Is the candidate as small as it should be? Limit: --whisperq-max-size-ratio, of the baseline's bytes on disk."""

import pytest


@pytest.mark.whisperq_size
def test_size() -> None:
    """The candidate's files take less than the limit."""
