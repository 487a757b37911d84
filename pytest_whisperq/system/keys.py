"""Numbers that stand for names, and names that are found by them: of a million, nothing is held but marks."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_whisperq.system.column import Column
from pytest_whisperq.system.scratch import ScratchFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEY_BYTES = 8

_AT_ONCE, _PAGE = 2**14, 2**8
"""Keys that are sorted at once, and records that are read to find one."""

_LAST = 2**10
"""Names among which one is noticed that is there again."""


def as_bytes(name: str) -> bytes:
    """Return any text, that of file names too, as bytes that sort like it."""
    return name.encode("utf-8", "surrogatepass")


def key_of(name: str) -> int:
    """Return the number that stands for a name, on any machine; another name has the same one once in 10¹⁹ pairs."""
    return int.from_bytes(hashlib.blake2b(as_bytes(name), digest_size=KEY_BYTES).digest(), "little")


@lru_cache(maxsize=1)
def _record() -> np.dtype[np.void]:
    """Return how numpy writes a key and where its name stands."""
    import numpy as np

    return np.dtype([("key", "u8"), ("place", "u4")])


class Keys:
    """Keys as they come, in a `Column`."""

    def __init__(self, keys: Iterable[int] = ()) -> None:
        self._column = Column("Q", keys)

    @classmethod
    def of(cls, names: Iterable[str]) -> Keys:
        """Return the keys of names."""
        return cls(map(key_of, names))

    def __len__(self) -> int:
        return len(self._column)

    def add(self, key: int) -> None:
        """Add one at the end."""
        self._column.append(key)

    def in_order(self) -> Iterator[NDArray[np.void]]:
        """Yield records of keys and their places, sorted by both, a part at a time. No key is in two parts.

        Keys of different names are spread evenly over all numbers: their first bits divide many of them into parts of
        about one size. All are read for each part. Of a million that is a third of a second, of ten million a minute.
        """
        import numpy as np

        bits = max(0, (len(self) - 1) // _AT_ONCE).bit_length()
        for part in range(2**bits):
            found = [np.zeros(0, _record())]
            for start, keys in self._column.stretches():
                places = np.flatnonzero(keys >> np.uint64(64 - bits) == part) if bits else np.arange(len(keys))
                found.append(np.empty(len(places), _record()))
                found[-1]["key"], found[-1]["place"] = keys[places], start + places
            records = np.concatenate(found)
            yield records[np.argsort(records["key"], kind="stable")]

    def repeated(self) -> frozenset[int]:
        """Return the keys that are there several times."""
        several = set[int]()
        for records in self.in_order():
            keys = records["key"]
            several.update(keys[1:][keys[1:] == keys[:-1]].tolist())
        return frozenset(several)


class _Sorted:
    """Records, sorted by key, on the disk where there are many; the key of one of each page is held."""

    def __init__(self, parts: Iterable[NDArray[np.void]]) -> None:
        self._file = ScratchFile()
        self._marks = array("Q")
        """The first key of each page."""
        self._count = 0
        for records in parts:
            self._marks.extend(records["key"][-self._count % _PAGE :: _PAGE].tolist())
            self._file.add(records.tobytes())
            self._count += len(records)

    def of(self, key: int) -> NDArray[np.void]:
        """Return the records of a key."""
        import numpy as np

        first, last = max(0, bisect_left(self._marks, key) - 1), bisect_right(self._marks, key)
        records = self._read(first * _PAGE, (last - first) * _PAGE)
        found: NDArray[np.void] = records[records["key"] == np.uint64(key)]
        return found

    def stretches(self) -> Iterator[NDArray[np.void]]:
        """Yield all of them, many at a time."""
        return (self._read(start, _AT_ONCE) for start in range(0, self._count, _AT_ONCE))

    def _read(self, start: int, count: int) -> NDArray[np.void]:
        import numpy as np

        record = _record()
        size = record.itemsize
        return np.frombuffer(self._file.read(start * size, count * size), record)


class Index:
    """Where names stand in a sequence. What is found by a key has to be looked at: it may be another name's."""

    def __init__(self, names: Iterable[str]) -> None:
        self._records = _Sorted(Keys.of(names).in_order())

    def of(self, name: str) -> Iterator[int]:
        """Yield where the name may stand, the last place first."""
        places: list[int] = self._records.of(key_of(name))["place"].tolist()
        return reversed(places)


class Names(Container[str]):
    """Many names, by their keys: it can be told whether one is among them, but not what they are."""

    def __init__(self, names: Iterable[str]) -> None:
        self._records = _Sorted(map(_each_once, Keys.of(_less_repeats(names)).in_order()))

    def __contains__(self, name: object) -> bool:
        return len(self._records.of(key_of(str(name)))) > 0

    def have(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return of each key whether a name has it, shape (n,)."""
        import numpy as np

        are_there, order = np.zeros(len(keys), np.bool_), np.argsort(keys)
        ordered = keys[order]
        for records in self._records.stretches():
            known = np.ascontiguousarray(records["key"])
            some = order[ordered.searchsorted(known[0]) : ordered.searchsorted(known[-1], "right")]
            are_there[some] = known[known.searchsorted(keys[some])] == keys[some]
        return are_there


def _less_repeats(names: Iterable[str]) -> Iterator[str]:
    """Yield names, less those that were among the last ones: equal keys are sorted together, however many there are."""
    last = set[str]()
    for name in names:
        if name not in last:
            if len(last) == _LAST:
                last.clear()
            last.add(name)
            yield name


def _each_once(records: NDArray[np.void]) -> NDArray[np.void]:
    import numpy as np

    return records[np.unique(records["key"], return_index=True)[1]]
