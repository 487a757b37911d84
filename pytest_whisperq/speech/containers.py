"""How many bytes a file says it has: what was cut while it was copied has fewer.

Sources: Apple's AIFF 1.3 and Core Audio Format specifications, Sun's audio file format, Sony's Wave64, ISO/IEC 14496-12
(boxes of MP4), RFC 8794 and RFC 9559 (EBML and Matroska). `riff` has WAV, whose sound may be read though it is cut.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from pytest_whisperq.speech.riff import ENDLESS

_W64 = bytes.fromhex("726966662E91CF11A5D628DB04C10000")
_EBML, _SEGMENT = bytes.fromhex("1A45DFA3"), bytes.fromhex("18538067")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The bytes that a file ``promises`` (None: it does not say), and those that it ``holds``."""

    promises: int | None
    holds: int

    @property
    def is_cut(self) -> bool:
        """Whether bytes are missing."""
        return self.promises is not None and self.promises > self.holds


def promise(file: IO[bytes]) -> Promise | None:
    """Return what a file says of its size; None for a format that says nothing. The file is left where it was."""
    begin = file.tell()
    try:
        holds = file.seek(0, os.SEEK_END)
        head = _at(file, 0, 24)
        for magic, at, read in _FORMATS:
            if head[at : at + len(magic)] == magic:
                return Promise(promises=read(file, holds), holds=holds)
        return None
    except (struct.error, IndexError):  # cut within its header
        return Promise(promises=holds + 1, holds=holds)
    finally:
        file.seek(begin)


def _at(file: IO[bytes], at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _told(at: int, size: int, holds: int) -> int | None:
    """Return where ``size`` bytes from ``at`` end, unless the size says that it is not known."""
    is_unknown = size == 0 or (size >= ENDLESS and at + size > holds)
    return None if is_unknown else at + size


def _aiff(file: IO[bytes], holds: int) -> int | None:
    end = _told(8, struct.unpack(">I", _at(file, 4, 4))[0], holds)
    return holds if end == holds + 1 else end  # the byte that pads an odd size is not missed


def _au(file: IO[bytes], _: int) -> int | None:
    begin, size = struct.unpack(">II", _at(file, 4, 8))
    return None if size == 0xFFFFFFFF else begin + size


def _w64(file: IO[bytes], holds: int) -> int | None:
    return _told(0, struct.unpack("<Q", _at(file, 16, 8))[0], holds)


def _caf(file: IO[bytes], holds: int) -> int | None:
    at = 8
    while at < holds:
        (size,) = struct.unpack(">q", _at(file, at + 4, 8))
        if size < 0:  # the sound, up to the end of the file
            return None
        at += 12 + size
    return at


def _mp4(file: IO[bytes], holds: int) -> int | None:
    at = 0
    while at < holds:
        (size,) = struct.unpack(">I", _at(file, at, 4))
        if size == 0:  # up to the end of the file
            return None
        if size == 1:
            (size,) = struct.unpack(">Q", _at(file, at + 8, 8))
        if size < 8:  # no box: what lies behind the last one is not ours to judge
            return holds
        at += size
    return at


def _matroska(file: IO[bytes], _: int) -> int | None:
    size, at = _ebml_size(file, 4)
    at += size or 0
    if _at(file, at, 4) != _SEGMENT:
        raise IndexError
    size, begin = _ebml_size(file, at + 4)
    return begin + size if size else None


def _ebml_size(file: IO[bytes], at: int) -> tuple[int | None, int]:
    """Return a size of one to eight bytes (None: not known), and where it ends: as many bytes as leading zeros tell."""
    first = _at(file, at, 1)[0]
    count = 9 - first.bit_length()
    raw = int.from_bytes(_at(file, at, count), "big")
    mask = (1 << 7 * count) - 1
    return (None if raw & mask == mask else raw & mask), at + count


_FORMATS: tuple[tuple[bytes, int, Callable[[IO[bytes], int], int | None]], ...] = (
    (b"FORM", 0, _aiff),
    (b".snd", 0, _au),
    (_W64, 0, _w64),
    (b"caff", 0, _caf),
    (b"ftyp", 4, _mp4),
    (_EBML, 0, _matroska),
)
"""What a format begins with, where, and who reads its size."""
