"""When a model hears what it hears: shifts between two sets of times, and the share of them that is late."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.backends import Segment, TimedText, TimedWord
from pytest_whisperq.measuring.timestamps import (
    Drift,
    SegmentTimes,
    compare_segments,
    measure_drift,
    timed_pairs,
    word_shifts,
)
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


def compared(baseline: Times, candidate: Times) -> SegmentTimes:
    return compare_segments(segments(baseline), segments(candidate), str)


@given(SPANS)
def test_nothing_is_shifted_from_itself(times: Times) -> None:
    found = compared(times, times)
    assert set(found.shifts) == {0.0}
    assert (found.uncompared, found.kept, found.joined, found.split) == (0, len(times) - 1, 0, 0)
    assert set(word_shifts(words(times), words(times), str)) == {0.0}


@given(SPANS, st.floats(0.02, 5))
def test_what_moves_is_off_by_as_much(times: Times, by: float) -> None:
    moved = [(start + by, end + by, text) for start, end, text in times]
    assert word_shifts(words(times), words(moved), str) == pytest.approx([by] * 2 * len(times))
    assert compared(times, moved).shifts == pytest.approx([by] * 2 * len(times))


TWO = [(0.0, 2.0, "one two three"), (2.5, 4.0, "four five")]
WHOLE = [(0.0, 4.0, "one two three four five")]


def test_a_segment_that_is_joined_or_split_has_not_moved() -> None:
    assert compared(TWO, WHOLE) == SegmentTimes(shifts=(0.0, 0.0), lost=0, uncompared=0, kept=0, joined=1, split=0)
    assert compared(WHOLE, TWO) == SegmentTimes(shifts=(0.0, 0.0), lost=0, uncompared=0, kept=0, joined=0, split=1)


def test_a_boundary_at_another_word_is_a_join_and_a_split() -> None:
    found = compared(TWO, [(0.0, 1.2, "one two"), (1.2, 4.0, "three four five")])
    assert found == SegmentTimes(shifts=(0.0, 0.0), lost=0, uncompared=0, kept=0, joined=1, split=1)


def test_the_times_of_a_joined_segment_that_moved_have_moved() -> None:
    """A join hides no shift of the times that are left."""
    assert compared(TWO, [(0.5, 4.5, "one two three four five")]).shifts == (0.5, 0.5)
    assert compared(TWO, [(0.0, 30.0, "one two three four five")]).shifts == (0.0, 26.0)


def test_a_boundary_is_found_by_its_words_however_far_it_has_moved() -> None:
    three = [*TWO, (4.0, 6.0, "six seven")]
    late = [(0.0, 2.6, "one two three"), (3.1, 4.4, "four five"), (4.4, 6.0, "six seven")]
    found = compared(three, late)
    assert (found.kept, found.joined, found.split) == (2, 0, 0)
    assert sorted(found.shifts) == pytest.approx([0.0, 0.0, 0.4, 0.4, 0.6, 0.6])


def test_a_segment_that_is_gone_has_no_time_near_or_far() -> None:
    gone = compared([(0, 1, "a")], ())
    assert (gone.shifts, gone.lost) == ((float("inf"), float("inf")), 1)
    assert compared((), [(0, 1, "a")]).shifts == ()
    three = [*TWO, (4.0, 6.0, "six seven")]
    for lost in range(3):
        found = compared(three, [span for place, span in enumerate(three) if place != lost])
        assert sorted(found.shifts) == [0.0] * 4 + [float("inf")] * 2
        assert (found.lost, found.kept, found.joined, found.split) == (1, 1, 0, 0)


def test_a_segment_that_is_made_up_is_no_split() -> None:
    """Words that the baseline does not say are counted by the gates on words."""
    found = compared(TWO, [TWO[0], (2.0, 2.5, "thank you so much"), TWO[1]])
    assert found == SegmentTimes(shifts=(0.0,) * 4, lost=0, uncompared=0, kept=1, joined=0, split=0)


def test_a_word_heard_as_another_keeps_its_time_and_a_lost_one_has_none() -> None:
    found = compared(TWO, [(0.0, 2.1, "one two tree"), (2.6, 4.0, "five")])
    assert (found.kept, found.uncompared) == (1, 1)  # nobody knows when "four" would have begun
    assert sorted(found.shifts) == pytest.approx([0.0, 0.0, 0.1])


def test_a_language_without_spaces_is_compared_by_its_characters() -> None:
    found = compared([(0, 1, "请稍候"), (1, 2, "再见")], [(0, 1.5, "请稍后"), (1.5, 2, "再见")])
    assert (found.kept, found.joined, found.split) == (1, 0, 0)
    assert sorted(found.shifts) == [0.0, 0.0, 0.5, 0.5]


@given(SPANS, st.data())
def test_every_boundary_is_kept_joined_or_split(times: Times, data: st.DataObject) -> None:
    """The same words, parted anew at random: nothing has moved but what was asked to."""
    said = [text for _, _, text in times]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1))) if len(said) > 1 else ())
    edges = [0, *cuts, len(said)]
    parted = [
        (times[begin][0], times[end - 1][1], " ".join(said[begin:end])) for begin, end in itertools.pairwise(edges)
    ]
    found = compared(times, parted)
    assert (found.kept, found.joined, found.split) == (len(cuts), len(said) - 1 - len(cuts), 0)
    assert set(found.shifts) == {0.0}
    back = compared(parted, times)
    assert (back.kept, back.joined, back.split) == (len(cuts), 0, len(said) - 1 - len(cuts))


def test_only_words_that_both_say_are_compared() -> None:
    one = words([(0, 1, "Seven,"), (1, 2, "two"), (2, 3, "nine")])
    other = words([(0, 1, "seven"), (1, 2, "too"), (2.5, 3.5, "nine"), (4, 5, "ten")])
    assert word_shifts(one, other, lambda text: text.lower().strip(",")) == (0.0, 0.0, 0.5, 0.5)
    assert word_shifts(one, (), str) == word_shifts((), one, str) == ()


def test_a_runtime_that_tells_no_word_a_time_is_compared_by_segments_alone() -> None:
    timed = TimedText(segments=segments([(0, 1, "a")]), words=words([(0, 1, "a")]))
    bare = TimedText(segments=timed.segments)
    found = compare_segments(timed.segments, timed.segments, str)
    assert timed_pairs([timed], [bare], IDENTITY, [None]) == ([found], None)
    assert timed_pairs([timed, bare], [timed, timed], IDENTITY, [None] * 2) == ([found] * 2, [(0.0, 0.0), ()])


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
