"""What holds for the bounds of any data."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measure import intervals
from pytest_whisperq.measure.intervals import Interval, bound_sums, ratio

clips = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12), st.sampled_from(["", "k", "l"])), max_size=30)


@pytest.fixture(autouse=True, scope="module")
def _few_resamples() -> object:
    """What holds for any number of resamples is tested with few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 200)
        yield


def bound(clips: Sequence[tuple[int, int, str]], confidence: float = 0.95, seed: int = 0) -> Interval:
    columns = np.array([clip[:2] for clip in clips], float).reshape(-1, 2)
    length = columns[:, 1].mean() if clips else 0.0
    return bound_sums(
        columns,
        ratio,
        [clip[2] for clip in clips],
        worse=(length / 2, length),
        better=(0.0, length),
        confidence=confidence,
        seed=seed,
    )


@given(clips=clips, seed=st.integers(0, 99), level=st.sampled_from([0.5, 0.95]))
def test_bounds_contain_the_value_or_are_not_given(clips: list[tuple[int, int, str]], seed: int, level: float) -> None:
    found = bound(clips, level, seed=seed)
    assert found == bound(clips, level, seed=seed)
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
    if narrow.upper is not None:
        assert wide.lower <= narrow.lower
        assert wide.upper >= narrow.upper


@given(clips=clips, data=st.data())
def test_the_order_of_utterances_is_only_resampling_noise(
    clips: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(clips))
    one, other = bound(clips), bound(shuffled)
    assert other.clusters == one.clusters
    assert other.value == pytest.approx(one.value)
    if one.upper is not None:
        width = one.upper - one.lower
        assert other.upper == pytest.approx(one.upper, abs=width)
        assert other.lower == pytest.approx(one.lower, abs=width)


@given(clips=clips)
def test_one_more_error_never_lowers_a_bound(clips: list[tuple[int, int, str]]) -> None:
    worse = [(errors + 1, words, name) for errors, words, name in clips]
    before, after = bound(clips), bound(worse)
    if before.upper is not None:
        assert after.upper >= before.upper
        assert after.lower >= before.lower
