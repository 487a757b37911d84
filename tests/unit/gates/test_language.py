"""The language gate: a language that flips is found."""

from collections.abc import Callable

import pytest

from pytest_whisperq.gates.language import judge_language
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts

Pairs = Callable[..., PairedTexts]


@pytest.mark.parametrize(("flips", "expected"), [(0, Verdict.PASS), (8, Verdict.INCONCLUSIVE), (40, Verdict.FAIL)])
def test_a_language_that_flips_is_found(flips: int, expected: Verdict, make_pairs: Pairs) -> None:
    heard_as = ["fr"] * flips + ["en"] * (200 - flips)
    outcome = judge_language(make_pairs(["a b"] * 200, languages=heard_as), min_agreement=0.95, confidence=0.95, seed=0)
    assert outcome.judgement.verdict is expected
    assert outcome.judgement.checks[0].value == 1 - flips / 200
    assert len(outcome.worst) == min(flips, 5)
    assert 0 <= outcome.judgement.checks[0].lower <= outcome.judgement.checks[0].upper <= 1
    for found in outcome.worst:
        assert ("candidate", "fr") in found.rows
