"""Whole numbers on the disk: what is read is what was written, wherever it is."""

import tracemalloc
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.system import column
from pytest_whisperq.system.column import Column

NUMBERS = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=30)


@given(NUMBERS, NUMBERS, st.integers(1, 7), st.integers(1, 5), st.data())
def test_numbers_are_those_that_came_in(
    numbers: list[int], more: list[int], at_once: int, page: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column, "_AT_ONCE", at_once)
        patch.setattr(column, "_PAGE", page)
        some = Column("i", numbers)
        assert [some[place] for place in range(len(numbers))] == numbers
        for number in more:
            some.append(number)
        whole = numbers + more
        assert len(some) == len(whole)
        assert [*some] == whole
        assert [some[place] for place in range(-len(whole), len(whole))] == whole + whole
        assert np.asarray(some).tolist() == np.asarray(some, np.float64).tolist() == whole
        assert [(start, part.tolist()) for start, part in some.stretches()] == [
            (start, whole[start : start + at_once]) for start in range(0, len(whole), at_once)
        ]
        ends = st.none() | st.integers(-len(whole) - 2, len(whole) + 2)
        where = slice(data.draw(ends), data.draw(ends), data.draw(st.sampled_from([None, 1, 2, -1, -3])))
        assert some[where] == array("i", whole[where])


@pytest.mark.parametrize("place", [-4, 3, 2**20])
def test_what_is_not_there_is_not_found(place: int) -> None:
    with pytest.raises(IndexError):
        Column("i", [1, 2, 3])[place]


def test_a_number_that_is_too_large_is_refused() -> None:
    with pytest.raises(OverflowError):
        Column("i", [2**31])


def test_numbers_on_the_disk_are_not_seen_as_they_lie() -> None:
    with pytest.raises(ValueError, match="copied"):
        Column("i", [1]).__array__(copy=False)  # numpy 1 asks for a copy itself, then


def test_of_many_numbers_none_is_held() -> None:
    tracemalloc.start()
    try:
        some = Column("q", range(300_000))
        total = sum(some)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 299_999 * 150_000
    assert held < 300_000  # of 2.4 million bytes
    assert peak < 800_000
