"""Does a condition on several limits hold? It is that of --whisperq-limit, such as "drop<1.0 and speedup>1.2".

Not part of a plain run of the suites: it demands nothing by itself. Run ``pytest suites/limit.py``, or
``--pyargs pytest_whisperq.suites.limit``. ``whisperq search`` names it, to reproduce what it found.
"""

import pytest


@pytest.mark.whisperq_limit
def test_limit() -> None:
    """The condition holds."""
