"""What a WAV file says of its own length, and what it holds: libsndfile reads a file that was cut without a word.

Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft, 1991) for RIFF; EBU Tech 3306 for
RF64, whose sizes of 64 bits are in a chunk of their own.
"""

import os
import struct
from dataclasses import dataclass
from typing import IO

_UNKNOWN = (0, 0x7FFFF000, *range(0xFFFFFF00, 0x100000000))
"""Sizes of what writes to a pipe and cannot go back: FFmpeg and GStreamer, a recorder that crashed, SoX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundData:
    """The bytes of sound in a WAV file: how many its header ``promises`` (None: it does not say) and how many it holds.

    ``rate`` is bytes a second, ``size_at`` where in the file the size stands, ``start`` where the sound begins.
    """

    promises: int | None
    holds: int
    rate: int
    size_at: int
    start: int

    @property
    def is_cut(self) -> bool:
        """Whether it holds less than is promised."""
        return self.promises is not None and self.holds < self.promises


def sound_data(file: IO[bytes]) -> SoundData | None:
    """Return the sound of a WAV file; None for anything else. The file is left where it was."""
    begin = file.tell()
    try:
        end = file.seek(0, os.SEEK_END)
        return _find(file, end)
    finally:
        file.seek(begin)


def with_size(file: IO[bytes], found: SoundData) -> bytes:
    """Return the file with the number of bytes that it holds as the size of its sound."""
    file.seek(0)
    data = bytearray(file.read())
    data[found.size_at : found.size_at + 4] = struct.pack(_order(bytes(data[:4])) + "I", found.holds)
    return bytes(data)


def _order(magic: bytes) -> str:
    return ">" if magic == b"RIFX" else "<"


def _find(file: IO[bytes], end: int) -> SoundData | None:
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:] != b"WAVE":
        return None
    order, rate, large, at = _order(head[:4]), 0, None, 12
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        start = at + 8
        body = file.read(28) if name in (b"fmt ", b"ds64") else b""
        if name == b"fmt " and len(body) >= 12:
            rate = struct.unpack_from(f"{order}I", body, 8)[0]
        elif name == b"ds64" and len(body) >= 16:
            large = struct.unpack_from(f"{order}Q", body, 8)[0]
        elif name == b"data":
            told = large if head[:4] == b"RF64" and size == 0xFFFFFFFF and large is not None else size
            is_empty = told == 0 and _are_chunks(file, start, end, order)
            return SoundData(
                promises=None if told in _UNKNOWN and not is_empty else told,
                holds=0 if is_empty else end - start,
                rate=rate,
                size_at=at + 4,
                start=start,
            )
        at = start + size + size % 2
    return None


def _are_chunks(file: IO[bytes], at: int, end: int, order: str) -> bool:
    """Whether chunks, and no sound, follow up to the end of the file: a recording that is empty, but has its tags."""
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        if not all(32 <= letter < 127 for letter in name):
            return False
        at += 8 + size + size % 2
    return at in (end, end + 1)
