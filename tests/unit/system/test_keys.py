"""Short keys of long names."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.system import column, keys
from pytest_whisperq.system.keys import Index, Keys, Names, as_bytes, key_of


def test_a_key_is_the_same_in_every_process_and_for_every_cache() -> None:
    assert key_of("a") == 0x2F42665B399EF840
    assert key_of("a") != key_of("b")


def test_a_name_that_is_no_text_has_a_key() -> None:
    assert key_of("\udcff") != key_of("\udcfe")


def test_the_key_of_a_text_is_the_same_on_every_machine() -> None:
    assert key_of("anna") == 10109037774674085072
    assert len({key_of(text) for text in ("anna", "Anna", "", "\udc80", "\0")}) == 5


def test_texts_sort_as_bytes_as_they_do_as_texts() -> None:
    texts = ["", "a", "ä", "\ud800", "\uffff", "\U0001f600", "b", "a\0"]
    assert sorted(texts, key=as_bytes) == sorted(texts)


@given(st.lists(st.text(max_size=3)), st.integers(1, 9), st.integers(1, 4))
def test_keys_tell_names_apart(names: list[str], at_once: int, page: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_AT_ONCE", at_once)
        patch.setattr(column, "_AT_ONCE", at_once)
        patch.setattr(keys, "_PAGE", page)
        assert Keys.of(names).repeated() == {key_of(name) for name in names if names.count(name) > 1}
        index = Index(names)
        for name in (*names, "none of them"):
            assert list(index.of(name)) == [place for place in range(len(names) - 1, -1, -1) if names[place] == name]
        some = Names(names[::2])
        assert [name in some for name in names] == [name in names[::2] for name in names]
        asked = np.array([key_of(name) for name in names], np.uint64)
        assert some.have(asked).tolist() == [name in names[::2] for name in names]


def test_keys_are_sorted_with_their_places_however_many_there_are() -> None:
    names = [f"name {number % 70_001}" for number in range(140_000)]
    parts = list(Keys.of(names).in_order())
    assert len(parts) == 16
    found = np.concatenate(parts)
    expected = sorted((key_of(name), place) for place, name in enumerate(names))
    assert found.tolist() == expected
    assert all(one["key"][-1] < next_["key"][0] for one, next_ in pairwise(parts))


@pytest.mark.parametrize("different", [1, 500])
def test_a_name_that_is_there_very_often_is_sorted_once(different: int) -> None:
    """So it is where one recording is cut into all clips of a corpus."""
    tracemalloc.start()
    try:
        some = Names(f"part{number % different}.wav" for number in range(200_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "part0.wav" in some
    assert "part500.wav" not in some
    assert peak < 1_000_000  # all at once are several times as much
