"""Does the candidate translate as well as the baseline? Limit: --whisperq-max-translation-drop, in points of chrF.

Not part of a plain run of the suites: it decodes once more what of the corpus has a translation, asked to say it in
English. Run ``pytest suites/translation.py``, or ``--pyargs pytest_whisperq.suites.translation``. A backend that does
not translate fails if it was asked for by name, and is skipped as one of all.
"""

import pytest

from pytest_whisperq.plugin.errors import plain_errors
from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model


def test_translation(whisperq_gate: GateFixture, whisperq_candidate: Model, pytestconfig: pytest.Config) -> None:
    """Translated into English, the candidate loses less than the limit."""
    if not whisperq_candidate.is_multilingual:
        whisperq_gate.skip("translation", "an English-only model translates nothing")
    name = whisperq_candidate.spec.backend
    asked = pytestconfig.getoption("whisperq_backend") or pytestconfig.getini("whisperq_backend")
    names = [word.strip() for word in (asked.split(",") if isinstance(asked, str) else asked)]
    if "all" in names and name not in names:
        with plain_errors():
            translates = whisperq_candidate.session.decoder.translates(whisperq_candidate.spec)
        if not translates:
            whisperq_gate.skip("translation", f"{name} does not translate, and was not named")
    whisperq_gate.translation()
