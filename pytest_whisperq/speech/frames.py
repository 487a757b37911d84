"""Sound that is a row of frames, each with a header of its own: MP3 and AAC (ADTS). Decoders skip what is none.

Sources: ISO/IEC 11172-3 and 13818-3 (MPEG audio), ISO/IEC 14496-3 (ADTS), the Xing and VBRI headers as LAME and
Fraunhofer write them, ID3 2.4, APE 2.
"""

from collections.abc import Callable
from dataclasses import dataclass

_BITRATES = {  # kbit/s by (MPEG-1 or not, layer); 0 is the free format, of which no header tells the length
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_APE_FOOTER = 32
"""Bytes of the header and of the footer of an APE tag, which has one of them at least."""
_ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a header tells of its frame: its bytes, the samples in it, their rate, and which headers may follow."""

    size: int
    samples: int
    rate: int
    kind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The frames of a file: how many it ``promises`` (None: it does not say) and ``holds``, and what lies between.

    ``samples`` are those of the frames that it holds, ``per_frame`` those of the first one, ``rate`` how many of them
    make a second. ``stray`` counts bytes between frames that are neither frames nor tags, ``is_cut`` says that the last
    frame is not all there.
    """

    promises: int | None
    holds: int
    samples: int
    per_frame: int
    rate: int
    stray: int
    is_cut: bool


def frames(data: bytes) -> Frames | None:
    """Return the frames of an MP3 or an ADTS file; None where none begins, or its header does not tell its length."""
    at = _behind_tags(data, 0)
    while data[at : at + 1] == b"\0":  # padding
        at += 1
    for read in (_mpeg, _adts):
        if first := read(data, at):
            return _walk(data, at, first, read)
    return None


def _walk(data: bytes, at: int, first: Frame, read: Callable[[bytes, int], Frame | None]) -> Frames:
    promises = _promised(data, at, first) if read is _mpeg else None
    if promises is not None:  # the frame that says so holds no sound
        at += first.size
    holds = samples = stray = behind = 0
    is_cut = False
    end = len(data)
    while at < end:
        frame = read(data, at)
        if frame and frame.kind == first.kind:
            is_cut = at + frame.size > end
            if not is_cut:
                holds, samples, stray, behind = holds + 1, samples + frame.samples, stray + behind, 0
            at += frame.size
        elif (next_at := _behind_tags(data, at)) > at:
            at = next_at
        else:
            next_at = _next_frame(data, at, first, read)
            behind += next_at - at
            at = next_at
    return Frames(
        promises=promises,
        holds=holds,
        samples=samples,
        per_frame=first.samples,
        rate=first.rate,
        stray=stray,
        is_cut=is_cut,
    )


def _next_frame(data: bytes, at: int, first: Frame, read: Callable[[bytes, int], Frame | None]) -> int:
    """Return where the next frame begins that another one follows, or the end; two bytes may look like a header."""
    while (at := data.find(b"\xff", at + 1)) >= 0:
        frame = read(data, at)
        if frame and frame.kind == first.kind:
            following = read(data, at + frame.size)
            if following and following.kind == first.kind:
                return at
    return len(data)


def _behind_tags(data: bytes, at: int) -> int:
    """Return where the tags end that begin here: ID3 of both versions, APE, Lyrics3."""
    while True:
        head = data[at : at + 10]
        if head[:3] == b"ID3" and len(head) == 10:
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            at += 10 + size + (10 if head[5] & 0x10 else 0)
        elif head[:3] == b"TAG":
            at += 128
        elif head[:8] == b"APETAGEX":
            footer = _APE_FOOTER if data[at + 23 : at + 24] and data[at + 23] & 0x20 else 0
            at += max(_APE_FOOTER, footer + int.from_bytes(data[at + 12 : at + 16], "little"))
        elif head[:8] == b"LYRICSBE" and (end := data.find(b"LYRICS", at + 8)) >= 0:
            at = end + 9
        else:
            return min(at, len(data))


def _mpeg(data: bytes, at: int) -> Frame | None:
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    bits, hertz, pad = _BITRATES[version == 3, layer][bitrate] * 1000, _MPEG_RATES[version][rate], head[2] >> 1 & 1
    kind = (head[1] & 0xFE) << 2 | rate
    if layer == 1:
        return Frame(4 * (12 * bits // hertz + pad), 384, hertz, kind)
    samples = 576 if layer == 3 and version != 3 else 1152
    return Frame(samples // 8 * bits // hertz + pad, samples, hertz, kind)


def _adts(data: bytes, at: int) -> Frame | None:
    head = data[at : at + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    rate, size = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate >= len(_ADTS_RATES) or size < 7:
        return None
    return Frame(size, 1024 * ((head[6] & 3) + 1), _ADTS_RATES[rate], head[1] << 8 | head[2] & 0xFC)


def _promised(data: bytes, at: int, first: Frame) -> int | None:
    """Return the number of frames in a Xing, Info or VBRI header, which the first frame holds instead of sound."""
    body = data[at : at + first.size]
    if (found := body.find(b"VBRI", 0, 64)) >= 0:
        return int.from_bytes(body[found + 14 : found + 18], "big")
    for name in (b"Xing", b"Info"):
        if (found := body.find(name, 0, 64)) >= 0 and body[found + 7 : found + 8] and body[found + 7] & 1:
            return int.from_bytes(body[found + 8 : found + 12], "big")
    return None
