"""Manifests: tables with a header, JSON Lines or an array, with the keys of Hugging Face, NeMo, Common Voice …."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.speech.corpus.delimited import read_table
from pytest_whisperq.speech.corpus.files import lines_of, read_text
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance

MANIFEST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

_ONE_EACH = "a manifest holds one JSON object on each line, or all in one array"


def read_manifest(path: Path, reading: Reading) -> Sequence[Utterance]:
    """Read a table, a .jsonl with one object a line (NeMo also says .json), or an array of objects.

    Paths are relative to the manifest's folder. Any bad line raises `CorpusError` with its number, or, told to
    ``reading.on_error``, is left out.
    """
    return collect(rows_of(path, reading), path.parent, reading, is_table=True)


def rows_of(path: Path, reading: Reading) -> Iterator[Row]:
    """Yield the rows of a manifest, each with its file and line."""
    if path.suffix.lower() in (".csv", ".tsv"):
        choices = reading.choices
        found = read_table(path, (choices.audio_column, choices.text_column, choices.language_column))
    else:
        found = _json_rows(path)
    return (Row(f"{path}:{line}", values) for line, values in found)


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | Unusable]]:
    first = next((line for line in lines_of(path) if line.strip()), "")
    if first.lstrip().startswith("[") and (rows := _array(read_text(path))):
        yield from ((line, _object(row)) for line, row in rows)
        return
    for number, line in enumerate(lines_of(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # not JSON; a number of 5,000 digits; 1,000 nested brackets
            problem = str(error)
            if isinstance(error, json.JSONDecodeError):
                problem = f"{error.msg} at column {error.colno}"
            yield number, Unusable(f"is not valid JSON ({problem})", _ONE_EACH)
        else:
            yield number, _object(row)


def _object(row: Any) -> dict[str, Any] | Unusable:
    return row if isinstance(row, dict) else Unusable(f"must be a JSON object (got {type(row).__name__})", _ONE_EACH)


def _array(text: str) -> list[tuple[int, Any]]:
    """Return the elements of a text that is one array, each with its line; none where it is no array of objects."""
    decoder = json.JSONDecoder()
    try:
        if not any(isinstance(row, dict) for row in json.loads(text)):
            return []
    except (ValueError, RecursionError):
        return []
    rows: list[tuple[int, Any]] = []
    at, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    while True:
        begin = next(place for place in range(at, len(text)) if text[place] not in " \t\n,")
        if text[begin] == "]":
            return rows
        line += text.count("\n", at, begin)
        row, end = decoder.raw_decode(text, begin)
        rows.append((line, row))
        line += text.count("\n", begin, end)
        at = end
