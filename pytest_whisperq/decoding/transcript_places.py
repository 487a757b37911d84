"""Where in a large file of transcripts the lines of each clip begin, so that a few are found without reading it.

``places/KEY.jsonl`` lies beside ``transcripts/KEY.jsonl``. It is a shortcut that nobody has to trust: it holds
for a file that ends, up to where it was read, with the same digest, and what it leads to is checked like any line.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from pytest_whisperq.system.cache_layout import places_of
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.keys import KEY_BYTES, Names, key_of
from pytest_whisperq.system.on_disk import Form, Kept
from pytest_whisperq.system.scratch import ScratchFile
from pytest_whisperq.system.sealed import SEAL_BYTES, SealedFile, seal

LEAST = 10_000
"""Lines from which on they are placed: fewer are read in a tenth of a second."""

_AT_ONCE = 2**14
"""Places in a line: what is written and read at once."""

_COLUMNS: Form[tuple[bytes, bytes]] = Form(plain=tuple, make=tuple, size=lambda columns: len(columns[0]))


@dataclass(frozen=True, slots=True)
class Places:
    """Where the line of each clip begins, by its key (`key_of`): keys and starts, many at a time.

    There are ``count``. ``end`` is up to where the file was read, and ``seal`` is how the last line before it ends.
    """

    columns: Sequence[tuple[bytes, bytes]]
    count: int
    end: int
    seal: str

    def of(self, clips: Names) -> Iterator[int]:
        """Yield where lines begin that may be of one of the clips, in their order."""
        import numpy as np

        for columns in self.columns:
            keys, starts = (np.frombuffer(one, np.uint64) for one in columns)
            yield from starts[clips.have(keys)].tolist()

    def hold(self, file: BinaryIO) -> bool:
        """Whether a file of transcripts is the one that was read, and may have grown since."""
        file.seek(max(0, self.end - SEAL_BYTES - 1))
        return file.read(SEAL_BYTES + 1) == f"{self.seal}\n".encode()


class Placing:
    """Notes where lines begin, while a file is read; those after the ``known`` ones."""

    def __init__(self, known: Places | None = None) -> None:
        self._known = known
        self._keys, self._starts = array("Q"), array("Q")
        self._file = ScratchFile()
        """Columns of as many as fill them."""
        self.count = 0

    def add(self, clip: str, start: int) -> None:
        """Note the line of a clip."""
        self._keys.append(key_of(clip))
        self._starts.append(start)
        self.count += 1
        if len(self._keys) == _AT_ONCE:
            for column in (self._keys, self._starts):
                self._file.add(column.tobytes())
                del column[:]

    def write(self, transcripts: Path, lines: SealedFile) -> None:
        """Keep what was noted of a file whose ``lines`` were read; where that cannot be kept, it is read again."""
        path = places_of(transcripts)
        with suppress(StoreError):
            replace_text(path, (seal(row, path.name) for row in self._rows(lines)))

    def _rows(self, lines: SealedFile) -> Iterator[dict[str, Any]]:
        count = self.count + (self._known.count if self._known else 0)
        yield {"order": sys.byteorder, "count": count, "end": lines.end, "seal": lines.seal.decode()}
        for keys, starts in chain(self._known.columns if self._known else (), self._columns()):
            yield {"keys": b64encode(keys).decode(), "starts": b64encode(starts).decode()}

    def _columns(self) -> Iterator[tuple[bytes, bytes]]:
        size = _AT_ONCE * self._keys.itemsize
        for number in range(self.count // _AT_ONCE):
            yield self._file.read(2 * number * size, size), self._file.read((2 * number + 1) * size, size)
        if self._keys:
            yield self._keys.tobytes(), self._starts.tobytes()


def places(transcripts: Path) -> Places | None:
    """Return what is noted of a file of transcripts; None for nothing that can be used here."""
    with suppress(StoreError):
        rows = iter(SealedFile(places_of(transcripts)))
        head = next(rows, {})
        if head.get("order") != sys.byteorder or "count" not in head:
            return None
        columns = Kept(((b64decode(row["keys"]), b64decode(row["starts"])) for row in rows), _COLUMNS)
        sizes = [(len(keys), len(starts)) for keys, starts in columns]
        bytes_of_keys = sum(keys for keys, _ in sizes)
        if bytes_of_keys == KEY_BYTES * head["count"] and all(keys == starts for keys, starts in sizes):
            return Places(columns, head["count"], head["end"], head["seal"])
    return None
