"""STM, as NIST's scorer and TED-LIUM have it: ``FILE CHANNEL SPEAKER START END <LABELS> TEXT``.

Source: https://github.com/usnistgov/SCTK, doc/infmts.htm. Recordings are found by their names in the folder.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_whisperq.speech.corpus.files import files_in, lines_of
from pytest_whisperq.speech.corpus.layouts.by_name import RecordingsByName
from pytest_whisperq.speech.corpus.layouts.unlisted import note_unlisted
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.errors import CorpusError

_SUFFIX = ".stm"
_UNSCORED = "ignore_time_segment_in_scoring"
_FIELDS = 5


def is_stm(path: Path) -> bool:
    """Whether a file is one, or a folder holds some."""
    return any(one.suffix.lower() == _SUFFIX for one in ([path] if path.is_file() else files_in(path)))


def read_stm(path: Path, reading: Reading) -> Sequence[Utterance]:
    """Read a file, or all of a folder."""
    folder = path.parent if path.is_file() else path
    lists = [path] if path.is_file() else sorted(one for one in files_in(path) if one.suffix.lower() == _SUFFIX)
    utterances = collect(_rows(lists, folder, reading), folder, reading)
    if path.is_dir():
        note_unlisted(folder, utterances, reading, f"*{_SUFFIX}")
    return utterances


def _rows(lists: list[Path], folder: Path, reading: Reading) -> Iterator[Row]:
    recordings = RecordingsByName(folder, folder)
    channels: dict[str, str] = {}
    unscored = 0
    for path in lists:
        for number, line in enumerate(lines_of(path), start=1):
            if not line.strip() or line.lstrip().startswith(";;"):
                continue
            name, channel, *_, text = [*line.split(None, _FIELDS), ""][: _FIELDS + 1]
            where = f"{path}:{number}"
            if channels.setdefault(name, channel) != channel:
                raise CorpusError(
                    f"{name} has several channels; they would be mixed",
                    where=where,
                    remedy="write each to a file and list it under a name of its own",
                )
            if _UNSCORED in text.lower():
                unscored += 1
            else:
                yield Row(where, _values(line, recordings))
    if unscored:
        reading.note(f"left out as {_UNSCORED}: {unscored} segment{'' if unscored == 1 else 's'}")


def _values(line: str, recordings: RecordingsByName) -> dict[str, object] | Unusable:
    fields = line.split(None, _FIELDS)
    try:
        name, _, speaker, begin, end = fields[:_FIELDS]
        start, stop = float(begin), float(end)
    except ValueError:
        return Unusable("must be FILE CHANNEL SPEAKER START END TEXT", "correct it, or begin it with ;;")
    if not 0 <= start < stop:
        return Unusable(f"ends at {end} s and begins at {begin} s", "correct the times")
    audio = recordings.find(name)
    if isinstance(audio, Unusable):
        return audio
    text = fields[_FIELDS] if len(fields) > _FIELDS else ""
    if text.startswith("<") and ">" in text:  # <o,f0,male>
        text = text.partition(">")[2]
    span = {"offset": start, "duration": round(stop - start, 6)}
    return {"file_name": audio, "text": text, "cluster": speaker, **span}
