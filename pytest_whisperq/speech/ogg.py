"""The pages of an Ogg file: libogg leaves out one that is damaged, and cannot miss those that are cut off.

Source: RFC 3533 (pages, their numbers, and the flag of the last one).
"""

import os
import struct
import zlib
from dataclasses import dataclass
from typing import IO

_HEAD = struct.Struct("<4sBBqIIIB")
_BEGINS, _ENDS = 2, 4
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What the pages of a file tell.

    ``is_cut``: the last page is not all there. ``is_ended``: one says that it is the last. ``is_chained``: another
    recording follows the first. ``is_torn``: pages are missing, or bytes between them are of none.
    """

    is_cut: bool
    is_ended: bool
    is_chained: bool
    is_torn: bool


def pages(file: IO[bytes]) -> Pages | None:
    """Return what the pages of an Ogg file tell; None for anything else. The file is left where it was."""
    begin = file.tell()
    try:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        return _walk(file, end) if file.read(4) == b"OggS" else None
    finally:
        file.seek(begin)


def has_damaged_page(file: IO[bytes]) -> bool:
    """Whether the checksum of any page is not that of its bytes."""
    begin = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(begin)
    at = 0
    while (size := _size(data[at : at + _HEAD.size + 255])) is not None:
        page = bytearray(data[at : at + size])
        told = page[22:26]
        page[22:26] = bytes(4)
        if _checksum(page) != int.from_bytes(told, "little"):
            return True
        at += size
    return False


def _walk(file: IO[bytes], end: int) -> Pages:
    at, last = 0, dict[int, int]()
    is_cut = is_ended = is_chained = is_torn = False
    while at < end:
        file.seek(at)
        head = file.read(_HEAD.size + 255)
        size = _size(head)
        if size is None:
            is_cut = end - at < _HEAD.size + 255 and head[:4] == b"OggS"[: len(head)]
            is_torn = not (is_cut or is_ended)  # behind the end lies what is no sound, such as a tag
            break
        _, _, flags, _, serial, number, _, _ = _HEAD.unpack_from(head)
        is_chained |= is_ended and bool(flags & _BEGINS)
        is_ended |= bool(flags & _ENDS)
        is_torn |= serial in last and number != last[serial] + 1
        last[serial] = number
        at += size
    return Pages(is_cut=is_cut or at > end, is_ended=is_ended, is_chained=is_chained, is_torn=is_torn)


def _size(head: bytes) -> int | None:
    """Return the bytes of the page that begins here; None where none does."""
    if len(head) < _HEAD.size or head[:4] != b"OggS":
        return None
    lacing = head[_HEAD.size : _HEAD.size + head[26]]
    return _HEAD.size + len(lacing) + sum(lacing) if len(lacing) == head[26] else None


def _checksum(page: bytes | bytearray) -> int:
    """Return the CRC-32 of a page: zlib's, with all bits mirrored, from 0 on, and not inverted."""
    crc = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)
