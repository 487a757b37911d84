"""Does the candidate hear things when the baseline hears them? Limit: --whisperq-max-shift.

Not part of a plain run of the suites: it decodes the corpus once more, with timestamps. Run
``pytest suites/timestamps.py``, or ``--pyargs pytest_whisperq.suites.timestamps``.
"""

import pytest


@pytest.mark.whisperq_timestamps
def test_timestamps() -> None:
    """Nearly all segment and word times are within the limit of the baseline's."""
