"""One row of any manifest or table → one `Utterance`, with the same checks wherever the row came from."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus.languages import language_code
from pytest_whisperq.speech.corpus.locations import locate
from pytest_whisperq.speech.corpus.types import AS_NAMED, NONSPEECH, Choices, Utterance
from pytest_whisperq.system.errors import CorpusError

AUDIO_KEYS = (
    *("file_name", "audio_filepath", "audio", "path", "file"),
    *("audio_file_name", "filename", "audio_path", "wav_filename", "wav"),
)
"""Where a row names its recording: Hugging Face audiofolder, NeMo, datasets, DeepSpeech, and what people write."""

TEXT_KEYS = ("text", "transcription", "sentence", "transcript")
"""Where a row holds its reference."""

OTHER_TEXT_KEYS = ("normalized_text", "raw_text", "raw_transcription")
"""Where it does if it has none of `TEXT_KEYS`, the first of these: VoxPopuli leaves raw texts empty."""

LANGUAGE_KEYS = ("language", "lang", "locale", "lang_id")
"""Where a row names its language: the first of these."""

CLUSTER_KEYS = ("cluster", "client_id", "speaker_id")
"""What utterances share that are not independent: the first of these. Common Voice and VoxPopuli name the speaker."""

DRAFT_KEY = "draft"
"""Where a row says that its transcript is what a model heard, and nobody has corrected it."""

TRANSLATION_KEY = "translation"
"""Where a row holds what is said in English, for the gate on translation."""

T = TypeVar("T")

_DRAFTS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
_RESERVED = frozenset(
    {
        *AUDIO_KEYS,
        *TEXT_KEYS,
        *OTHER_TEXT_KEYS,
        "cluster",
        "client_id",
        "duration",
        "offset",
        DRAFT_KEY,
        TRANSLATION_KEY,
    }
)
_KNOWN = frozenset({*_RESERVED, *LANGUAGE_KEYS, *CLUSTER_KEYS, "kind", "noise"})
_NOBODY = ("", "None")  # VoxPopuli writes the latter


@lru_cache(maxsize=1024)
def canonical(name: str) -> str:
    """Return the name of a column as this module spells it where it is known; another as it is, less space around it.

    >>> canonical("File Name "), canonical("Voice")
    ('file_name', 'Voice')
    """
    plain = re.sub(r"[\s-]+", "_", name.strip()).casefold()
    return plain if plain in _KNOWN else name.strip()


@lru_cache(maxsize=256)
def _canonical_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(canonical, names))


def is_known(name: str) -> bool:
    """Whether a column of this name means something here."""
    return canonical(name) in _KNOWN


class Columns(NamedTuple):
    """Which column of a table holds what; ``slices`` are all that hold nothing else."""

    audio: str
    text: str
    language: str | None
    cluster: str | None
    slices: tuple[str, ...]


@lru_cache(maxsize=256)
def columns(names: tuple[str, ...], choices: Choices = AS_NAMED) -> Columns:
    """Return which columns a table of these names has.

    Raises `CorpusError` that lists them where none holds the audio or the text, or several could.
    """
    text = _named(names, choices.text_column, "text") or _pick(names, TEXT_KEYS, "transcript", OTHER_TEXT_KEYS, "text")
    language = _named(names, choices.language_column, "language") or _first(names, LANGUAGE_KEYS)
    audio = audio_column(names, choices)
    taken = {audio, text, language}
    return Columns(
        audio=audio,
        text=text,
        language=language,
        cluster=_first(names, CLUSTER_KEYS),
        slices=tuple(name for name in names if name not in _RESERVED and name not in taken),
    )


def audio_column(names: tuple[str, ...], choices: Choices = AS_NAMED) -> str:
    """Return the column that holds the audio; raise `CorpusError` that lists all where none does."""
    return _named(names, choices.audio_column, "audio") or _pick(names, AUDIO_KEYS, "audio file", (), "audio")


def _named(names: tuple[str, ...], column: str | None, what: str) -> str | None:
    if column is None or column in names:
        return column
    if canonical(column) in names:
        return canonical(column)
    raise CorpusError(
        f"has no column {column!r}; it has: {', '.join(names)}", remedy=f"correct --whisperq-{what}-column"
    )


def _first(names: tuple[str, ...], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in names), None)


def _pick(names: tuple[str, ...], keys: tuple[str, ...], what: str, others: tuple[str, ...], option: str) -> str:
    matches = [key for key in keys if key in names]
    if len(matches) == 1 or (matches and keys is AUDIO_KEYS):
        return matches[0]
    if not matches and (other := _first(names, others)):
        return other
    if matches:
        problem = f"has several columns that could hold the {what} ({', '.join(matches)})"
    else:
        problem = f"has no {what}; its columns are: {', '.join(names) or 'none'}"
    raise CorpusError(
        problem, remedy=f"keep exactly one of {', '.join(keys)}, or name one with --whisperq-{option}-column"
    )


def utterance(row: Mapping[str, Any], *, where: str, root: Path, choices: Choices = AS_NAMED) -> Utterance:
    """Build the utterance a row describes. ``root`` is the folder its paths may not leave, but for ``choices.root``.

    Raises `CorpusError` for a row without audio or text, or with values that cannot be meant.
    """
    row = _canonical_row(row, where)
    try:
        column = columns(tuple(row), choices)
    except CorpusError as error:
        raise error.within(where) from None
    audio = _audio(row[column.audio], row, where, root, choices.root)
    text, translation = _text(row[column.text], "transcript", where), ""
    if column.text != TRANSLATION_KEY:
        translation = _text(row.get(TRANSLATION_KEY), "translation", where)
    named = {key: _plain(row[key]) for key in column.slices}
    if column.language is not None:
        named["language"] = _plain(row[column.language])
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
    if translation and kind == NONSPEECH:
        raise CorpusError(
            f"kind={NONSPEECH} but the translation is {translation!r}", where=where, remedy="clear one of the two"
        )
    cluster = "" if column.cluster is None else _plain(row[column.cluster])  # 0 is a name like any other
    if cluster in _NOBODY:
        cluster = ""
    if not cluster and row.get("offset") not in (None, ""):
        cluster = audio.label  # segments of one recording are not independent
    return Utterance(
        id=audio.label if not audio.offset else f"{audio.label}@{audio.offset:.12g}",  # to the millisecond, in hours
        where=where,
        audio=audio,
        reference=text,
        language=None if column.language is None else _language(row[column.language], where),
        kind=kind,
        cluster=_shared(cluster),
        slices=_shared(tuple(sorted(slices.items()))),
        is_draft=_is_draft(row.get(DRAFT_KEY), where),
        translation=translation,
    )


@lru_cache(maxsize=4096)
def _shared(value: T) -> T:
    """Return the first of equal values: speakers and slices of a million rows are a few hundred, held once."""
    return value


def _text(value: Any, what: str, where: str) -> str:
    if value is not None and not isinstance(value, str):
        raise CorpusError(
            f"the {what} must be text (got {value!r}, a {type(value).__name__})",
            where=where,
            remedy="write text, or call the column something else",
        )
    return (value or "").strip()


def _is_draft(value: Any, where: str) -> bool:
    said = _plain(value).lower()
    if said not in _DRAFTS:
        raise CorpusError(
            f"{DRAFT_KEY} says whether the transcript is a model's draft: yes or nothing (got {value!r})",
            where=where,
            remedy="clear it, or call the column something else",
        )
    return _DRAFTS[said]


def _canonical_row(row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    named = dict(zip(_canonical_names(tuple(row)), row.values(), strict=True))
    if len(named) != len(row):
        raise CorpusError(f"names a column twice: {', '.join(row)}", where=where, remedy="rename or remove one")
    return named


def _plain(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _language(value: Any, where: str) -> str | None:
    """Return a language code as Whisper's tokens spell it (``en-US`` → ``en``); nothing means detect."""
    if value is None or not str(value).strip():
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        raise CorpusError(
            f"language is {value}, the number of a class, and the table does not name its classes",
            where=where,
            remedy="name a column of codes with --whisperq-language-column",
        )
    code = language_code(str(value))
    if code is None:
        raise CorpusError(
            f"language must be a code such as en or fr, or a name such as French (got {value!r})",
            where=where,
            remedy="correct it, or name another column with --whisperq-language-column",
        )
    return code


def _audio(value: Any, row: Mapping[str, Any], where: str, root: Path, wider: Path | None) -> AudioSource:
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
    file, label = locate(value.strip(), where, root, wider)
    return AudioSource(label=label, file=file, offset=offset, seconds=seconds)


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
