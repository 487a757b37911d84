"""Does the candidate stream? Limits: --whisperq-max-wer-gap and --whisperq-max-commit-lag, on --whisperq-long-form.

Not part of a plain run of the suites: it decodes every second of the long recordings several times. Run
``pytest suites/streaming.py``, or ``--pyargs pytest_whisperq.suites.streaming``.
"""

import pytest


@pytest.mark.whisperq_streaming
def test_streaming() -> None:
    """Heard in overlapping windows, the candidate says what it says offline, soon, and takes nothing back."""
