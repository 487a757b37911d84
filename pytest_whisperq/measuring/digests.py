"""Which recordings are the same: digests of many, of which eight bytes each are held."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_whisperq.system.scratch import errors_of_room

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BYTES, _KEY = 32, 8


class Digests:
    """The SHA-256 of each of many recordings, numbered from 0, in a file without a name.

    Their first 64 bits are held. What is alike in these is compared as a whole before it is told. Raises `StoreError`
    where the folder for temporary files has no room.
    """

    def __init__(self) -> None:
        self._keys = array("Q")
        with errors_of_room():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has the digests any longer

    def add(self, digest: str) -> None:
        """Add a digest in hexadecimal."""
        whole = bytes.fromhex(digest)
        self._keys.append(int.from_bytes(whole[:_KEY], "little"))
        with errors_of_room():
            self._file.seek(0, os.SEEK_END)
            self._file.write(whole)

    def at(self, number: int) -> str:
        """Return a digest in hexadecimal."""
        with errors_of_room():
            self._file.seek(number * _BYTES)
            return self._file.read(_BYTES).hex()

    def firsts(self) -> NDArray[np.uint32]:
        """Return the number of the first recording that is the same as each one, its own where it is the first."""
        import numpy as np

        keys = np.array(self._keys)
        firsts = np.arange(len(keys), dtype=np.uint32)
        order = np.argsort(keys, kind="stable").astype(np.uint32)
        keys = keys[order]
        is_repeated = keys[1:] == keys[:-1]
        known: dict[str, int] = {}
        for place in np.flatnonzero(is_repeated):
            if not place or not is_repeated[place - 1]:
                known = {self.at(int(order[place])): int(order[place])}
            number = int(order[place + 1])
            firsts[number] = known.setdefault(self.at(number), number)
        return firsts

    def shared(self, others: Digests) -> Iterator[tuple[int, int]]:
        """Yield the number of each that is among ``others``, too, and the last number that it has there."""
        import numpy as np

        keys, wanted = np.array(others._keys), np.array(self._keys)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        begin, end = (np.searchsorted(keys, wanted, side).astype(np.uint32) for side in ("left", "right"))
        del wanted, keys
        for number in np.flatnonzero(end > begin):
            digest = self.at(int(number))
            for other in order[begin[number] : end[number]][::-1]:
                if others.at(int(other)) == digest:
                    yield int(number), int(other)
                    break
