"""LibriSpeech: ``SPEAKER/CHAPTER/*.trans.txt``, each line ``ID TEXT``, the recordings ``ID.flac`` beside it.

Source: README.TXT of https://www.openslr.org/12. The speaker, the first part of an id, is the cluster.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_whisperq.speech.corpus.files import files_in, lines_of
from pytest_whisperq.speech.corpus.layouts.by_name import RecordingsByName
from pytest_whisperq.speech.corpus.layouts.unlisted import note_unlisted
from pytest_whisperq.speech.corpus.reading import Reading, Row, Unusable, collect
from pytest_whisperq.speech.corpus.types import Utterance
from pytest_whisperq.system.errors import CorpusError

_SUFFIX = ".trans.txt"


def is_librispeech(folder: Path) -> bool:
    """Whether there are transcripts of LibriSpeech in a folder or below."""
    return any(path.name.endswith(_SUFFIX) for path in files_in(folder))


def read_librispeech(folder: Path, reading: Reading) -> Sequence[Utterance]:
    """Read one subset; raise `CorpusError` that lists them where a folder holds several."""
    transcripts = sorted(path for path in files_in(folder) if path.name.endswith(_SUFFIX))
    subsets = sorted({"/".join(path.relative_to(folder).parts[:-3]) for path in transcripts})
    if len(subsets) > 1:
        raise CorpusError(
            f"holds several subsets of LibriSpeech ({', '.join(subsets)})",
            where=str(folder),
            remedy=f"name one, e.g. {folder / subsets[-1]}",
        )
    rows = (row for path in transcripts for row in _rows(path, folder))
    utterances = collect(rows, folder, reading)
    note_unlisted(folder, utterances, reading, f"*{_SUFFIX}")
    return utterances


def _rows(transcript: Path, folder: Path) -> Iterator[Row]:
    recordings = RecordingsByName(transcript.parent, folder)
    for number, line in enumerate(lines_of(transcript), start=1):
        name, _, text = line.strip().partition(" ")
        where = f"{transcript}:{number}"
        if not name:
            continue
        audio = recordings.find(name)
        if isinstance(audio, Unusable):
            yield Row(where, audio)
        else:
            yield Row(where, {"file_name": audio, "text": text, "cluster": name.partition("-")[0]})
