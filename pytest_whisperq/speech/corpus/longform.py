"""Recordings of any length with the times of what is said in them: the spans of one file, put together again."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_whisperq.speech.audio import WINDOW_SECONDS, AudioSource
from pytest_whisperq.speech.corpus.load import EMBEDDED, load_corpus
from pytest_whisperq.speech.corpus.rows import utterance
from pytest_whisperq.speech.corpus.types import AS_NAMED, Choices, Corpus, Utterance
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.files import sha256

OPTION = "--whisperq-long-form"


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRecording:
    """One file and the utterances in it, in the order of their times."""

    audio: AudioSource
    language: str | None
    utterances: tuple[Utterance, ...]


def load_long_form(location: str = EMBEDDED, choices: Choices = AS_NAMED) -> Corpus:
    """Read the embedded long recordings, or a corpus whose rows are spans of long files: by columns or subtitles.

    Utterances come file by file, in the order of their times, those of one 30 s window in one cluster, and those of
    copies of a file in the same ones. Raises `CorpusError` for a row without a span, for a file whose rows name several
    languages, and where nobody speaks.
    """
    corpus = _embedded() if location == EMBEDDED else load_corpus(location, OPTION, choices=choices)
    if not corpus.speech:
        raise CorpusError(
            f"nobody speaks in {corpus.name}", where=OPTION, remedy="list utterances with what is said in them"
        )
    languages: dict[str, str | None] = {}
    for item in corpus.speech:
        if item.audio.file is None or item.audio.seconds is None:
            raise CorpusError(
                "a long recording is listed by its utterances, each with offset and duration in seconds",
                where=item.where,
            )
        if languages.setdefault(item.audio.label, item.language) != item.language:
            raise CorpusError(
                f"{item.audio.label} is in two languages", where=item.where, remedy="split it, or leave them out"
            )
    ordered = sorted(corpus.speech, key=lambda item: (item.audio.label, item.audio.offset))
    originals = _originals(ordered)
    windows = (f"{originals[item.audio.label]}@{int(item.audio.offset // WINDOW_SECONDS)}" for item in ordered)
    items = (item._replace(cluster=window) for item, window in zip(ordered, windows, strict=True))
    return replace(corpus, utterances=tuple(items))


def _originals(items: Sequence[Utterance]) -> dict[str, str]:
    """Return the first file with the same bytes, for each file of long recordings; both by their labels."""
    files = {item.audio.label: item.audio.file for item in items}
    first: dict[str, str] = {}
    return {label: first.setdefault(sha256(Path(file)), label) if file else label for label, file in files.items()}


def whole(corpus: Corpus) -> list[LongRecording]:
    """Return the files whose spans are the utterances of ``corpus``, in its order."""
    recordings = []
    for _, group in itertools.groupby(corpus.utterances, key=lambda item: item.audio.label):
        items = tuple(group)
        audio = AudioSource(label=items[0].audio.label, file=items[0].audio.file)
        recordings.append(LongRecording(audio=audio, language=items[0].language, utterances=items))
    return recordings


def _embedded() -> Corpus:
    folder = package_data.long_form_directory()
    listing = folder / "metadata.jsonl"
    items = []
    for line, text in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(text)
        for span in row["segments"]:
            entry = {
                "file_name": row["file_name"],
                "text": span["text"],
                "language": row["language"],
                "offset": span["start"],
                "duration": span["end"] - span["start"],
            }
            items.append(utterance(entry, where=f"{listing}:{line}", root=folder.resolve()))
    return Corpus(name=f"{EMBEDDED} long-form", utterances=tuple(items))
