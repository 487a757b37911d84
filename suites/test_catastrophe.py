"""Does the candidate say catastrophically what the baseline gets across? Limit: --whisperq-max-catastrophes."""

import pytest


@pytest.mark.whisperq_catastrophe
def test_catastrophe() -> None:
    """Texts that are empty, loop, are cut off, or appear where nobody speaks stay rare."""
