"""Where in a large file of transcripts the lines of each clip begin, so that a few are found without reading it.

``places/KEY.jsonl`` is one line beside ``transcripts/KEY.jsonl``. It is a shortcut that nobody has to trust: it holds
for a file that ends, up to where it was read, with the same digest, and what it leads to is checked like any line.
"""

import hashlib
import sys
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pytest_whisperq.system.cache_layout import places_of
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.sealed import SEAL_BYTES, SealedFile, read_sealed, seal

LEAST = 10_000
"""Lines from which on they are placed: fewer are read in a tenth of a second."""

_KEY_BYTES = 8


def key_of(clip: str) -> int:
    """Return what the lines of a clip are found by; another clip has the same one once in 10¹⁹ pairs."""
    return int.from_bytes(hashlib.blake2b(clip.encode(), digest_size=_KEY_BYTES).digest(), "little")


@dataclass(frozen=True, slots=True)
class Places:
    """Keys in their order, and where the line of each begins; ``end`` is up to where the file was read.

    ``seal`` is how the last line before it ends.
    """

    keys: "array[int]"
    starts: "array[int]"
    end: int
    seal: str

    def of(self, clip: str) -> Iterator[int]:
        """Yield where lines begin that may be the clip's."""
        key = key_of(clip)
        place = bisect_left(self.keys, key)
        while place < len(self.keys) and self.keys[place] == key:
            yield self.starts[place]
            place += 1

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
        order = sorted(range(len(self._keys)), key=self._keys.__getitem__)
        keys, starts = (array("Q", map(several.__getitem__, order)) for several in (self._keys, self._starts))
        row = {
            "order": sys.byteorder,
            "keys": b64encode(keys.tobytes()).decode(),
            "starts": b64encode(starts.tobytes()).decode(),
            "end": lines.end,
            "seal": lines.seal.decode(),
        }
        path = places_of(transcripts)
        with suppress(StoreError):
            replace_text(path, seal(row, path.name))


def places(transcripts: Path) -> Places | None:
    """Return what is noted of a file of transcripts; None for nothing that can be used here."""
    path = places_of(transcripts)
    with suppress(StoreError):
        for row in read_sealed(path).records:
            if row["order"] == sys.byteorder:
                keys, starts = (array("Q", b64decode(row[name])) for name in ("keys", "starts"))
                return Places(keys, starts, row["end"], row["seal"])
    return None
