"""Does the candidate need less memory? Limit: --whisperq-max-memory-ratio.

Not part of a plain run of the suites: it starts every model in processes of its own.
Run ``pytest suites/memory.py``, or ``--pyargs pytest_whisperq.suites.memory``.
"""

import pytest


@pytest.mark.whisperq_memory
def test_memory() -> None:
    """Loading and decoding take less than the limit of the baseline's peak memory."""
