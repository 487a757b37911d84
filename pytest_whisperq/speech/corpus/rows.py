"""One row of any manifest or table → one `Utterance`, with the same checks wherever the row came from."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from stat import S_ISLNK
from typing import Any

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus.types import NONSPEECH, Utterance
from pytest_whisperq.system.errors import CorpusError

AUDIO_KEYS = ("file_name", "audio_filepath", "audio", "path", "file")
"""Where a row names its recording: Hugging Face audiofolder, NeMo, datasets, and two that people write by hand."""

TEXT_KEYS = ("text", "transcription", "sentence", "transcript")
"""Where a row holds its reference."""

_RESERVED = {*AUDIO_KEYS, *TEXT_KEYS, "cluster", "duration", "offset"}


def pick(row: Mapping[str, Any], keys: tuple[str, ...], where: str, what: str) -> str:
    """Return the one key of ``keys`` the row has.

    Raises `CorpusError` for none, or several, and lists them.
    """
    matches = [key for key in keys if key in row]
    if len(matches) == 1 or (matches and keys is AUDIO_KEYS):
        return matches[0]
    problem = (
        f"has no {what}" if not matches else f"has several columns that could hold the {what} ({', '.join(matches)})"
    )
    raise CorpusError(problem, where=where, remedy=f"keep exactly one of: {', '.join(keys)}")


def utterance(row: Mapping[str, Any], *, where: str, root: Path) -> Utterance:
    """Build the utterance a row describes. ``root`` is the folder its paths may not leave.

    Raises `CorpusError` for a row without audio or text, or with values that cannot be meant.
    """
    audio = _audio(row[pick(row, AUDIO_KEYS, where, "audio file")], row, where, root)
    text = row[pick(row, TEXT_KEYS, where, "transcript")]
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise CorpusError(f"the transcript must be text (got {text!r}, a {type(text).__name__})", where=where)
    text = text.strip()
    named = {key: str(value).strip() for key, value in row.items() if key not in _RESERVED and value is not None}
    slices = {key: value for key, value in named.items() if value}
    kind = slices.get("kind", "")
    if not text and kind != NONSPEECH:
        raise CorpusError(
            f"empty transcript for {audio.label}",
            where=where,
            remedy=f"write what is said, or set kind={NONSPEECH} if nobody speaks",
        )
    if text and kind == NONSPEECH:
        raise CorpusError(
            f"kind={NONSPEECH} but the transcript is {text!r}", where=where, remedy="clear one of the two"
        )
    cluster = "" if row.get("cluster") is None else str(row["cluster"]).strip()  # 0 is a name like any other
    if not cluster and row.get("offset") not in (None, ""):
        cluster = audio.label  # segments of one recording are not independent
    return Utterance(
        id=audio.label if not audio.offset else f"{audio.label}@{audio.offset:.12g}",  # to the millisecond, in hours
        where=where,
        audio=audio,
        reference=text,
        language=_language(row.get("language"), where),
        kind=kind,
        cluster=cluster,
        slices=tuple(sorted(slices.items())),
    )


def _language(value: Any, where: str) -> str | None:
    """Return a language code as Whisper's tokens spell it (``en-US`` → ``en``); nothing means detect."""
    if value is None or not str(value).strip():
        return None
    code = re.split("[-_]", str(value).strip().lower())[0]
    if not re.fullmatch("[a-z]{2,3}", code):
        raise CorpusError(f"language must be a code such as en or fr (got {value!r})", where=where)
    return code


def _audio(value: Any, row: Mapping[str, Any], where: str, root: Path) -> AudioSource:
    offset = _seconds(row, "offset", where) or 0.0
    # NeMo's duration only cuts when there is an offset; by itself it describes the file.
    seconds = _seconds(row, "duration", where) if "offset" in row and row["offset"] not in (None, "") else None
    if isinstance(value, Mapping):
        label = str(value.get("path") or where)
        if data := value.get("bytes"):
            if not isinstance(data, bytes | bytearray | memoryview):
                raise CorpusError(
                    f"audio bytes must be bytes (got a {type(data).__name__})",
                    where=where,
                    remedy="name a file instead",
                )
            return AudioSource(label=label, data=bytes(data), offset=offset, seconds=seconds)
        if value.get("array") is not None:
            return AudioSource(label=label, data=_wav(value, where), offset=offset, seconds=seconds)
        if value.get("bytes") is not None:
            raise CorpusError(
                f"the audio bytes of {label} are empty", where=where, remedy="fill them or remove the row"
            )
        value = value.get("path")
    if not isinstance(value, str) or not value.strip():
        raise CorpusError(f"names no audio file (got {value!r})", where=where, remedy="name one, or remove the row")
    path = _inside(value.strip(), where, root)
    return AudioSource(label=path.relative_to(root).as_posix(), path=path, offset=offset, seconds=seconds)


def _inside(name: str, where: str, root: Path) -> Path:
    try:
        path = _resolved(root / name)
        exists = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, not encodable, a loop of links
        raise CorpusError(
            f"{name[:80]!r} cannot be a file name ({error})", where=where, remedy="correct the path"
        ) from error
    if not path.is_relative_to(root):
        raise CorpusError(
            f"{name!r} lies outside the corpus folder {root}", where=where, remedy="copy the recording into it"
        )
    if not exists:
        raise CorpusError(
            f"the audio file {name!r} does not exist in {root}", where=where, remedy="correct the path or add the file"
        )
    return path


def _resolved(path: Path) -> Path:
    """Return what ``Path.resolve`` does, but look at a folder once, not once for each of a million recordings in it."""
    whole = resolved_folder(path.parent) / path.name
    try:
        is_link = S_ISLNK(whole.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_link = False
    return path.resolve() if path.name == ".." or is_link else whole


@lru_cache(maxsize=64)
def resolved_folder(path: Path) -> Path:
    """Return a folder without links; whoever reads a corpus clears this first."""
    return path.resolve()


def _seconds(row: Mapping[str, Any], key: str, where: str) -> float | None:
    value = row.get(key)
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise CorpusError(f"{key} must be a number of seconds (got {value!r})", where=where) from None
    if not math.isfinite(seconds) or seconds < 0:
        raise CorpusError(f"{key} must be a number of seconds, 0 or more (got {value!r})", where=where)
    return seconds


def _wav(value: Mapping[str, Any], where: str) -> bytes:
    """Encode a decoded array (datasets keeps those too) so that every clip takes the same road afterwards."""
    import io

    import numpy as np
    import soundfile

    if not value.get("sampling_rate"):
        raise CorpusError("an audio array needs its sampling_rate beside it", where=where)
    file = io.BytesIO()
    try:
        samples, rate = np.asarray(value["array"], np.float32), int(value["sampling_rate"])
        soundfile.write(file, samples, rate, "FLOAT", format="WAV")
    except (TypeError, ValueError, OverflowError, soundfile.LibsndfileError) as error:
        raise CorpusError(
            f"the audio array cannot be used ({error})", where=where, remedy="name a file instead"
        ) from error
    return file.getvalue()
