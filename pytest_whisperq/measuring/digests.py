"""Which recordings are the same: digests of many, which are on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from pytest_whisperq.system.keys import Keys
from pytest_whisperq.system.scratch import ScratchFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BYTES, _AT_ONCE = 32, 2**12
"""Of a digest, and how many are read at once."""


class Digests:
    """The SHA-256 of each of many recordings, numbered from 0, beyond a few on the disk.

    They are sorted by their first 64 bits. What is alike in these is compared as a whole before it is told. Raises
    `StoreError` where the folder for temporary files has no room.
    """

    def __init__(self) -> None:
        self._count = 0
        self._file = ScratchFile()

    def __len__(self) -> int:
        return self._count

    def add(self, digest: str) -> None:
        """Add a digest in hexadecimal."""
        self._file.add(bytes.fromhex(digest))
        self._count += 1

    def at(self, number: int) -> str:
        """Return a digest in hexadecimal."""
        return self._file.read(number * _BYTES, _BYTES).hex()

    def firsts(self) -> NDArray[np.uint32]:
        """Return the number of the first recording that is the same as each one, its own where it is the first."""
        import numpy as np

        firsts = np.arange(len(self), dtype=np.uint32)
        for records in Keys(chain.from_iterable(keys.tolist() for keys in self._keys())).in_order():
            keys, numbers = records["key"], records["place"]
            is_repeated = keys[1:] == keys[:-1]
            known: dict[str, int] = {}
            for place in np.flatnonzero(is_repeated):
                if not place or not is_repeated[place - 1]:
                    known = {self.at(int(numbers[place])): int(numbers[place])}
                number = int(numbers[place + 1])
                firsts[number] = known.setdefault(self.at(number), number)
        return firsts

    def shared(self, others: Digests) -> Iterator[tuple[int, int]]:
        """Yield the number of each that is among ``others``, too, and the last number that it has there.

        Of these, which may be fewer, sixteen bytes each are held meanwhile.
        """
        import numpy as np

        wanted = np.concatenate([np.zeros(0, np.uint64), *others._keys()])
        order = np.argsort(wanted, kind="stable")
        wanted = wanted[order]
        for block, keys in enumerate(self._keys()):
            begin, end = (wanted.searchsorted(keys, side) for side in ("left", "right"))
            for place in np.flatnonzero(end > begin):
                number = block * _AT_ONCE + int(place)
                digest = self.at(number)
                for other in order[begin[place] : end[place]][::-1]:
                    if others.at(int(other)) == digest:
                        yield number, int(other)
                        break

    def _keys(self) -> Iterator[NDArray[np.uint64]]:
        """Yield the first 64 bits of each, in their order, many at a time."""
        import numpy as np

        for start in range(0, len(self), _AT_ONCE):
            some = self._file.read(start * _BYTES, _AT_ONCE * _BYTES)
            yield np.frombuffer(some, np.uint64)[:: _BYTES // 8]
