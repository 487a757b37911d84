"""MAPSSWE: where sclite cuts, what it counts, and the t test of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.mapsswe import MIN_SEGMENTS, bound_segments, segments
from pytest_whisperq.measuring.scores import count_errors

texts = st.lists(st.sampled_from("abc"), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [
        ("a b c d e f g h", "a b c d e f g h", []),
        ("a x c d e f g h", "a b c d x f g h", [(1, 0), (0, 1)]),  # c and d are right in both
        ("a x c d e f g h", "a b c x e f g h", [(1, 1)]),  # c alone does not part them
        ("a b c d e f g h", "x x c d e f g", [(0, 2), (0, 1)]),
        ("a b c d e f g h", "a b c d y y e f g h", [(0, 2)]),
        ("x b c y d e f g h", "a b c d e f g h", [(1, 0), (1, 0)]),
        ("x b y c d e f g h", "a b c d e f g h", [(2, 0)]),  # an insertion between them: b and c are no run
        ("", "a b c d e f g h y", [(8, 1)]),
        ("y a b c d e f g h", "a b c d e f g h y", [(1, 0), (0, 1)]),
    ],
)
def test_two_words_that_both_got_right_end_a_segment(
    baseline: str, candidate: str, expected: list[tuple[int, int]]
) -> None:
    assert segments("a b c d e f g h", baseline, candidate) == expected


@given(reference=texts, baseline=texts, candidate=texts)
def test_the_segments_hold_every_error_once(reference: str, baseline: str, candidate: str) -> None:
    found = segments(reference, baseline, candidate)
    sums = [sum(errors) for errors in zip(*found, strict=True)] or [0, 0]
    assert sums == [count_errors(reference, text).errors for text in (baseline, candidate)]
    assert all(any(errors) for errors in found)


def test_the_bounds_are_a_t_quantile_away() -> None:
    """1.6849 on 39 degrees of freedom; 40 segments in 400 words, whose number scatters like their errors."""
    found = [(0, 1)] * 20 + [(1, 0)] * 15 + [(0, 3)] * 5
    gained = np.array([after - before for before, after in found])
    drop = bound_segments(found, 400, confidence=0.95)
    assert drop.value == pytest.approx(5.0)
    error = 100 * np.sqrt(40 / 39 * (gained**2).sum()) / 400
    assert (drop.upper - drop.value) / error == pytest.approx(1.6849, abs=1e-4)
    assert drop.value - drop.lower == pytest.approx(drop.upper - drop.value)
    strict = bound_segments(found, 400, confidence=0.95, lower_confidence=0.99)
    assert (strict.upper, strict.lower < drop.lower) == (drop.upper, True)


def test_few_segments_bound_nothing_and_say_what_to_do() -> None:
    few = bound_segments([(0, 1)] * (MIN_SEGMENTS - 1), 100, confidence=0.95)
    assert (few.value, few.lower, few.upper) == (29.0, None, None)
    assert few.unbounded == (
        "MAPSSWE needs 30 segments with an error, and there are 29; use --whisperq-bounds t or sign-flip"
    )
    assert bound_segments([], 0, confidence=0.95).value is None


def test_segments_that_are_all_alike_are_no_proof() -> None:
    same = bound_segments([(1, 1)] * 40, 400, confidence=0.95)
    assert (same.value, same.lower, same.upper) == (0.0, None, None)
    assert "sees no difference in any of 40 segments" in same.unbounded


@pytest.mark.parametrize("shared", [0.0, 0.05, 0.2])
def test_bounds_hold_a_planted_drop(shared: float) -> None:
    """One word in a hundred is lost, now and then with the next, on top of errors that both make; 8,000 words."""
    random, held = np.random.default_rng(1), np.zeros(2)
    for _ in range(400):
        both, one, two = random.poisson(8_000 * np.array([shared, 0.0085, 0.0015]))
        found = [(1, 1)] * both + [(0, 1)] * one + [(0, 2)] * two
        drop = bound_segments(found, 8_000, confidence=0.95)
        held += (drop.lower <= 1.15, drop.upper >= 1.15)
    assert (held / 400 > 0.9).all()
