"""What is kept on the disk is what was kept, in whatever order it is asked for."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.system import on_disk
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.keys import Index
from pytest_whisperq.system.on_disk import (
    AS_IT_IS,
    FEW,
    BytesOnDisk,
    Chosen,
    Form,
    Kept,
    KeptByName,
    Made,
    choose,
    columns,
    keep,
    keep_by_name,
)

VALUES = st.lists(st.tuples(st.text(), st.one_of(st.none(), st.floats(allow_nan=False), st.binary())), max_size=200)
LONG: Form[bytes] = Form(plain=bytes, make=bytes, size=len)


def test_a_few_values_are_held() -> None:
    assert keep(iter(range(FEW)), AS_IT_IS) == tuple(range(FEW))
    assert keep_by_name([("a", 1), ("b", 2), ("a", 3)], AS_IT_IS) == {"a": 3, "b": 2}


def test_many_values_are_on_the_disk() -> None:
    kept = keep(iter(range(FEW + 1)), AS_IT_IS)
    assert isinstance(kept, Kept)
    assert list(kept) == list(range(FEW + 1))
    assert keep(kept, AS_IT_IS) is kept


def test_long_values_are_on_the_disk_however_few_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "LONG", 100)
    assert keep([b"a" * 60, b"b" * 30], LONG) == (b"a" * 60, b"b" * 30)
    kept = keep([b"a" * 60, b"b" * 60, b"c"], LONG)
    assert isinstance(kept, Kept)
    assert list(kept) == [b"a" * 60, b"b" * 60, b"c"]


@given(VALUES, st.randoms())
def test_kept_values_are_those_of_a_list_by_place_and_slice(values: list[object], random: Random) -> None:
    kept = Kept(values, AS_IT_IS)
    assert len(kept) == len(values)
    assert list(kept) == values
    assert kept == tuple(values)
    for place in random.sample(range(len(values)), len(values)):
        assert kept[place] == values[place]
        assert kept[place - len(values)] == values[place]
    start, stop = sorted(random.randint(-250, 250) for _ in range(2))
    assert kept[start:stop] == tuple(values[start:stop])
    assert kept[::-1] == tuple(values[::-1])
    with pytest.raises(IndexError):
        kept[len(values)]


@given(st.lists(st.binary(max_size=3 * 2**15), max_size=40), st.randoms())
def test_blocks_of_long_values_have_fewer(values: list[bytes], random: Random) -> None:
    kept = Kept(values, LONG)
    for place in random.sample(range(len(values)), len(values)):
        assert kept[place] == values[place]


@given(VALUES, st.data())
def test_chosen_values_are_those_of_their_places(values: list[object], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(values) - 1) if values else st.nothing()))
    expected = [values[place] for place in places]
    for source in (tuple(values), Kept(values, AS_IT_IS)):
        chosen = choose(source, places)
        assert list(chosen) == expected
        assert [chosen[place] for place in range(len(places))] == expected
    assert isinstance(choose(Kept(values, AS_IT_IS), places), Chosen)
    assert keep(choose(Kept(values, AS_IT_IS), places), AS_IT_IS) == tuple(expected)


def test_a_long_slice_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "FEW", 10)
    kept = Kept(range(100), AS_IT_IS)
    assert isinstance(kept[5:], Chosen)
    assert list(kept[5:]) == [*range(5, 100)]
    assert kept[5:8] == (5, 6, 7)


def test_values_are_made_anew_each_time() -> None:
    made = Made(str, (1, 2, 3))
    assert list(made) == ["1", "2", "3"]
    assert (made[0], made[-1], len(made)) == ("1", "3", 3)


@pytest.mark.parametrize("rows", [(), ((1, "a"), (2, "b"))])
def test_columns_of_rows(rows: tuple[tuple[int, str], ...]) -> None:
    for source in (rows, Kept(rows, AS_IT_IS)):
        numbers, letters = columns(source, 2)
        assert list(numbers) == [number for number, _ in rows]
        assert list(letters) == [letter for _, letter in rows]


NAMED = st.lists(st.tuples(st.text(), st.integers(-(2**60), 2**60)), max_size=100)


@given(NAMED, st.randoms())
def test_values_by_name_are_those_of_a_dictionary(items: list[tuple[str, int]], random: Random) -> None:
    kept, expected = KeptByName(Kept(items, AS_IT_IS), AS_IT_IS, may_repeat=True), dict(items)
    in_order = [name for name, _ in items]
    shuffled = random.sample(in_order, len(in_order))
    for name in (*in_order, *shuffled, *in_order, *in_order[3:]):
        assert kept[name] == expected[name]
        assert name in kept
    assert "\0" not in kept or "\0" in expected
    absent = "x" + "".join(in_order)
    assert absent not in kept
    assert kept.get(absent) is None
    with pytest.raises(KeyError):
        kept[absent]


def test_in_order_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptByName(Kept([(f"name {number}", number) for number in range(100)], AS_IT_IS), AS_IT_IS)
    monkeypatch.setattr(Index, "of", lambda *_: pytest.fail("searched"))
    for _ in range(2):
        assert [kept[f"name {number}"] for number in range(100)] == list(range(100))
    assert list(kept.values()) == list(range(100))


def test_names_that_are_no_valid_text_can_be_kept() -> None:
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    kept = KeptByName(Kept([(name, 1), ("other", 2)], AS_IT_IS), AS_IT_IS)
    assert (kept["other"], kept[name]) == (2, 1)


def test_an_error_of_what_is_kept_is_not_one_of_the_disk() -> None:
    def unreadable() -> Iterator[str]:
        yield from repeat("row", FEW + 100)
        raise FileNotFoundError(2, "No such file", "call.wav")

    with pytest.raises(FileNotFoundError, match="No such file"):
        keep(unreadable(), AS_IT_IS)


def test_a_full_disk_is_an_error_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(StoreError, match="No space left"):
        keep((f"row {number:60}" for number in range(FEW + 1)), AS_IT_IS)


def test_bytes_are_on_the_disk_once() -> None:
    one, two = BytesOnDisk.put(b"sound"), BytesOnDisk.put(b"")
    assert (bytes(one), bytes(two), bytes(one)) == (b"sound", b"", b"sound")
    assert two.start == one.start + 5


def test_one_mapping_may_be_read_by_many() -> None:
    names = [f"name {number}" for number in range(2000)]
    kept = KeptByName(Kept([(name, name.upper()) for name in names], AS_IT_IS), AS_IT_IS)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: [kept[name] for name in names], range(4))
        assert all(one == [name.upper() for name in names] for one in found)
