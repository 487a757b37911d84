"""LJSpeech: ``metadata.csv`` of lines ``ID|TEXT|NORMALIZED TEXT`` without a header, and ``wavs/ID.wav``.

Source: README of https://keithito.com/LJ-Speech-Dataset. Of both texts the latter is read, in which numbers are words;
``--whisperq-text-column text`` reads the other.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_whisperq.speech.corpus.files import lines_of, read_text
from pytest_whisperq.speech.corpus.layouts.by_name import RecordingsByName
from pytest_whisperq.speech.corpus.layouts.unlisted import note_unlisted
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.rows import is_known
from pytest_whisperq.speech.corpus.types import Utterance

_LIST = "metadata.csv"
_RAW = "text"


def is_ljspeech(path: Path) -> bool:
    """Whether a file is a list of LJSpeech's, or the folder's: bars in its first line, and no names of columns."""
    path = path / _LIST if path.is_dir() else path
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    fields = read_text(path).lstrip("\n").partition("\n")[0].split("|")
    return len(fields) in (2, 3) and not fields[0].lower().startswith("sep=") and not any(map(is_known, fields))


def read_ljspeech(path: Path, reading: Reading) -> Sequence[Utterance]:
    """Read a list, or the folder's, with the recordings in its folder or below."""
    folder, is_folder = (path, True) if path.is_dir() else (path.parent, False)
    rows = _rows(folder / _LIST if is_folder else path, folder, reading.choices.text_column)
    utterances = collect(rows, folder, reading, takes_text=True)
    if is_folder:
        note_unlisted(folder, utterances, reading, _LIST)
    return utterances


def _rows(path: Path, folder: Path, text: str | None) -> Iterator[Row]:
    recordings = RecordingsByName(folder, folder)
    column = 1 if text == _RAW else -1
    for number, line in enumerate(lines_of(path), start=1):
        fields = [field.strip() for field in line.split("|")]
        where = f"{path}:{number}"
        name = Path(fields[0]).stem if fields[0].lower().endswith(".wav") else fields[0]
        if not line.strip():
            continue
        if len(fields) not in (2, 3):
            yield Row(where, Unusable(f"has {len(fields)} fields", "write ID|TEXT or ID|TEXT|NORMALIZED TEXT"))
        elif isinstance(audio := recordings.find(name), Unusable):
            yield Row(where, audio)
        else:
            yield Row(where, {"file_name": audio, _RAW: fields[column] or fields[1]})
