"""Lhotse: a ``CutSet`` (``cuts.jsonl.gz``), or recordings with supervisions, of recordings in files.

Source: https://lhotse.readthedocs.io/en/latest/cuts.html. A supervision is an utterance; its speaker is the cluster.
"""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.speech.corpus.files import is_visible
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.errors import CorpusError

_ENDINGS = (".jsonl.gz", ".jsonl")
_ROUNDING = 0.01  # seconds
_SAVE = "write the cuts to files: lhotse.CutSet.from_file(…).save_audios(FOLDER).to_file(…)"


def is_lhotse(path: Path) -> bool:
    """Whether a file holds cuts, or a folder cuts or supervisions with recordings."""
    if path.is_file():
        name = path.name.lower()
        return name.endswith(_ENDINGS[0]) or (
            name.endswith(_ENDINGS) and {"supervisions", "recording"} <= {*_first(path)}
        )
    return bool(_files(path, "cuts") or (_files(path, "supervisions") and _files(path, "recordings")))


def read_lhotse(path: Path, reading: Reading) -> Sequence[Utterance]:
    """Read a file of cuts, or the only one of a folder; raise `CorpusError` that lists them where it has several."""
    if path.is_file():
        return collect(_of_cuts(path), path.parent, reading)
    for kind in ("cuts", "supervisions", "recordings"):
        if len(files := _files(path, kind)) > 1:
            names = ", ".join(one.name for one in files)
            raise CorpusError(f"has several files of {kind} ({names})", where=str(path), remedy="name one of cuts")
    if cuts := _files(path, "cuts"):
        return collect(_of_cuts(cuts[0]), path, reading)
    recordings = {row["id"]: row for _, row in _objects(_files(path, "recordings")[0])}
    return collect(_of_supervisions(_files(path, "supervisions")[0], recordings), path, reading)


def _files(folder: Path, kind: str) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if re.search(rf"(?<![a-z]){kind}(?![a-z])", path.name.lower())
        and path.name.lower().endswith(_ENDINGS)
        and is_visible(path.name)
    )


def _first(path: Path) -> dict[str, Any]:
    try:
        return next((row for _, row in _objects(path)), {})
    except CorpusError:  # told by whoever reads the file
        return {}


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("no JSON object")
                    yield f"{path}:{number}", row
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise CorpusError(f"cannot be read as JSON Lines ({error})", where=f"{path}:{number or 1}") from error


def _of_cuts(path: Path) -> Iterator[Row]:
    for where, cut in _objects(path):
        if "recording" not in cut or not cut.get("supervisions"):
            what = "mixes tracks" if "tracks" in cut else "has neither recording nor supervisions"
            yield Row(where, Unusable(f"{cut.get('type', 'this cut')} {cut.get('id', '')} {what}", _SAVE))
            continue
        for told in cut["supervisions"]:
            yield Row(where, _values(told, cut["recording"], float(cut.get("start", 0))))


def _of_supervisions(path: Path, recordings: dict[str, dict[str, Any]]) -> Iterator[Row]:
    for where, told in _objects(path):
        recording = recordings.get(told.get("recording_id", ""))
        missing = Unusable(f"there is no recording {told.get('recording_id')!r}", "add it, or remove this one")
        yield Row(where, missing if recording is None else _values(told, recording, 0.0))


def _values(told: dict[str, Any], recording: dict[str, Any], begin: float) -> dict[str, Any] | Unusable:
    """Return the row of a supervision in a cut that begins at ``begin`` seconds of its recording."""
    try:
        (source,) = recording["sources"]
        kind, path = source["type"], source["source"]
        offset, seconds, whole = begin + float(told["start"]), float(told["duration"]), float(recording["duration"])
        channels = len(source.get("channels", [0]))
    except (KeyError, TypeError, ValueError):
        return Unusable("is no supervision of one recording in one file", _SAVE)
    if kind != "file" or recording.get("transforms"):
        return Unusable(f"its recording is no plain file ({kind})", _SAVE)
    if channels > 1:
        return Unusable(f"its recording has {channels} channels, which would be mixed", _SAVE)
    is_whole = offset < _ROUNDING and seconds > whole - _ROUNDING
    span = {} if is_whole else {"offset": round(max(offset, 0.0), 6), "duration": round(seconds, 6)}
    values = {"file_name": path, "text": told.get("text"), "language": told.get("language"), **span}
    return {**values, "cluster": told.get("speaker")}
