"""Numbers that stand for names, 8 bytes each: those of a million names are held where the names are not."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BYTES = 8


def as_bytes(name: str) -> bytes:
    """Return any text, that of file names too, as bytes that sort like it."""
    return name.encode("utf-8", "surrogatepass")


def key_of(name: str) -> int:
    """Return the number that stands for a name, on any machine; another name has the same one once in 10¹⁹ pairs."""
    return int.from_bytes(hashlib.blake2b(as_bytes(name), digest_size=_BYTES).digest(), "little")


def keys_of(names: Iterable[str]) -> NDArray[np.uint64]:
    """Return the keys of names, in their order."""
    import numpy as np

    return np.fromiter(map(key_of, names), np.uint64)


def repeated(keys: array[int] | NDArray[np.uint64]) -> frozenset[int]:
    """Return the keys that are there several times."""
    import numpy as np

    ordered = np.sort(np.frombuffer(keys, np.uint64))
    return frozenset(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


class Index:
    """Where names stand in a sequence. What is found by a key has to be looked at: it may be another name's."""

    def __init__(self, names: Iterable[str]) -> None:
        import numpy as np

        keys = keys_of(names)
        order = np.argsort(keys, kind="stable")
        self._keys, self._places = array("Q", keys[order].tobytes()), array("I", order.astype(np.uint32).tobytes())

    def of(self, name: str) -> Iterator[int]:
        """Yield where the name may stand, the last place first."""
        key = key_of(name)
        place = bisect_right(self._keys, key)
        while place and self._keys[place - 1] == key:
            place -= 1
            yield self._places[place]


class Names(Container[str]):
    """Many names, by their keys: it can be told whether one is among them, but not what they are."""

    def __init__(self, names: Iterable[str]) -> None:
        import numpy as np

        self.keys = array("Q", np.unique(keys_of(names)).tobytes())

    def __contains__(self, name: object) -> bool:
        key = key_of(str(name))
        place = bisect_left(self.keys, key)
        return place < len(self.keys) and self.keys[place] == key
