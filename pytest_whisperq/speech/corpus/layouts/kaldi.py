"""Kaldi and ESPnet: ``wav.scp``, ``text``, ``utt2spk`` and, for parts of long recordings, ``segments``.

Source: https://kaldi-asr.org/doc/data_prep.html. Paths in ``wav.scp`` are relative to the recipe, which
``--whisperq-corpus-root`` names. Commands in it are never run.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_whisperq.speech.corpus.files import lines_of, listed
from pytest_whisperq.speech.corpus.layouts.unlisted import note_unlisted
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.errors import CorpusError

_SCP = "wav.scp"


def is_kaldi(folder: Path) -> bool:
    """Whether a folder is a data directory of Kaldi."""
    return (folder / _SCP).is_file()


def read_kaldi(folder: Path, reading: Reading) -> Sequence[Utterance]:
    """Read a data directory; raise `CorpusError` for a line that cannot be used, and where there is no ``text``."""
    if not (folder / "text").is_file():
        raise CorpusError(f"has a {_SCP}, but no file named text", where=str(folder), remedy="write UTTERANCE TEXT")
    utterances = collect(_rows(folder, reading), folder, reading)
    note_unlisted(folder, utterances, reading, _SCP)
    return utterances


def _rows(folder: Path, reading: Reading) -> Iterator[Row]:
    recordings, speakers, languages = (_table(folder / name) for name in (_SCP, "utt2spk", "utt2lang"))
    segments, texts = _table(folder / "segments"), _table(folder / "text")
    for name, (where, text) in texts.items():
        try:
            source, span = _span(name, segments, f"{folder / 'segments'}") if segments else (name, {})
            audio = _path(source, recordings, where)
        except CorpusError as error:
            yield Row(error.where, Unusable(error.what, error.remedy))
            continue
        values = {"file_name": audio, "text": text, **span}
        for key, table in (("cluster", speakers), ("language", languages)):
            if table:
                values[key] = table.get(name, ("", ""))[1]
        yield Row(where, values)
    if silent := [name for name in (segments or recordings) if name not in texts]:
        reading.note(f"text has no line for {len(silent)} utterances ({listed(silent)})")


def _table(path: Path) -> dict[str, tuple[str, str]]:
    """Return what stands behind each name, with its file and line; nothing for a file that is not there."""
    rows: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(lines_of(path) if path.is_file() else (), start=1):
        name, _, rest = line.strip().replace("\t", " ").partition(" ")
        if name in rows:
            raise CorpusError(f"{name} is there twice, first at {rows[name][0]}", where=f"{path}:{number}")
        if name:
            rows[name] = (f"{path}:{number}", rest.strip())
    return rows


def _span(name: str, segments: dict[str, tuple[str, str]], path: str) -> tuple[str, dict[str, float]]:
    if name not in segments:
        raise CorpusError(f"has no line for {name}, of which text has one", where=path, remedy="remove one or add one")
    where, rest = segments[name]
    try:
        source, begin, end = rest.split()
        start, stop = float(begin), float(end)
    except ValueError:
        raise CorpusError(f"must be UTTERANCE RECORDING START END (got {rest!r})", where=where) from None
    if stop == -1:  # up to the end of the recording
        return source, {"offset": start}
    if not 0 <= start < stop:
        raise CorpusError(f"ends at {end} s and begins at {begin} s", where=where, remedy="correct the times")
    return source, {"offset": start, "duration": round(stop - start, 6)}


def _path(source: str, recordings: dict[str, tuple[str, str]], where: str) -> str:
    if source not in recordings:
        raise CorpusError(f"{_SCP} has no line for {source}", where=where, remedy="add one, or remove this one")
    line, path = recordings[source]
    is_command, is_archive = path.endswith("|"), path.rpartition(":")[2].isdecimal() and ":" in path
    if is_command or is_archive:
        raise CorpusError(
            f"holds a {'command, and none is run' if is_command else 'place in an archive'} ({path[:60]})",
            where=line,
            remedy=f"write the recordings to files: wav-copy scp:{_SCP} scp,t:copies.scp (ESPnet: format_wav_scp.sh)",
        )
    return path
