"""Groups of utterances as numbers: what they are equal to, and how little of their names is held."""

import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.groups import grouped
from pytest_whisperq.measuring.intervals import in_one_place, judged_by
from pytest_whisperq.system.on_disk import Made

ROWS = 30_000


def test_groups_equal_any_sequence_of_their_names_and_no_text() -> None:
    groups = grouped(["b", "a", "b"])
    assert groups == ["b", "a", "b"] == groups
    assert groups == ("b", "a", "b") != groups[:2]
    assert groups != "bab"
    assert groups != ["b", "a", "a"]
    assert groups[-1] == "b"


def test_few_speakers_of_many_utterances_take_four_bytes_of_each() -> None:
    rows = 60_000  # a part of their keys is sorted at a time
    names = Made(lambda place: f"speaker {place % 200}", range(rows))
    tracemalloc.start()
    try:
        groups, _ = judged_by(names, Made("{:064x}".format, range(rows)))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert groups.size == 200
    assert held / rows < 12
    assert peak / rows < 30


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=60))
def test_a_sound_is_in_the_first_of_its_clusters(rows: list[tuple[int, int]]) -> None:
    clusters, clips = [f"speaker {cluster}" for cluster, _ in rows], [str(clip) for _, clip in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_whisperq.system.keys._AT_ONCE", 4)
        patch.setattr("pytest_whisperq.system.column._AT_ONCE", 4)
        patch.setattr("pytest_whisperq.measuring.groups._FEW", 3)
        groups = in_one_place(clusters, clips)
    first = {clip: min(one for one, other in zip(clusters, clips, strict=True) if other == clip) for clip in clips}
    assert groups == [first[clip] for clip in clips]
    assert groups.numbers.tolist() == [sorted(set(groups)).index(name) for name in groups]


def test_clusters_and_clips_are_as_many() -> None:
    with pytest.raises(ValueError, match="shorter"):
        in_one_place(["a", "b"], ["1"])


@pytest.mark.parametrize("different", [1, 2, 4096, 4097, 5000])
def test_groups_of_few_and_of_many_names_are_alike(different: int) -> None:
    names = [f"speaker {number * 7919 % different}" for number in range(2 * different + 3)]
    groups = grouped(iter(names))
    assert groups == names
    assert [groups.name(number) for number in range(groups.size)] == sorted(set(names))


@pytest.mark.parametrize("name", ["speaker {}", "{:064x}", "0" * 40 + "{}"], ids=["short", "long", "alike"])
def test_names_that_are_made_when_they_are_asked_for_are_not_held(name: str) -> None:
    """Of as many clusters as utterances, whose names take 60 to 110 bytes each, a thousand are remembered."""
    names, clips = Made(name.format, range(ROWS)), Made("{:064x}".format, range(ROWS))
    tracemalloc.start()
    try:
        groups, few = judged_by(names, clips)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(groups), groups.size, few) == (ROWS, ROWS, 0)
    assert held / ROWS < 30  # numbers and places take 8, and what is remembered of a thousand names the rest
    assert peak / ROWS < 100


@given(st.lists(st.integers(0, 6), max_size=40), st.randoms())
def test_utterances_are_found_group_after_group(numbers: list[int], random: Random) -> None:
    names = [f"speaker {number}" for number in numbers]
    groups = grouped(names)
    order = random.sample(range(groups.size), groups.size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_whisperq.measuring.groups._AT_ONCE", 5)
        found = groups.one_by_one(np.array(order, np.intp))
    in_order = [groups.name(number) for number in order]
    assert [*found] == sorted(range(len(names)), key=lambda place: (in_order.index(names[place]), place))
