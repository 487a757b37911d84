"""Bounds against limits: only a bound passes or fails, and what would decide is said."""

import pytest

from pytest_whisperq.judging.rule import Outcome, judge, overrule
from pytest_whisperq.judging.verdict import Figure, Judgement, Verdict
from pytest_whisperq.measuring.intervals import Interval


@pytest.mark.parametrize(
    ("keep", "lower", "upper", "limit", "expected"),
    [
        ("below", 0.1, 0.9, 1.0, Verdict.PASS),
        ("below", 0.1, 1.0, 1.0, Verdict.INCONCLUSIVE),  # touching the limit clears nothing
        ("below", 0.1, 1.1, 1.0, Verdict.INCONCLUSIVE),
        ("below", 1.0, 2.0, 1.0, Verdict.INCONCLUSIVE),
        ("below", 1.1, 2.0, 1.0, Verdict.FAIL),
        ("above", 0.85, 0.95, 0.8, Verdict.PASS),
        ("above", 0.8, 0.95, 0.8, Verdict.INCONCLUSIVE),
        ("above", 0.7, 0.9, 0.8, Verdict.INCONCLUSIVE),
        ("above", 0.6, 0.79, 0.8, Verdict.FAIL),
    ],
)
def test_only_a_bound_passes_or_fails(keep: str, lower: float, upper: float, limit: float, expected: Verdict) -> None:
    value = (lower + upper) / 2
    interval = Interval(value=value, lower=lower, upper=upper, confidence=0.95, clusters=50)
    check = judge("x", interval, limit, keep=keep, unit="points", utterances=50)
    assert check.verdict is expected
    assert (check.value, check.lower, check.upper, check.limit, check.keep) == (value, lower, upper, limit, keep)


def test_an_undecided_gate_says_how_many_utterances_would_decide() -> None:
    interval = Interval(value=0.5, lower=-0.5, upper=1.5, confidence=0.95, clusters=100)
    check = judge("drop", interval, 1.0, keep="below", unit="points", utterances=100)
    assert "about 400 utterances" in check.reason  # half the width needs four times the sample
    beyond = Interval(value=1.2, lower=0.5, upper=1.9, confidence=0.95, clusters=100)
    assert "wrong side" in judge("drop", beyond, 1.0, keep="below", unit="points", utterances=100).reason


def test_one_bound_is_enough_for_the_verdict_that_it_decides() -> None:
    """A sign-flip test of few clusters may have a bound on one side only."""
    above = Interval(value=0.1, lower=None, upper=0.5, confidence=0.95, clusters=6, unbounded="too few")
    below = Interval(value=2.0, lower=1.5, upper=None, confidence=0.95, clusters=6, unbounded="too few")
    passed, failed, open_ = (
        judge("drop", interval, limit, keep="below", unit="points", utterances=6)
        for interval, limit in ((above, 1.0), (below, 1.0), (above, 0.3))
    )
    assert [check.verdict for check in (passed, failed, open_)] == [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]
    assert open_.reason == "too few"


def test_a_corpus_that_was_cut_short_for_its_errors_bounds_nothing() -> None:
    """Neither what is judged nor what is only reported: the utterances at which decoding stops are the worst ones."""
    interval = Interval(value=0.2, lower=0.1, upper=0.3, confidence=0.95, clusters=9)
    check = judge("divergence", interval, 0.05, keep="below", unit="of words", utterances=9)
    figure = Figure(name="exact match, %", value=30.0, lower=10.0, upper=60.0)
    judgement = Judgement(gate="parity", candidate="a:b", baseline="c:d", checks=(check,), figures=(figure,))
    overruled = overrule(Outcome(judgement=judgement), Verdict.INCONCLUSIVE, "stopped").judgement
    assert [(one.value, one.lower, one.upper) for one in (*overruled.checks, *overruled.figures)] == [
        (0.2, None, None),
        (30.0, None, None),
    ]
    assert overruled.verdict is Verdict.INCONCLUSIVE
