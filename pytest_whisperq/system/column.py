"""Whole numbers by the million, one of each utterance: a million utterances have a dozen of such columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from pytest_whisperq.system.scratch import ScratchFile

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_AT_ONCE, _PAGE = 2**14, 2**10
"""Numbers that are written and read at once, and those that are read to find one."""


class Column(Sequence[int]):
    """Whole numbers as they come, on the disk where there are many. ``kind`` is the type code of their `array`.

    Raises OverflowError for a number that the type does not hold, `StoreError` where there is no room for them.

    >>> column = Column("i", [4, 5, 6])
    >>> column.append(7)
    >>> column[1], column[2:].tolist(), sum(column)
    (5, [6, 7], 22)
    """

    def __init__(self, kind: str, numbers: Iterable[int] = ()) -> None:
        self._kind = kind
        self._file = ScratchFile()
        self._filed, self._last = 0, array(kind)
        """How many are in the file, and those that came after them."""
        self._page = 0, array(kind)
        """Those that were read to find one, and the place of the first."""
        for number in numbers:
            self.append(number)

    def append(self, number: int) -> None:
        """Add one at the end."""
        self._last.append(number)
        if len(self._last) >= _AT_ONCE:
            self._file.add(self._last.tobytes())
            self._filed += len(self._last)
            self._last = array(self._kind)

    def __len__(self) -> int:
        return self._filed + len(self._last)

    def __iter__(self) -> Iterator[int]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._read(start, start + _AT_ONCE)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> array[int]: ...
    def __getitem__(self, place: int | slice) -> int | array[int]:
        where = range(len(self))[place]
        if isinstance(where, int):
            return self._at(where)
        if where.step == 1:
            return self._read(where.start, max(where.start, where.stop))
        return array(self._kind, map(self._at, where))

    def _at(self, place: int) -> int:
        start, page = self._page
        if not start <= place < start + len(page):
            start = place - place % _PAGE
            page = self._read(start, start + _PAGE)
            self._page = start, page
        return page[place - start]

    def _read(self, start: int, stop: int) -> array[int]:
        """Return those from a place to before another, or as many as there are."""
        numbers = array(self._kind)
        if start < self._filed:
            count = min(stop, self._filed) - start
            numbers.frombytes(self._file.read(start * numbers.itemsize, count * numbers.itemsize))
        return numbers + self._last[max(start - self._filed, 0) : max(stop - self._filed, 0)]

    def stretches(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield all in their order, many at a time, each time with the place of the first."""
        import numpy as np

        for start in range(0, len(self), _AT_ONCE):
            yield start, np.asarray(self._read(start, start + _AT_ONCE))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all, as numpy's functions ask for them."""
        import numpy as np

        if copy is False:
            raise ValueError("numbers on the disk are read, that is copied")
        numbers = np.empty(len(self), dtype or self._kind)
        for start, some in self.stretches():
            numbers[start : start + len(some)] = some
        return numbers
