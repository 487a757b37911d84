"""What grows holds the last value of each name, and what is made of a text is made once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.system import growing, on_disk
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.growing import Growing
from pytest_whisperq.system.keys import key_of
from pytest_whisperq.system.on_disk import AS_IT_IS

NAMED = st.lists(st.tuples(st.text(), st.integers(-(2**60), 2**60)), max_size=100)


@given(NAMED)
def test_what_grows_holds_the_last_value_of_each_name(items: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_disk, "FEW", 5)
        values: Growing[int] = Growing(AS_IT_IS)
        for name, value in items:
            values.add(name, value)
        expected = dict(items)
        assert len(values) == len(expected)
        assert dict(values.items()) == expected
        assert all(values.get(name) == value and name in values for name, value in expected.items())
        assert values.get("x" + "".join(expected)) is None


def test_what_grows_is_listed_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "FEW", 5)
    values: Growing[int] = Growing(AS_IT_IS)
    names = [f"{key_of(str(number))}" for number in range(20)]
    for number, name in enumerate(names):
        values.add(name, number)
    assert list(values.items()) == [(name, number) for number, name in enumerate(names)]


def test_what_found_no_room_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that could not be written is not read any more."""
    monkeypatch.setattr(on_disk, "FEW", 2)
    values: Growing[bytes] = Growing(AS_IT_IS)
    for name in "abc":
        values.add(name, bytes(10))
    assert values._many is not None
    values._many.execute("PRAGMA max_page_count = 3")
    with pytest.raises(StoreError, match="disk is full"):
        _fill(values)
    assert len(values) == 0
    values.add("a", b"again")
    assert values.get("a") == b"again"


def _fill(values: Growing[bytes]) -> None:
    for number in range(100):
        values.add(str(number), bytes(1000))


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(0, 4))
def test_what_is_made_once_is_found_again(asked: list[str], few: int) -> None:
    made: list[str] = []

    def shout(text: str) -> str:
        made.append(text)
        return text.upper()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_disk, "FEW", few)
        patch.setattr(growing, "_AT_HAND", 2)
        find = growing.once(shout)
        assert [find(text) for text in asked] == [text.upper() for text in asked]
    assert sorted(made) == sorted(set(asked))
