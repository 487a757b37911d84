"""When a model hears what it hears: shifts between two sets of times, and the share of them that is late."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.backends import Segment, TimedText, TimedWord
from pytest_whisperq.measuring.timestamps import Drift, measure_drift, segment_shifts, timed_pairs, word_shifts
from pytest_whisperq.speech import normalizers

IDENTITY = normalizers.get("identity")
Times = Sequence[tuple[float, float, str]]
SPANS = st.lists(st.integers(0, 1500), min_size=2, max_size=12, unique=True).map(
    lambda steps: [(a / 50, b / 50, f"w{a}") for a, b in zip(sorted(steps)[::2], sorted(steps)[1::2], strict=False)]
)


def segments(times: Times) -> tuple[Segment, ...]:
    return tuple(Segment(start=start, end=end, text=text) for start, end, text in times)


def words(times: Times) -> tuple[TimedWord, ...]:
    return tuple(TimedWord(start=start, end=end, text=text) for start, end, text in times)


def drift(shifts: Sequence[Sequence[float]], max_shift: float = 0.2) -> Drift:
    return measure_drift(shifts, [""] * len(shifts), max_shift=max_shift, confidence=0.95)


@given(SPANS)
def test_nothing_is_shifted_from_itself(times: Times) -> None:
    assert set(segment_shifts(segments(times), segments(times))) == {0.0}
    assert set(word_shifts(words(times), words(times), str)) == {0.0}


@given(SPANS, st.floats(0.02, 5))
def test_a_word_that_moves_is_off_by_as_much(times: Times, by: float) -> None:
    moved = [(start + by, end + by, text) for start, end, text in times]
    assert word_shifts(words(times), words(moved), str) == pytest.approx([by] * 2 * len(times))


@given(SPANS, st.floats(0.02, 5))
def test_a_segment_is_never_off_by_more_than_it_moved(times: Times, by: float) -> None:
    moved = [(start + by, end + by, text) for start, end, text in times]
    assert max(segment_shifts(segments(times), segments(moved))) <= by + 1e-9


def test_a_segment_that_is_gone_has_no_time_near_or_far() -> None:
    assert segment_shifts(segments([(0, 1, "a")]), ()) == (float("inf"), float("inf"))
    assert segment_shifts((), segments([(0, 1, "a")])) == ()


def test_a_merged_segment_loses_the_times_within() -> None:
    apart, joined = [(0.0, 1.0, "a"), (2.0, 3.0, "b")], [(0.0, 3.0, "a b")]
    assert segment_shifts(segments(apart), segments(joined)) == (0.0, 2.0, 2.0, 0.0)


def test_only_words_that_both_say_are_compared() -> None:
    one = words([(0, 1, "Seven,"), (1, 2, "two"), (2, 3, "nine")])
    other = words([(0, 1, "seven"), (1, 2, "too"), (2.5, 3.5, "nine"), (4, 5, "ten")])
    assert word_shifts(one, other, lambda text: text.lower().strip(",")) == (0.0, 0.0, 0.5, 0.5)
    assert word_shifts(one, (), str) == word_shifts((), one, str) == ()


def test_a_runtime_that_tells_no_word_a_time_is_compared_by_segments_alone() -> None:
    timed = TimedText(segments=segments([(0, 1, "a")]), words=words([(0, 1, "a")]))
    bare = TimedText(segments=timed.segments)
    assert timed_pairs([timed], [bare], IDENTITY, [None]) == ([(0.0, 0.0)], None)
    assert timed_pairs([timed, bare], [timed, timed], IDENTITY, [None] * 2) == ([(0.0, 0.0)] * 2, [(0.0, 0.0), ()])


def test_the_percentiles_are_those_of_the_times() -> None:
    found = drift([[n / 100] for n in range(100)])
    assert (found.median, found.percentile95, found.count) == (0.49, 0.94, 100)
    assert found.late.value == pytest.approx(0.8)


def test_times_that_are_off_by_exactly_the_limit_are_off() -> None:
    """2.4 - 2.2 is a little less than 0.2 in binary."""
    assert drift([[2.4 - 2.2]] * 10).late.value == 1.0
    assert drift([[0.18]] * 10).late.value == 0.0


def test_nothing_to_compare_is_no_drift_of_zero() -> None:
    found = drift([(), ()])
    assert found.count == 0
    assert found.late.value is None


def test_a_planted_share_of_late_times_is_found_and_bounded() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        shifts = [[0.5 if rng.random() < 0.1 else 0.0 for _ in range(4)] for _ in range(100)]
        late = measure_drift(shifts, [""] * 100, max_shift=0.2, confidence=0.95).late
        assert late.lower is not None
        assert late.upper is not None
        covered += late.upper >= 0.1
        assert late.lower <= 0.1 + 0.06
    assert covered >= 54  # 57 expected


@pytest.mark.parametrize("late", [1, 3, 97, 99])
def test_no_bound_of_a_share_of_times_lies_outside_of_all_and_none(late: int) -> None:
    found = drift([[1.0, 0.0]] * late + [[0.0, 0.0]] * (100 - late)).late
    assert 0.0 <= found.lower <= found.upper <= 1.0
