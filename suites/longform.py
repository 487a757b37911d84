"""Does the candidate keep up after the first 30 seconds? Limit: --whisperq-max-drop, on --whisperq-long-form.

Not part of a plain run of the suites: it decodes recordings of minutes. Run ``pytest suites/longform.py``, or
``--pyargs pytest_whisperq.suites.longform``. A backend that hears 30 s and no more fails if it was asked for by name,
and is skipped as one of all.
"""

from pytest_whisperq.plugin.errors import plain_errors
from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model


def test_longform(whisperq_gate: GateFixture, whisperq_candidate: Model) -> None:
    """On recordings of minutes the accuracy drop against the same backend at float32 stays below the limit."""
    if not whisperq_gate.is_named:
        with plain_errors():
            hears = whisperq_candidate.session.decoder.hears_long(whisperq_candidate.spec)
        if not hears:
            backend = whisperq_candidate.spec.backend
            whisperq_gate.skip("longform", f"{backend} hears 30 s and no more, and was not named")
    whisperq_gate.longform()
