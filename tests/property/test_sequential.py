"""What holds for early failure on any data."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.sequential import BettingTest

steps = st.lists(st.floats(-20, 20), max_size=30)


def after(contrasts: "list[float] | tuple[float, ...]", cap: float = 2.0, alpha: float = 0.05) -> BettingTest:
    test = BettingTest(cap=cap, alpha=alpha)
    for contrast in contrasts:
        test.add(contrast)
    return test


@given(chance=st.floats(0.05, 0.95), size=st.floats(0.1, 2.0))
def test_a_fair_game_wins_nothing_on_average(chance: float, size: float) -> None:
    """All sequences of six fair steps, no loss beyond the cap, weighed by how likely each is."""
    win = size * (1 - chance) / chance  # with this chance, else -size
    mean = sum(
        after(path).wealth * chance ** path.count(win) * (1 - chance) ** path.count(-size)
        for path in itertools.product((win, -size), repeat=6)
    )
    assert mean == pytest.approx(1.0)


@given(steps=steps)
def test_wealth_is_never_negative_and_a_rejection_stands(steps: list[float]) -> None:
    test, rejected = BettingTest(cap=2.0, alpha=0.05), False
    for step in steps:
        test.add(step)
        assert test.wealth >= 0
        assert test.rejected or not rejected
        rejected = test.rejected


@given(steps=steps, more=st.floats(0, 5))
def test_one_more_error_never_makes_a_candidate_look_better(steps: list[float], more: float) -> None:
    if steps:
        assert after([steps[0] + more, *steps[1:]]).wealth >= after(steps).wealth
