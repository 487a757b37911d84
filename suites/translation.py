"""Does the candidate translate as well as the baseline? Limit: --whisperq-max-translation-drop, in points of chrF.

Not part of a plain run of the suites: it decodes once more what of the corpus has a translation, asked to say it in
English. Run ``pytest suites/translation.py``, or ``--pyargs pytest_whisperq.suites.translation``. A backend that does
not translate fails if it was asked for by name, and is skipped as one of all.
"""

from pytest_whisperq.plugin.errors import plain_errors
from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model


def test_translation(whisperq_gate: GateFixture, whisperq_candidate: Model) -> None:
    """Translated into English, the candidate loses less than the limit."""
    if not whisperq_candidate.is_multilingual:
        whisperq_gate.skip("translation", "an English-only model translates nothing")
    if not whisperq_gate.is_named:
        with plain_errors():
            translates = whisperq_candidate.session.decoder.translates(whisperq_candidate.spec)
        if not translates:
            backend = whisperq_candidate.spec.backend
            whisperq_gate.skip("translation", f"{backend} does not translate, and was not named")
    whisperq_gate.translation()
