"""A corpus written again: as an audiofolder, or as a parquet table with its recordings in it."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus.drafts import MARK
from pytest_whisperq.speech.corpus.files import AUDIO_SUFFIXES
from pytest_whisperq.speech.corpus.manifest import METADATA_NAMES
from pytest_whisperq.speech.corpus.rows import DRAFT_KEY, TRANSLATION_KEY
from pytest_whisperq.speech.corpus.types import Corpus, Utterance
from pytest_whisperq.system import optional_imports

_FIRST = ("language", "kind", "cluster")
_AT_ONCE = 256  # rows of parquet that are held in memory
_UNSAFE = re.compile(r"[^\w.@+ -]")


class Clip(NamedTuple):
    """One utterance as it is written: its name in a folder, the bytes of its recording, and its columns."""

    name: str
    data: bytes
    columns: dict[str, str]


def clips_of(corpus: Corpus) -> Iterator[Clip]:
    """Yield each utterance with its recording, byte for byte; a part of a recording is cut out, 16 kHz mono FLAC.

    Names stay inside a folder, whatever a table calls its recordings. Raises `CorpusError` for what cannot be read.
    """
    taken = set[str]()
    for item in corpus.utterances:
        data, suffix = _recording(item.audio)
        path = PurePosixPath(_safe(item.id))
        stem = path if path.suffix.lower() not in AUDIO_SUFFIXES or path.suffix == suffix else path.with_suffix("")
        plain = str(stem.with_suffix("") if stem.suffix == suffix else stem)
        name, number = f"{plain}{suffix}", 1
        while name.casefold() in taken:  # folders of some systems know no case
            number += 1
            name = f"{plain}-{number}{suffix}"
        taken.add(name.casefold())
        yield Clip(name, data, _columns(item))


def write_audiofolder(corpus: Corpus, folder: Path) -> None:
    """Write recordings with ``metadata.csv`` into an empty folder."""
    header = _header(corpus)
    with (folder / METADATA_NAMES[0]).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["file_name", *header], restval="", lineterminator="\n")
        table.writeheader()
        for clip in clips_of(corpus):
            path = folder / clip.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(clip.data))
            table.writerow({"file_name": clip.name, **clip.columns})


def write_parquet(corpus: Corpus, path: Path) -> None:
    """Write a table as the hub's data sets are: ``audio`` has bytes and path, and the schema says that it is audio.

    Raises `MissingDependency` without pyarrow.
    """
    parquet = optional_imports.require("pyarrow.parquet", extra="data", purpose="write parquet")
    import pyarrow as pa

    header = _header(corpus)
    features = {name: {"dtype": "string", "_type": "Value"} for name in header}
    info = {"info": {"features": {"audio": {"_type": "Audio"}, **features}}}
    sound = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("audio", sound), *((name, pa.string()) for name in header)], metadata={"huggingface": json.dumps(info)}
    )
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as writer:
        for clip in clips_of(corpus):
            rows.append({"audio": {"bytes": clip.data, "path": clip.name}, **clip.columns})
            if len(rows) == _AT_ONCE:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema))


def _header(corpus: Corpus) -> list[str]:
    used = {name for item in corpus.utterances for name in _columns(item)}
    return ["text", *(name for name in _FIRST if name in used), *sorted(used - {"text", *_FIRST})]


def _columns(item: Utterance) -> dict[str, str]:
    columns = {"text": item.reference, "cluster": item.cluster, "language": item.language or "", **dict(item.slices)}
    columns |= {TRANSLATION_KEY: item.translation, **({DRAFT_KEY: MARK} if item.is_draft else {})}
    return {name: value for name, value in columns.items() if value or name == "text"}


def _recording(source: AudioSource) -> tuple[bytes, str]:
    """Return the bytes of a clip, and how its name ends."""
    if source.is_whole:
        with source.open() as file:
            data = file.read()
        if suffix := _suffix(source, data):
            return data, suffix
    import soundfile

    samples = audio.load(source)
    if abs(samples).max() <= 1:
        return audio.as_flac(samples), ".flac"
    file = io.BytesIO()
    soundfile.write(file, samples, audio.SAMPLE_RATE, "FLOAT", format="WAV")
    return file.getvalue(), ".wav"


def _suffix(source: AudioSource, data: bytes) -> str:
    """Return how the name of a recording ends, by its own name or by its bytes; "" where neither tells."""
    import soundfile

    named = PurePosixPath(source.label).suffix.lower()
    if named in AUDIO_SUFFIXES:
        return named
    try:
        kind = f".{soundfile.info(io.BytesIO(data)).format.lower()}"
    except soundfile.LibsndfileError:
        return ""
    return kind if kind in AUDIO_SUFFIXES else ""


def _safe(name: str) -> str:
    parts = [_UNSAFE.sub("_", part) for part in name.replace("\\", "/").split("/")]
    return "/".join(part.lstrip(".") or "_" for part in parts if part not in ("", ".", "..")) or "clip"
