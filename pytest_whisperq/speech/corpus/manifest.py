"""Manifests and audiofolders: ``metadata.csv`` / ``.jsonl`` with Hugging Face or NeMo keys, or a .txt each."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.speech.corpus.rows import utterance
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.errors import CorpusError

MANIFEST_SUFFIXES = (".csv", ".jsonl", ".json")
METADATA_NAMES = ("metadata.csv", "metadata.jsonl")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm", ".aac")


class Unusable(NamedTuple):
    """What is wrong with a line, and what to do about it."""

    what: str
    remedy: str = ""


OnError = Callable[[CorpusError], None]
"""What becomes of a row that cannot be used."""


def refuse(error: CorpusError) -> None:
    """Refuse the whole corpus for one bad row."""
    raise error


def read_manifest(path: Path, on_error: OnError = refuse) -> list[Utterance]:
    """Read a .csv manifest, or a .jsonl (NeMo also says .json) with one object a line.

    Paths are relative to the manifest's folder and may not leave it. Any bad line raises `CorpusError` with its number,
    or, told to ``on_error``, is left out.
    """
    root = path.parent.resolve()
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path)
    utterances: list[Utterance] = []
    first_seen: dict[str, str] = {}
    for line, row in rows:
        where = f"{path}:{line}"
        try:
            if isinstance(row, Unusable):
                raise CorpusError(row.what, where=where, remedy=row.remedy)
            item = utterance(row, where=where, root=root)
            if item.id in first_seen:
                first = first_seen[item.id]
                raise CorpusError(f"{item.id} is listed twice, first at {first}", where=where, remedy="remove one line")
        except CorpusError as error:
            on_error(error)
            continue
        first_seen[item.id] = where
        utterances.append(item)
    return utterances


def recordings_in(directory: Path, on_error: OnError = refuse) -> list[Path]:
    """Return the recordings in a folder and below, by their names; a name that is not UTF-8 raises `CorpusError`.

    Or, told to ``on_error``, it is left out.
    """
    paths = []
    for path in sorted(path for path in directory.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES):
        name = str(path.relative_to(directory))
        try:
            name.encode()
        except UnicodeEncodeError:
            on_error(CorpusError(f"the name {name!a} is not UTF-8", where=str(directory), remedy="rename it"))
        else:
            paths.append(path)
    return paths


def read_sidecars(directory: Path, on_error: OnError = refuse) -> list[Utterance]:
    """Read a plain folder of recordings, each with its transcript beside it: ``call1.wav`` and ``call1.txt``."""
    root = directory.resolve()
    utterances = []
    taken: dict[Path, Path] = {}
    for path in recordings_in(root, on_error):
        try:
            utterances.append(_beside(path, root, taken))
        except CorpusError as error:
            on_error(error)
    return utterances


def _beside(path: Path, root: Path, taken: dict[Path, Path]) -> Utterance:
    """Return a recording with the transcript beside it, which no other recording may have ``taken``."""
    transcript = path.with_suffix(".txt")
    if not transcript.is_file():
        raise CorpusError(
            "has no transcript",
            where=str(path),
            remedy=(
                f"write what is said in it to {transcript.name} beside it, or list the folder's recordings in "
                f"{METADATA_NAMES[0]} (file_name,text)"
            ),
        )
    if transcript in taken:
        raise CorpusError(
            f"shares {transcript.name} with {taken[transcript].name}, and one recording must not count twice",
            where=str(path),
            remedy="remove or rename one of them",
        )
    taken[transcript] = path
    text = read_text(transcript)
    return utterance({"file_name": str(path.relative_to(root)), "text": text}, where=str(transcript), root=root)


def read_text(path: Path) -> str:
    """Return the text of a file; raise `CorpusError` naming file and line where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets export a byte order mark
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise CorpusError("is not UTF-8 text", where=f"{path}:{line}", remedy="save the file as UTF-8") from error
    except OSError as error:
        raise CorpusError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | Unusable]]:
    """Yield each row with its line, or what is wrong with it; raise where what follows cannot be read either."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if len(set(names)) != len(names):
            raise CorpusError(
                f"the header names a column twice: {', '.join(names)}", where=f"{path}:1", remedy="rename or remove one"
            )
        reader.fieldnames = names
        for row in reader:
            if None in row or None in row.values():
                many = f"has {'more' if None in row else 'fewer'} fields than the header's {len(names)}"
                yield reader.line_num, Unusable(many, "put text that contains a comma in double quotes")
            else:
                yield reader.line_num, row
    except csv.Error as error:
        line = reader.reader.line_num  # the reader's own number is that of the last good row
        raise CorpusError(f"is not valid CSV ({error})", where=f"{path}:{line}") from error


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | Unusable]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # not JSON; a number of 5,000 digits; 1,000 nested brackets
            problem = str(error)
            if isinstance(error, json.JSONDecodeError):
                problem = f"{error.msg} at column {error.colno}"
            remedy = "a manifest holds one JSON object on each line"
            yield number, Unusable(f"is not valid JSON ({problem})", remedy)
        else:
            is_object = isinstance(row, dict)
            yield number, row if is_object else Unusable(f"must be a JSON object (got {type(row).__name__})")
