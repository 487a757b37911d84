"""Common Voice: ``test.tsv``, ``dev.tsv`` …, with the recordings in ``clips/``.

Source: https://github.com/common-voice/cv-dataset. ``client_id`` is the cluster, ``locale`` the language. The clips of
all lists lie in one folder, so those that one list does not name are none that nobody reads.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_whisperq.speech.corpus.manifest import rows_of
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.errors import CorpusError

_CLIPS = "clips"
_KEY = "path"


def is_common_voice(path: Path) -> bool:
    """Whether a folder has lists and ``clips``, or a file is such a list."""
    folder = path if path.is_dir() else path.parent
    lists = list(folder.glob("*.tsv")) if path.is_dir() else [path] if path.suffix.lower() == ".tsv" else []
    return bool(lists) and (folder / _CLIPS).is_dir()


def lists_of(folder: Path) -> list[str]:
    """Return the names of the lists in a folder, as splits."""
    return sorted(path.stem for path in folder.glob("*.tsv"))


def read_list(path: Path, reading: Reading) -> Sequence[Utterance]:
    """Read one list; raise `CorpusError` that names those that are there where this one is not."""
    if not path.is_file():
        raise CorpusError(
            f"there is no {path.name}", where=str(path.parent), remedy=f"it has: {', '.join(lists_of(path.parent))}"
        )
    return collect(_rows(path, reading), path.parent, reading, is_table=True)


def _rows(path: Path, reading: Reading) -> Iterator[Row]:
    for where, values in rows_of(path, reading):
        if isinstance(values, Unusable) or not isinstance(values.get(_KEY), str):
            yield Row(where, values)
        else:
            yield Row(where, {**values, _KEY: f"{_CLIPS}/{values[_KEY].strip()}"})
