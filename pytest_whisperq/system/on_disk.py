"""Values by the million, kept in a file without a name: as Python holds them, those of a corpus are gigabytes.

A few are held as they are. Where there are many, or long ones, each is made anew when it is asked for: it equals the
one that was kept, and is another object. The file goes with the last who reads it. It is written with `marshal`, and
nobody else's file is ever read with it.
"""

from __future__ import annotations

import marshal
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from operator import itemgetter
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar, overload

from pytest_whisperq.system.column import Column
from pytest_whisperq.system.keys import Index, Keys
from pytest_whisperq.system.scratch import ScratchFile

T = TypeVar("T")
S = TypeVar("S")

FEW = 2**12
"""So many values are held in memory, if they are not long."""

LONG = 2**26
"""Bytes of all values together that are held in memory."""

_BLOCK, _BLOCK_BYTES = 16, 2**16
"""Values that are read at once, and bytes that are enough for a block of fewer."""

_ENTRY, _ENTRIES = 16, 2**8
"""Bytes of an entry in the table of blocks, and entries that are read at once."""


@dataclass(frozen=True)
class Form(Generic[T]):
    """How a value is kept: as what `marshal` writes (text, bytes, numbers, None, tuples of these), and made of it.

    ``size`` returns how many bytes a value may have that is long, such as a recording; 0 for any other.
    """

    plain: Callable[[T], Any]
    make: Callable[[Any], T]
    size: Callable[[T], int] = lambda _: 0


def _same(value: Any) -> Any:
    return value


AS_IT_IS: Form[Any] = Form(plain=_same, make=_same)
"""The form of text and numbers."""


class BytesOnDisk(NamedTuple):
    """Bytes in the one file without a name that a process has for them; it goes with the process."""

    start: int
    length: int

    @classmethod
    def put(cls, data: bytes) -> BytesOnDisk:
        """Put bytes there, once; raise `StoreError` where there is no room."""
        return cls(_file_of_bytes().add(data), len(data))

    def __bytes__(self) -> bytes:
        return _file_of_bytes().read(self.start, self.length)


@lru_cache(maxsize=1)
def _file_of_bytes() -> ScratchFile:
    return ScratchFile()


def keep(values: Iterable[T], form: Form[T]) -> Sequence[T]:
    """Return values in a sequence: a tuple of few, or one that reads them from the disk.

    Raises `StoreError` where the folder for temporary files has no room.
    """
    if isinstance(values, Kept):
        return values
    source, few, size = iter(values), list[T](), 0
    for value in source:
        few.append(value)
        size += form.size(value)
        if len(few) > FEW or size > LONG:
            return Kept(chain(few, source), form)
    return tuple(few)


def choose(values: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """Return the values in some places, in that order; those on disk are not read for it."""
    if isinstance(values, _Lazy):
        return Chosen(values, places)
    return tuple(values[place] for place in places)


def columns(rows: Sequence[tuple[Any, ...]], count: int) -> tuple[Sequence[Any], ...]:
    """Return each column of rows, of which there are so many, as a sequence of its own."""
    if isinstance(rows, _Lazy):
        return tuple(Made(itemgetter(number), rows) for number in range(count))
    return tuple(zip(*rows, strict=True)) or ((),) * count


class _Lazy(Sequence[T]):
    """What a sequence has whose values are made when they are asked for."""

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        where = range(len(self))[place]
        if not isinstance(where, range):
            return self._at(where)
        if where == range(len(self)):
            return self
        return tuple(map(self._at, where)) if len(where) <= FEW else Chosen(self, where)

    def _at(self, place: int) -> T:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        """Whether another sequence of this module or a tuple has the same values."""
        if not isinstance(other, _Lazy | tuple):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list: nobody reads a file for it


class Kept(_Lazy[T]):
    """Values in a file. ``form`` says how each is kept.

    Behind all blocks the file has a table of where each begins, in bytes and in values, and where the last one ends.
    """

    def __init__(self, values: Iterable[T], form: Form[T]) -> None:
        self._form = form
        self._file = ScratchFile()
        self._block = _Block(-1, 0, 0, [])
        """The block that was read last."""
        table, self._count, end = array("q", [0, 0]), 0, 0
        for block in self._blocks(values):
            data = marshal.dumps(block)
            end = self._file.add(data) + len(data)
            self._count += len(block)
            table.extend((end, self._count))
        self._table, self._last = self._file.add(table.tobytes()), len(table) // 2 - 2

    def _blocks(self, values: Iterable[T]) -> Iterator[list[Any]]:
        block, size = list[Any](), 0
        for value in values:
            block.append(self._form.plain(value))
            size += self._form.size(value)
            if len(block) == _BLOCK or size > _BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return self.since(0)

    def since(self, place: int) -> Iterator[T]:
        """Yield the values from a place on."""
        if place >= len(self):
            return
        first = self._block_of(place)
        yield from map(self._form.make, first.values[place - first.start :])
        for number in range(first.number + 1, self._last + 1, _ENTRIES):
            begins = self._entries(number, min(_ENTRIES, self._last + 1 - number))[::2]
            for begin, stop in pairwise(begins):
                yield from map(self._form.make, self._values(begin, stop))

    def _at(self, place: int) -> T:
        block = self._block
        if not block.start <= place < block.end:
            block = self._block = self._block_of(place)
        return self._form.make(block.values[place - block.start])

    def _block_of(self, place: int) -> _Block:
        number = min(place // _BLOCK, self._last)  # where no value is long
        block = self._read(number)
        if block.start <= place < block.end:
            return block
        return self._read(bisect_right(range(self._last + 1), place, key=lambda one: self._entries(one)[1]) - 1)

    def _read(self, number: int) -> _Block:
        begin, start, stop, end = self._entries(number)
        return _Block(number, start, end, self._values(begin, stop))

    def _values(self, begin: int, stop: int) -> list[Any]:
        values: list[Any] = marshal.loads(self._file.read(begin, stop - begin))  # noqa: S302 - of this object
        return values

    def _entries(self, number: int, count: int = 1) -> array[int]:
        """Return where each of some blocks begins, in bytes and in values, and where the last of them ends."""
        return array("q", self._file.read(self._table + _ENTRY * number, _ENTRY * (count + 1)))


class _Block(NamedTuple):
    """The values of a `Kept` from ``start`` to before ``end``."""

    number: int
    start: int
    end: int
    values: list[Any]


class Chosen(_Lazy[T]):
    """The values of a sequence in some places of it, in their order."""

    def __init__(self, values: Sequence[T], places: Sequence[int]) -> None:
        self._values = values
        self._places = places if isinstance(places, range | array | Column) else array("I", places)

    def __len__(self) -> int:
        return len(self._places)

    def _at(self, place: int) -> T:
        return self._values[self._places[place]]

    def __iter__(self) -> Iterator[T]:
        return map(self._values.__getitem__, self._places)


class Made(_Lazy[T], Generic[S, T]):
    """What a function makes of each value of a sequence, made anew each time."""

    def __init__(self, make: Callable[[S], T], values: Sequence[S]) -> None:
        self._make = make
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def _at(self, place: int) -> T:
        return self._make(self._values[place])

    def __iter__(self) -> Iterator[T]:
        return map(self._make, self._values)


def keep_by_name(items: Iterable[tuple[str, T]], form: Form[T], *, may_repeat: bool = False) -> Mapping[str, T]:
    """Return values by their names: a dictionary of few, or a mapping on the disk.

    Where names ``may_repeat``, the last value of each is found.
    """
    kept = keep(((name, form.plain(value)) for name, value in items), AS_IT_IS)
    if isinstance(kept, Kept):
        return KeptByName(kept, form, may_repeat=may_repeat)
    return {name: form.make(plain) for name, plain in kept}


class KeptByName(Mapping[str, T]):
    """Values by their names, in the order in which they were kept.

    Whoever asks for them in that order finds each beside the last one. Others are found by `key_of` their names.
    """

    def __init__(self, items: Kept[tuple[str, Any]], form: Form[T], *, may_repeat: bool = False) -> None:
        self._items = items
        self._make = form.make
        self._is_unique = not (may_repeat and Keys.of(self).repeated())
        self._in_order = self._is_unique
        self._lock = Lock()
        self._found: tuple[str, Any] | None = None
        """What was asked for last and is there."""
        self._next, self._ahead = 0, iter(items)
        """What is asked for next while the order is kept: its place, and all from there on."""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items)

    def __contains__(self, name: object) -> bool:
        return self._find(str(name)) is not None

    def __getitem__(self, name: str) -> T:
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        return self._make(found[1])

    def _find(self, name: str) -> tuple[str, Any] | None:
        """Return a name with its value as it is kept; None for one that is not there."""
        with self._lock:
            if self._found is None or self._found[0] != name:
                self._found = self._look_for(name)
            return self._found

    def _look_for(self, name: str) -> tuple[str, Any] | None:
        if self._in_order:
            item = next(self._ahead, None)
            if item is None or item[0] != name:  # perhaps from the beginning again
                self._next, self._ahead = 0, iter(self._items)
                item = next(self._ahead, None)
            if item is not None and item[0] == name:
                self._next += 1
                return item
        self._in_order = False
        for place in self._index.of(name):
            item = self._items[place]
            if item[0] == name:
                self._in_order, self._next = self._is_unique and place == self._next, place + 1
                if self._in_order:
                    self._ahead = self._items.since(self._next)
                return item
        return None

    @cached_property
    def _index(self) -> Index:
        return Index(self)
