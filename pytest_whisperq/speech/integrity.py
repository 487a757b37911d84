"""Whether a recording is whole: what its container promises against what the file holds.

Decoders read a file that was cut, or that has other bytes in its middle, without a word. What is certain is refused;
what may be meant so is a `Note`.
"""

import io
from typing import IO, NamedTuple

from pytest_whisperq.speech import containers, frames, ogg, riff
from pytest_whisperq.system.errors import CorpusError

AUDIBLE = 0.1
"""Seconds of sound that are less than a word: encoders round to whole frames, and clocks of recorders jitter."""

_COPY = "copy it again, or remove its line"
_SPLIT = "split it, or re-encode it"


class Note(NamedTuple):
    """What may be wrong with a recording though it can be used, and figures of it in ``detail``."""

    what: str
    detail: str = ""


UNTOLD = Note("the file does not say how long it is, and is read for what is there")
"""As of what writes to a pipe, or of a recorder that crashed."""


def complete(file: IO[bytes], label: str) -> tuple[IO[bytes], list[Note]]:
    """Return a file to decode: this one, or a WAV that says how long it is where this one does not.

    Raises `CorpusError` for a file that has fewer bytes than it says.
    """
    if sound := riff.sound_data(file):
        return _complete_wav(file, sound, label)
    size = containers.promise(file)
    if size is None:
        return file, []
    if size.is_cut:
        raise CorpusError(
            f"is cut off: it holds {size.holds:,} bytes where its header promises "
            f"{f'{size.promises:,}' if size.promises else 'more'}",
            where=label,
            remedy=_COPY,
        )
    return file, [UNTOLD] if size.promises is None else []


def _complete_wav(file: IO[bytes], sound: riff.SoundData, label: str) -> tuple[IO[bytes], list[Note]]:
    if sound.is_cut:
        seconds = [
            f"{size / sound.rate:.2f} s" if sound.rate else "sound" for size in (sound.holds, sound.promises or 0)
        ]
        raise CorpusError(
            f"is cut off: it holds {seconds[0]} ({sound.holds:,} bytes) where its header promises "
            f"{seconds[1]} ({sound.promises:,} bytes)",
            where=label,
            remedy=_COPY,
        )
    if sound.promises is not None:
        seconds_behind = sound.behind / sound.rate if sound.rate else 0.0
        if seconds_behind <= AUDIBLE:
            return file, []
        return file, [Note("what lies behind the length in the header is not heard", f"{seconds_behind:.2f} s")]
    try:
        return io.BytesIO(riff.with_size(file, sound)), [UNTOLD]
    except ValueError as error:
        raise CorpusError(
            str(error), where=label, remedy="split it, or write it to a file instead of a pipe"
        ) from error


def check_frames(file: IO[bytes], label: str) -> tuple[frames.Frames | None, list[Note]]:
    """Return the frames of an MP3 or an AAC file.

    Raises `CorpusError` where there are fewer, or more, than its header promises. One tells nothing: a header that
    counts itself.
    """
    begin = file.tell()
    file.seek(0)
    held = frames.frames(file.read())
    file.seek(begin)
    if held is None:
        return None, []
    notes = []
    if held.promises is None:
        if held.is_cut:
            notes.append(Note("the file ends in the middle of a frame: is it cut off?"))
        if held.stray:
            notes.append(Note("bytes between the frames are no sound: is it damaged?", f"{held.stray:,} bytes"))
        return held, notes
    lacking = held.promises - held.holds
    second = held.per_frame / held.rate
    lengths = f"it holds {held.holds * second:.2f} s where its header promises {held.promises * second:.2f} s"
    if lacking > 1 or (lacking == 1 and held.is_cut):
        kind = "damaged" if held.stray else "cut off"
        raise CorpusError(f"is {kind}: {lengths}", where=label, remedy=_COPY)
    if lacking < -1:
        raise CorpusError(
            f"holds more than one recording: {lengths}, and nothing behind that would be heard",
            where=label,
            remedy=_SPLIT,
        )
    return held, notes


def check_pages(file: IO[bytes], label: str) -> list[Note]:
    """Raise `CorpusError` for an Ogg file with a page that is cut, damaged or missing, or with a second recording."""
    held = ogg.pages(file)
    if held is None:
        return []
    if held.is_chained:
        raise CorpusError(
            "holds more than one recording, of which only the first would be heard",
            where=label,
            remedy=_SPLIT,
        )
    if held.is_cut:
        raise CorpusError("is cut off in the middle of a page", where=label, remedy=_COPY)
    if held.is_torn or ogg.has_damaged_page(file):
        raise CorpusError("is damaged: pages are missing, or are not what was written", where=label, remedy=_COPY)
    return [] if held.is_ended else [UNTOLD]


def missing(file: IO[bytes], label: str, there: float, promised: float) -> list[Note]:
    """Say what it means that less sound was decoded than its container promises, in seconds.

    A recorder of calls leaves out pauses, and its clock goes on: the pages of an Ogg file tell, being all there. Raises
    `CorpusError` for anything else.
    """
    held = ogg.pages(file)
    if held and not held.is_torn and not ogg.has_damaged_page(file):
        return left_out(promised - there)
    raise CorpusError(
        f"is damaged: {there:.2f} s can be decoded of the {promised:.2f} s that it promises", where=label, remedy=_COPY
    )


def left_out(seconds: float) -> list[Note]:
    """Return what to say of a recording whose clock goes on for so many seconds in which there is no sound."""
    if seconds <= AUDIBLE:
        return []
    return [Note("sound is left out in the middle: a pause that was not recorded, or damage", f"{seconds:.2f} s")]
