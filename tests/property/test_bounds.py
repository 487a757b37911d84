"""What holds for the bounds of any data."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.config.choices import DropType
from pytest_whisperq.measuring import intervals
from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.groups import GroupSums, numbered
from pytest_whisperq.measuring.intervals import SUMS, Interval, bound_ratio

clips = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12), st.sampled_from(["", "k", "l"])), max_size=30)


def bound(clips: Sequence[tuple[float, int, str]], confidence: float = 0.95, unit: float = 1.0) -> Interval:
    columns = np.array([clip[:2] for clip in clips], float).reshape(-1, 2)
    length = columns[:, 1].mean() if clips else 0.0
    return bound_ratio(
        columns,
        [clip[2] for clip in clips],
        worse=(unit * length / 2, length),
        better=(0.0, length),
        confidence=confidence,
    )


@given(clips=clips, level=st.sampled_from([0.5, 0.95]))
def test_bounds_contain_the_value_or_are_not_given(clips: list[tuple[int, int, str]], level: float) -> None:
    found = bound(clips, level)
    names = [name for _, _, name in clips]
    assert found.clusters == names.count("") + len(set(names) - {""})
    if found.clusters < intervals.MIN_CLUSTERS:
        assert found.lower is None
        assert found.upper is None
    else:
        assert found.lower <= found.value <= found.upper
        assert level == 0.5 or found.lower < found.upper  # there is always something that did not happen
    assert (found.value is None) == (not clips)


@given(clips=clips, levels=st.lists(st.floats(0.5, 0.999), min_size=2, max_size=2).map(sorted))
def test_bounds_widen_with_confidence(clips: list[tuple[int, int, str]], levels: list[float]) -> None:
    narrow, wide = (bound(clips, level) for level in levels)
    if wide.upper is not None:
        assert wide.upper >= narrow.upper
    if wide.lower is not None:
        assert wide.lower <= narrow.lower


@given(clips=clips, data=st.data())
def test_the_order_of_utterances_does_not_matter(clips: list[tuple[int, int, str]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(clips))
    one, other = bound(clips), bound(shuffled)
    assert other.clusters == one.clusters
    assert other.value == pytest.approx(one.value)
    for mine, yours in ((one.lower, other.lower), (one.upper, other.upper)):
        assert mine == yours is None or mine == pytest.approx(yours)


@given(clips=clips, unit=st.sampled_from([0.01, 3.0, 100.0]))
def test_bounds_do_not_depend_on_the_unit(clips: list[tuple[int, int, str]], unit: float) -> None:
    one, other = bound(clips), bound([(errors * unit, words, name) for errors, words, name in clips], unit=unit)
    for mine, yours in ((one.lower, other.lower), (one.upper, other.upper)):
        assert mine == yours is None or mine * unit == pytest.approx(yours)


@given(clips=clips)
def test_twice_as_much_of_the_same_evidence_narrows_the_bounds(clips: list[tuple[int, int, str]]) -> None:
    one, other = bound(clips), bound([*clips, *((errors, words, name and f"{name}2") for errors, words, name in clips)])
    if one.upper is not None:
        assert other.upper <= one.upper + 1e-12
        assert other.lower >= one.lower - 1e-12


@given(
    hits=st.lists(st.tuples(st.booleans(), st.sampled_from(["", "k", "l"])), max_size=30), level=st.floats(0.5, 0.99)
)
def test_no_bound_of_a_share_lies_outside_of_all_and_none(hits: list[tuple[bool, str]], level: float) -> None:
    columns = np.array([(hit, 1.0) for hit, _ in hits], float).reshape(-1, 2)
    names = [name for _, name in hits]
    found = bound_ratio(columns, names, worse=(1.0, 1.0), better=(0.0, 1.0), confidence=level, within=intervals.SHARE)
    if found.lower is not None:
        assert 0.0 <= found.lower <= found.value
    if found.upper is not None:
        assert found.value <= found.upper <= 1.0


@given(
    clips=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 12), st.sampled_from("abcdefgh")), max_size=40
    ),
    drop_type=st.sampled_from(["absolute", "relative", "accuracy-ratio"]),
)
def test_sums_of_clusters_bound_what_their_utterances_do(
    clips: list[tuple[int, int, int, str]], drop_type: DropType
) -> None:
    counts = np.array([clip[:3] for clip in clips], float).reshape(-1, 3)
    names = [clip[3] for clip in clips]
    sums = GroupSums(*numbered(names), columns=3)
    for place, (r, q, n, _) in enumerate(clips):
        sums.add(place, r, q, n)
    one = bound_drop(counts, names, drop_type=drop_type, confidence=0.95)
    other = bound_drop(sums.table, SUMS, drop_type=drop_type, confidence=0.95)
    assert (one.value, one.clusters) == (other.value, other.clusters)
    for mine, yours in ((one.lower, other.lower), (one.upper, other.upper)):
        assert (mine is None) == (yours is None)
        assert mine is None or mine == pytest.approx(yours, rel=1e-9, abs=1e-9)
