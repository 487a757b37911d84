"""What a WAV file says of its own length, and what it holds: libsndfile reads a file that was cut without a word.

Sources: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft, 1991) for RIFF; EBU Tech 3306 and
ITU-R BS.2088 for RF64 and BW64, whose sizes of 64 bits are in a chunk of their own.
"""

import os
import struct
from dataclasses import dataclass
from typing import IO

_LARGE = (b"RF64", b"BW64")
_MAGIC = (b"RIFF", b"RIFX", *_LARGE)
ENDLESS = 0x7FFE0000
"""From here on a size that the file does not hold says that it is not known: what writes to a pipe cannot go back.

FFmpeg and GStreamer leave 0xFFFFFFFF, SoX 0x7FFFF000 less a part of a frame, arecord 0x7FFFFF00; a recorder that
crashed leaves 0. A recording of two gigabytes is 18 hours of speech.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundData:
    """The bytes of sound in a WAV file: how many its header ``promises`` (None: it does not say) and how many it holds.

    ``rate`` is bytes a second, ``frame`` bytes a sample of all channels (or a block of them), ``size_at`` where in the
    file the size stands. ``behind`` counts bytes after the promised ones that are neither chunks nor zeros.
    """

    promises: int | None
    holds: int
    rate: int
    frame: int
    size_at: int
    behind: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether it holds fewer samples than are promised; a byte that pads an odd size is none."""
        if self.promises is None:
            return False
        pad = 1 if self.frame == 1 else 0
        return (self.holds + pad) // self.frame < self.promises // self.frame


def sound_data(file: IO[bytes]) -> SoundData | None:
    """Return the sound of a WAV file; None for anything else. The file is left where it was."""
    begin = file.tell()
    try:
        return _find(file, file.seek(0, os.SEEK_END))
    finally:
        file.seek(begin)


def with_size(file: IO[bytes], sound: SoundData) -> bytes:
    """Return the file as RIFF, with the number of bytes that it holds as the size of its sound.

    Raises `ValueError` for 4 GiB and more, of which no RIFF can tell.
    """
    if sound.holds >= 2**32:
        raise ValueError("a WAV of 4 GiB or more has to say how long it is")
    file.seek(0)
    data = bytearray(file.read())
    if data[:4] in _LARGE:
        data[:4] = b"RIFF"
    data[sound.size_at : sound.size_at + 4] = struct.pack(_order(bytes(data[:4])) + "I", sound.holds)
    return bytes(data)


def _order(magic: bytes) -> str:
    return ">" if magic == b"RIFX" else "<"


def _find(file: IO[bytes], end: int) -> SoundData | None:
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in _MAGIC or head[8:] != b"WAVE":
        return None
    order, rate, frame, large, at = _order(head[:4]), 0, 1, None, 12
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        body = file.read(16) if name in (b"fmt ", b"ds64") else b""
        if name == b"fmt " and len(body) >= 14:
            rate, frame = struct.unpack_from(f"{order}IH", body, 8)
        elif name == b"ds64" and len(body) == 16:
            large = struct.unpack_from(f"{order}Q", body, 8)[0]
        elif name == b"data":
            told = large if head[:4] in _LARGE and large is not None else size
            is_empty = told == 0 and _are_chunks(file, at + 8, end, order)
            holds = 0 if is_empty else end - at - 8
            is_unknown = not is_empty and (told == 0 or (told >= ENDLESS and told > holds))
            behind = 0 if is_unknown else _behind(file, at + 8 + told + told % 2, end, order)
            return SoundData(
                promises=None if is_unknown else told,
                holds=holds,
                rate=rate,
                frame=max(1, frame),
                size_at=at + 4,
                behind=behind,
            )
        at += 8 + size + size % 2
    return None


def _behind(file: IO[bytes], at: int, end: int, order: str) -> int:
    """Return how many bytes follow the sound that are neither chunks nor padding."""
    if at >= end or _are_chunks(file, at, end, order):
        return 0
    file.seek(at)
    return end - at if file.read(end - at).strip(b"\0") else 0


def _are_chunks(file: IO[bytes], at: int, end: int, order: str) -> bool:
    """Whether chunks, and neither sound nor another file, follow up to the end: the tags of a recording."""
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        if name in _MAGIC or not all(32 <= letter < 127 for letter in name):
            return False
        at += 8 + size + size % 2
    return at in (end, end + 1)
