"""The utterances of a saved run, those first that lost most: to be heard, marked as wrong, and exported as a corpus."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pytest_whisperq.history.document import StoredRun
from pytest_whisperq.reporting.html import ROWS, utterance_table
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.speech.corpus.convert import write_audiofolder
from pytest_whisperq.speech.corpus.types import NONSPEECH
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import output_error, publish_folder

MARKED = "marked"
"""The column of an exported corpus that says what became of a reference: ``corrected``, or ``doubted`` as it was."""

_OPTION = "--marked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """An utterance with what a candidate made of it, see `reporting.html.utterance_table`.

    ``lost`` counts the errors that the candidate made more than the baseline. Texts are raw.
    """

    id: str
    candidate: str
    lost: int
    seconds: float
    language: str | None
    reference: str
    original: str
    hypothesis: str


class Review:
    """Walks through a run. All browsers share its marks, which stay until the playground ends."""

    def __init__(self, run: StoredRun, corpus: Corpus, sounds: Mapping[str, str], folder: Path) -> None:
        """Take a run, the corpus with its recordings, the digest of each by id, and the folder to export to.

        Raises `ConfigError` for a run without texts, or without any recording of the corpus.
        """
        if run.document["redacted"]:
            raise ConfigError(
                f"{run.name} is redacted and has no texts", where="--run", remedy="name a run saved without redaction"
            )
        by_sound = {sounds[item.id]: item for item in corpus.utterances}
        self._items: Mapping[str, Utterance] = {
            row["id"]: by_sound[row["clip"]] for row in run.document["utterances"] if row["clip"] in by_sound
        }
        if not self._items:
            raise ConfigError(
                f"{corpus.name} has none of the recordings of {run.name}",
                where="--corpus",
                remedy="name the corpus of that run",
            )
        self.corpus, self.folder = corpus, folder
        self._rows = utterance_table(run.document, ROWS).rows
        self._texts = {row["id"]: row for row in run.document["utterances"]}
        self._baseline = next(name for name, model in run.document["models"].items() if model["role"] == "baseline")
        self._lock = threading.Lock()
        self._marks: dict[str, str] = {}
        self._is_ours = False

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> Reviewed:
        row = self._rows[place]
        said = self._texts[row["id"]]
        return Reviewed(
            id=row["id"],
            candidate=row["candidate"],
            lost=row["delta"],
            seconds=row["seconds"],
            language=row["language"],
            reference=said["reference"],
            original=said["texts"][self._baseline],
            hypothesis=said["texts"][row["candidate"]],
        )

    def sound(self, name: str) -> bytes | None:
        """Return the recording of an utterance as FLAC; None where the corpus has it no more.

        Raises `CorpusError` for one that cannot be read.
        """
        item = self._items.get(name)
        return audio.as_flac(audio.load(item.audio)) if item else None

    @property
    def marks(self) -> Mapping[str, str]:
        """What is really said in each utterance that is marked, by its id in the corpus."""
        with self._lock:
            return MappingProxyType(dict(self._marks))

    def marked(self, name: str) -> str | None:
        """Return what is really said in an utterance of the run; None where it is not marked."""
        return self.marks.get(self._items[name].id) if name in self._items else None

    def mark(self, name: str, text: str) -> None:
        """Say that the reference of an utterance is wrong, and what is said: "" if nobody speaks.

        The reference as it is says no more than that it is doubted. Raises `ConfigError` for one without a recording.
        """
        if name not in self._items:
            raise ConfigError(f"{name} is not in {self.corpus.name}", where="--corpus", remedy="name the run's corpus")
        with self._lock:
            self._marks[self._items[name].id] = " ".join(text.split())

    def unmark(self, name: str) -> None:
        """Forget a mark."""
        if name in self._items:
            with self._lock:
                self._marks.pop(self._items[name].id, None)

    def export(self) -> Path:
        """Write the marked utterances as a folder that ``--whisperq-corpus`` takes; return it.

        What this playground exported before is replaced. Raises `ConfigError` where something else is there, or nothing
        is marked, `StoreError` where it cannot be written, `CorpusError` for a recording that cannot be read.
        """
        with self._lock:
            if not self._marks:
                raise ConfigError("nothing is marked yet", where=_OPTION, remedy="mark an utterance first")
            if self.folder.exists() and not self._is_ours:
                raise ConfigError(
                    f"{self.folder} is there already", where=_OPTION, remedy="remove it, or name another with --marked"
                )
            items = tuple(
                _marked(item, self._marks[item.id]) for item in self.corpus.utterances if item.id in self._marks
            )
            try:
                with publish_folder(self.folder) as folder:
                    write_audiofolder(Corpus(name=str(self.folder), utterances=items), folder)
            except OSError as error:
                raise output_error(self.folder, _OPTION, error) from error
            self._is_ours = True
            return self.folder


def _marked(item: Utterance, text: str) -> Utterance:
    """Return an utterance with what is really said in it; where nobody speaks its kind says so."""
    state = "doubted" if text == item.reference else "corrected"
    kind = item.kind if item.kind != NONSPEECH else ""
    slices = {**dict(item.slices), "kind": kind if text else NONSPEECH, MARKED: state}
    kept = tuple((name, value) for name, value in slices.items() if value)
    return item._replace(reference=text, kind=slices["kind"], slices=kept, is_draft=False)
