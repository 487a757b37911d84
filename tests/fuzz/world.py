"""A run small enough to be damaged hundreds of times, and a second opinion on what its figures should be."""

import csv
import io
import json
import random
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path

import jiwer
import numpy as np
import soundfile

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.system.errors import WhisperqError

CLIPS = 12
WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]


class End(Enum):
    """How a run on bad input ended. Only the first two are allowed."""

    RIGHT = "right figure"
    REFUSED = "refused"
    UNCLEAR = "unclear error"
    TRACEBACK = "traceback"
    WRONG = "silently wrong"


@dataclass(frozen=True, slots=True)
class Ending:
    """An end, and what there is to say about one that is not allowed."""

    end: End
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One bad input: what is bad about it, and the run on it."""

    what: str
    run: Callable[[], Ending]


Family = Callable[[Path, random.Random], Iterator[Case]]
"""Given an empty folder and a source of chance, yields cases without end. Each runs before the next is made."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run should find: utterances, and the word error rates of baseline and candidate as fractions."""

    utterances: int
    baseline: float
    candidate: float


@dataclass(slots=True)
class World:
    """Twelve recordings of four words, and a scripted model whose int8 gets every third of them wrong.

    ``folder`` has ``calls/metadata.csv`` beside the recordings, ``model/scripted.json``, and the cache.
    """

    folder: Path
    references: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(1)
        self.references = [" ".join(chance.choices(WORDS, k=4)) for _ in range(CLIPS)]
        self.calls.mkdir(parents=True)
        self.model.mkdir()
        for number in range(CLIPS):
            (self.calls / clip(number)).write_bytes(recording(number))
        self.manifest.write_text(table([["file_name", "text"], *self.rows()]), encoding="utf-8", newline="")
        script = {
            precision: {digest(number): self.said(precision, number) for number in range(CLIPS)}
            for precision in ("float32", "int8")
        }
        (self.model / "scripted.json").write_text(json.dumps(script), encoding="utf-8")

    @property
    def calls(self) -> Path:
        """The folder of recordings."""
        return self.folder / "calls"

    @property
    def manifest(self) -> Path:
        """What lists them."""
        return self.calls / "metadata.csv"

    @property
    def model(self) -> Path:
        """The folder of the scripted model."""
        return self.folder / "model"

    @property
    def cache(self) -> Path:
        """The cache directory of its runs."""
        return self.folder / "cache"

    def rows(self) -> list[list[str]]:
        """Return what the manifest lists."""
        return [[clip(number), text] for number, text in enumerate(self.references)]

    def said(self, precision: str, number: int) -> str:
        """Return what a model says in a recording."""
        text = self.references[number]
        return text.rpartition(" ")[0] if precision == "int8" and number % 3 == 0 else text

    def figures(
        self, rows: Sequence[Sequence[str]] | None = None, script: Mapping[str, Mapping[str, str]] | None = None
    ) -> Figures:
        """Return what a run over these rows with a model of this script should find, counted by jiwer."""
        chosen = self.rows() if rows is None else rows
        numbers = [int(name[4:6]) for name, _ in chosen]
        rates = [
            jiwer.wer(
                [plain(text) for _, text in chosen],
                [plain(script[one][digest(number)]) if script else self.said(one, number) for number in numbers],
            )
            for one in ("float32", "int8")
        ]
        return Figures(len(chosen), *rates)

    def options(self, **more: str) -> dict[str, str]:
        """Return the options of a run."""
        options = {
            "candidate": "scripted:int8",
            "baseline": "scripted:float32",
            "model": str(self.model),
            "corpus": str(self.calls),
            "cache_dir": str(self.cache),
            "normalizer": "identity",
            "early_stop": "false",
            **more,
        }
        return {f"whisperq_{name}": value for name, value in options.items()}

    def gate(self, expected: Figures | None, names: Collection[str], **more: str) -> Ending:
        """Run the gate on accuracy. None is expected where no reader could tell; ``names`` are what to blame."""

        def judged() -> Ending:
            runner = GateRunner(resolve(self.options(**more)))
            runner.session.read()
            judgement = runner.judge("accuracy", runner.config.candidates[0]).judgement
            rates = [judgement.detail(f"{one}_wer") for one in ("baseline", "candidate")]
            found = Figures(judgement.utterances, *(-1.0 if rate is None else rate for rate in rates))
            return right_if(same(found, expected), f"found {found}, expected {expected}")

        return ending(judged, names)


def ending(run: Callable[[], Ending], names: Collection[str]) -> Ending:
    """Return how ``run`` ended, an error among them: a clear one has a line, a place or name of ``names``, a remedy."""
    try:
        return run()
    except WhisperqError as error:
        text = str(error)
        faults = [
            *(["more than one line"] if "\n" in text else []),
            *([] if error.remedy or "must be" in error.what else ["no remedy"]),  # what it must be is one
            *([f"none of {', '.join(names)}"] if not any(name in text for name in names) else []),
        ]
        return Ending(End.UNCLEAR, f"{', '.join(faults)}: {text}") if faults else Ending(End.REFUSED)
    except Exception as error:  # noqa: BLE001 - that any other is raised is what is looked for
        return Ending(End.TRACEBACK, repr(error))


def right_if(is_right: bool, otherwise: str) -> Ending:
    """Return the end of a run that was not refused."""
    return Ending(End.RIGHT) if is_right else Ending(End.WRONG, otherwise)


def same(found: Figures, expected: Figures | None) -> bool:
    """Whether two figures agree to what adding up in another order may change."""
    return (
        expected is not None
        and found.utterances == expected.utterances
        and abs(found.baseline - expected.baseline) < 1e-9
        and abs(found.candidate - expected.candidate) < 1e-9
    )


def fresh(folder: Path) -> World:
    """Make a world in place of the one that ``folder`` has."""
    shutil.rmtree(folder, ignore_errors=True)
    return World(folder)


def clip(number: int) -> str:
    """Return the name of a recording."""
    return f"clip{number:02}.wav"


@lru_cache
def recording(number: int) -> bytes:
    """Return half a second of noise as a WAV file."""
    file = io.BytesIO()
    noise = np.random.default_rng(number).uniform(-0.5, 0.5, audio.SAMPLE_RATE // 2)
    soundfile.write(file, noise, audio.SAMPLE_RATE, "PCM_16", format="WAV")
    return file.getvalue()


@lru_cache
def digest(number: int) -> str:
    """Return the digest of a recording, by which the script knows it."""
    return audio.pcm_digest(audio.load(AudioSource(label=clip(number), data=recording(number))))


def table(rows: Sequence[Sequence[str]], separator: str = ",", end: str = "\r\n") -> str:
    """Return rows as CSV."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, lineterminator=end).writerows(rows)
    return file.getvalue()


def plain(text: str) -> str:
    """Return a text with single spaces, as jiwer parts words at these alone."""
    return " ".join(text.split())


def damaged(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return bytes with one thing done to them, and what that is."""
    place = chance.randrange(len(data))
    length = chance.choice([1, 1, 2, 8, 64])
    junk = bytes(chance.randrange(256) for _ in range(length))
    what = chance.choice(
        ["flip a bit", "cut", "drop bytes", "put in bytes", "overwrite bytes", "repeat bytes", "zeros"]
    )
    changed = {
        "flip a bit": data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :],
        "cut": data[:place],
        "drop bytes": data[:place] + data[place + length :],
        "put in bytes": data[:place] + junk + data[place:],
        "overwrite bytes": data[:place] + junk + data[place + length :],
        "repeat bytes": data[: place + length] + data[place:],
        "zeros": data[:place] + bytes(length) + data[place + length :],
    }
    what = chance.choice([*changed])
    return f"{what} at {place} of {len(data)}", changed[what]
