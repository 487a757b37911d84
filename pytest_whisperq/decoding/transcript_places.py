"""Where in a large file of transcripts the lines of each clip begin, so that a few are found without reading it.

``places/KEY.jsonl`` lies beside ``transcripts/KEY.jsonl``. It is a shortcut that nobody has to trust: it holds
for a file that ends, up to where it was read, with the same digest, and what it leads to is checked like any line.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_whisperq.system.cache_layout import places_of
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.keys import Names, key_of
from pytest_whisperq.system.sealed import SEAL_BYTES, SealedFile, seal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST = 10_000
"""Lines from which on they are placed: fewer are read in a tenth of a second."""

_AT_ONCE = 2**14
"""Places in a line: what is written and read at once."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the line of each clip begins, by its key (`key_of`); ``end`` is up to where the file was read.

    ``seal`` is how the last line before it ends.
    """

    keys: array[int]
    starts: array[int]
    end: int
    seal: str

    def of(self, clips: Names) -> NDArray[np.uint64]:
        """Return where lines begin that may be of one of the clips, in their order."""
        import numpy as np

        wanted, keys, starts = (np.frombuffer(one, np.uint64) for one in (clips.keys, self.keys, self.starts))
        if not len(wanted):
            return wanted
        nearest = wanted[np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)]
        return np.sort(starts[nearest == keys])

    def hold(self, file: BinaryIO) -> bool:
        """Whether a file of transcripts is the one that was read, and may have grown since."""
        file.seek(max(0, self.end - SEAL_BYTES - 1))
        return file.read(SEAL_BYTES + 1) == f"{self.seal}\n".encode()


class Placing:
    """Notes where lines begin, while a file is read; those after the ``known`` ones."""

    def __init__(self, known: Places | None = None) -> None:
        self._keys = array("Q", known.keys if known else ())
        self._starts = array("Q", known.starts if known else ())
        self.count = 0

    def add(self, clip: str, start: int) -> None:
        """Note the line of a clip."""
        self._keys.append(key_of(clip))
        self._starts.append(start)
        self.count += 1

    def write(self, transcripts: Path, lines: SealedFile) -> None:
        """Keep what was noted of a file whose ``lines`` were read; where that cannot be kept, it is read again."""
        path = places_of(transcripts)
        with suppress(StoreError):
            replace_text(path, (seal(row, path.name) for row in self._rows(lines)))

    def _rows(self, lines: SealedFile) -> Iterator[dict[str, Any]]:
        yield {
            "order": sys.byteorder,
            "count": len(self._keys),
            "end": lines.end,
            "seal": lines.seal.decode(),
        }
        for first in range(0, len(self._keys), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            columns = {"keys": self._keys[some], "starts": self._starts[some]}
            yield {name: b64encode(one.tobytes()).decode() for name, one in columns.items()}


def places(transcripts: Path) -> Places | None:
    """Return what is noted of a file of transcripts; None for nothing that can be used here."""
    with suppress(StoreError):
        rows = iter(SealedFile(places_of(transcripts)))
        head = next(rows, {})
        if head.get("order") != sys.byteorder or "count" not in head:
            return None
        keys, starts = array("Q"), array("Q")
        for row in rows:
            keys.frombytes(b64decode(row["keys"]))
            starts.frombytes(b64decode(row["starts"]))
        if len(keys) == len(starts) == head["count"]:
            return Places(keys, starts, head["end"], head["seal"])
    return None
