"""Does the candidate repeat itself? Not part of a plain run of the suites: it decodes the same clips several times.

Run ``pytest suites/determinism.py``, or ``--pyargs pytest_whisperq.suites.determinism``.
"""

import pytest


@pytest.mark.whisperq_determinism
def test_determinism() -> None:
    """Decoding the same clips again gives the same tokens."""
