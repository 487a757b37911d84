"""Does the candidate keep up after the first 30 seconds? Limit: --whisperq-max-drop, on --whisperq-long-form.

Not part of a plain run of the suites: it decodes recordings of minutes. Run ``pytest suites/longform.py``, or
``--pyargs pytest_whisperq.suites.longform``.
"""

import pytest


@pytest.mark.whisperq_longform
def test_longform() -> None:
    """On recordings of minutes the accuracy drop against the same backend at float32 stays below the limit."""
