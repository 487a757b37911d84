"""The pages of an Ogg file: libogg leaves out one that is damaged, and cannot miss those that are cut off.

Source: RFC 3533 (pages, their numbers, and the flag of the last one).
"""

import os
import struct
from dataclasses import dataclass
from typing import IO

_HEAD = struct.Struct("<4sBBqIIIB")
_BEGINS, _ENDS = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What the pages of a file tell.

    ``is_cut``: the last page is not all there. ``is_ended``: one says that it is the last. ``is_chained``: another
    recording follows the first. ``is_torn``: pages are missing, or bytes between them are none.
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
    file.seek(0)
    data = file.read()
    at = 0
    while (size := _size(data[at : at + _HEAD.size + 255])) is not None:
        page = bytearray(data[at : at + size])
        told = page[22:26]
        page[22:26] = bytes(4)
        if _checksum(page) != int.from_bytes(told, "little"):
            return True
        at += size
    return at < len(data)


def _walk(file: IO[bytes], end: int) -> Pages:
    at, last = 0, dict[int, int]()
    is_cut = is_ended = is_chained = is_torn = False
    while at < end:
        file.seek(at)
        head = file.read(_HEAD.size + 255)
        size = _size(head)
        if size is None:
            is_cut = end - at < _HEAD.size + 255 and head[:4] == b"OggS"[: len(head)]
            is_torn = not is_cut
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


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        row = byte << 24
        for _ in range(8):
            row = row << 1 ^ (0x04C11DB7 if row & 0x80000000 else 0)
        rows.append(row & 0xFFFFFFFF)
    return tuple(rows)


_TABLE = _table()


def _checksum(page: bytes | bytearray) -> int:
    """Return the CRC-32 of a page, with the polynomial of Ethernet, but the bits not mirrored as in zlib's."""
    crc = 0
    for byte in page:
        crc = crc << 8 & 0xFFFFFF00 ^ _TABLE[crc >> 24 ^ byte]
    return crc
