"""Small worlds to test in: folders of recordings, models that follow a script, transcripts out of thin air."""

import csv
import ctypes
import gc
import io
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import pytest
import soundfile

from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber
from pytest_whisperq.decoding.transcript_cache import TranscriptSet
from pytest_whisperq.history.document import SCHEMA, StoredRun, rows_digest
from pytest_whisperq.measuring import stopwatch, timing
from pytest_whisperq.measuring.contention import ProcessorState
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech import audio, normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance, load_corpus

pytest_plugins = ["pytester"]

TOGETHER = ("tests/integration/test_[a-z_]+", "tests/property/test_merge")
"""Tests that one xdist worker runs: a file of real models keeps them loaded, and streams of merges are drawn once."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests `TOGETHER` in one worker, the largest group first, and spread all others one by one.

    The marker ``xdist_group`` would, but not with pytest 9.2: xdist 3.8 writes the group into a field that is gone.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((match[0] for group in TOGETHER if (match := re.match(group, nodeid))), nodeid)

    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what takes minutes, unless ``-m`` names it: ``matrix`` and ``real`` are environments of tox."""
    slow = [name for name in ("matrix", "real") if name not in config.option.markexpr]
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in slow)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Let no garbage collection look at what is loaded by now: thousands of short runs collect hundreds of times."""
    gc.collect()
    gc.freeze()


class MakeCorpus(Protocol):
    """What the fixture `make_corpus` returns."""

    def __call__(
        self, directory: Path, texts: Sequence[str], columns: Mapping[str, Sequence[str]] | None = None
    ) -> Path: ...


class MakeScript(Protocol):
    """What the fixture `make_script` returns."""

    def __call__(
        self, directory: Path, corpus: Path, hypotheses: Mapping[str, Sequence[str | None] | None]
    ) -> Path: ...


class MakePairs(Protocol):
    """What the fixture `make_pairs` returns."""

    def __call__(
        self,
        references: Sequence[str],
        baseline: Sequence[str] | None = None,
        candidate: Sequence[str] | None = None,
        *,
        clips: Sequence[str] | None = None,
        clusters: Sequence[str] | None = None,
        languages: Sequence[str | None] | None = None,
        kinds: Sequence[str] | None = None,
        slices: Sequence[dict[str, str]] | None = None,
        spoken: Sequence[str | None] | None = None,
    ) -> PairedTexts: ...


class MakeStored(Protocol):
    """What the fixture `make_stored` returns."""

    def __call__(
        self,
        name: str,
        errors: Mapping[str, Sequence[int]],
        *,
        words: int = 6,
        ids: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> StoredRun: ...


@pytest.fixture(scope="session")
def make_stored() -> MakeStored:
    """Make a stored run: errors of the baseline, which comes first, and of candidates, in clips of so many words.

    ``ids`` name the clips, and their sounds; ``changes`` replaces parts of the document, by dotted path.
    """

    def make(
        name: str,
        errors: Mapping[str, Sequence[int]],
        *,
        words: int = 6,
        ids: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> StoredRun:
        count = len(next(iter(errors.values())))
        names = list(ids or map(str, range(count)))
        model = {
            "source": "micro",
            "source_identity": "1",
            "identity": "w",
            "calibration": "",
            "compute_type": "int8",
            "versions": {},
        }
        rows = [
            {
                "id": f"{one}.wav",
                "clip": f"sound of {one}",
                "said": "",
                "cluster": one,
                "length": words,
                "errors": {model: list(found)[number] for model, found in errors.items()},
            }
            for number, one in enumerate(names)
        ]
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "redacted": False,
            "verdict": "PASS",
            "settings": {"normalizer": "identity (1)", "metric": "wer"},
            "corpus": {"digest": rows_digest(rows)},
            "environment": {"python": "3", "platform": "x", "cpu": "x86_64", "threads": 2, "versions": {"torch": "1"}},
            "models": {
                one: {**model, "role": "candidate" if number else "baseline"} for number, one in enumerate(errors)
            },
            "gates": [],
            "utterances": rows,
        }
        for path, value in (changes or {}).items():
            *folders, last = path.split(".")
            place = document
            for folder in folders:
                place = place[folder]
            place[last] = value
        return StoredRun(name=name, document=document)

    return make


@pytest.fixture(scope="session")
def make_corpus() -> MakeCorpus:
    """Write an audiofolder: a second and a half of its own noise for each text, and ``metadata.csv`` with ``columns``.

    A text that is empty needs ``columns={"kind": [… "nonspeech" …]}``. Returns ``directory``.
    """

    def make(directory: Path, texts: Sequence[str], columns: Mapping[str, Sequence[str]] | None = None) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        extra = dict(columns or {})
        with (directory / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["file_name", "text", *extra])
            for number, text in enumerate(texts):
                name = f"clip{number:04}.wav"
                (directory / name).write_bytes(_noise(number))
                table.writerow([name, text, *(column[number] for column in extra.values())])
        return directory

    return make


@lru_cache(maxsize=1024)
def _noise(number: int) -> bytes:
    file = io.BytesIO()
    # As long as it takes to say what the tests' longest texts say: a run doubts what nobody can say in the time. As on
    # a telephone, for thousands of such files are written.
    noise = np.random.default_rng(number).uniform(-0.5, 0.5, 12_000)
    soundfile.write(file, noise, 8_000, "PCM_U8", format="WAV")
    return file.getvalue()


@lru_cache(maxsize=1024)
def _digest(recording: bytes, offset: float, seconds: float | None) -> str:
    source = AudioSource(label="recording", data=recording, offset=offset, seconds=seconds)
    return audio.pcm_digest(audio.load(source))


@pytest.fixture(scope="session")
def make_script() -> MakeScript:
    """Write a model directory for the scripted backend: per precision what it says, in the order of the corpus.

    ``hypotheses`` maps a precision to one text a clip; None instead of the list means it says the references, None for
    a clip makes the transcriber fail there. Returns ``directory``, to be given as ``--whisperq-model``.
    """

    def make(directory: Path, corpus: Path, hypotheses: Mapping[str, Sequence[str | None] | None]) -> Path:
        utterances = load_corpus(corpus).utterances
        digests = []
        for item in utterances:
            with item.audio.open() as file:
                digests.append(_digest(file.read(), item.audio.offset, item.audio.seconds))
        said = {
            precision: dict(zip(digests, [u.reference for u in utterances] if texts is None else texts, strict=True))
            for precision, texts in hypotheses.items()
        }
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "scripted.json").write_text(json.dumps(said), encoding="utf-8")
        return directory

    return make


@pytest.fixture(scope="session")
def make_pairs() -> MakePairs:
    """Put transcripts side by side without audio or model; what is left out says the references.

    ``languages`` are those that the candidate detects, ``spoken`` those that the corpus states.
    """

    def make(
        references: Sequence[str],
        baseline: Sequence[str] | None = None,
        candidate: Sequence[str] | None = None,
        *,
        clips: Sequence[str] | None = None,
        clusters: Sequence[str] | None = None,
        languages: Sequence[str | None] | None = None,
        kinds: Sequence[str] | None = None,
        slices: Sequence[dict[str, str]] | None = None,
        spoken: Sequence[str | None] | None = None,
    ) -> PairedTexts:
        utterances = tuple(
            Utterance(
                id=f"clip{number:04}.wav",
                where=f"metadata.csv:{number + 2}",
                audio=AudioSource(label=f"clip{number:04}.wav"),
                reference=text,
                language=spoken[number] if spoken else None,
                cluster=clusters[number] if clusters else "",
                kind=kinds[number] if kinds else "",
                slices=tuple(slices[number].items()) if slices else (),
            )
            for number, text in enumerate(references)
        )
        sets = (
            _transcripts(precision, references if texts is None else texts, clips, heard)
            for precision, texts, heard in (("float32", baseline, None), ("int8", candidate, languages))
        )
        return pair_texts(Corpus(name="made", utterances=utterances), normalizers.get("identity"), *sets)

    return make


def _transcripts(
    precision: str, texts: Sequence[str], clips: Sequence[str] | None, languages: Sequence[str | None] | None
) -> TranscriptSet:
    source = SourceModel(name="made", directory=Path("nowhere"), identity="made")
    spec = ModelSpec(backend="scripted", precision=precision, source=source)
    artifact = Artifact(spec=spec, key="", directory=source.directory, identity="", size=0, build_seconds=0.0)
    return TranscriptSet(
        spec=spec,
        artifact=artifact,
        compute_type=precision,
        operations="",
        clips=tuple(clips or map(str, range(len(texts)))),
        texts=tuple(texts),
        languages=tuple(languages or ["en"] * len(texts)),
    )


class VirtualTime:
    """Seconds that pass when a scripted model takes them, and a little for everything else."""

    def __init__(self) -> None:
        self.now = 0.0

    def take(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += seconds

    def read(self) -> float:
        """Look at the clock."""
        self.now += 1e-6
        return self.now


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    """Time scripted models on a clock of our own, on which nothing else ever computes."""
    clock = VirtualTime()
    monkeypatch.setattr(ScriptedTranscriber, "_take", staticmethod(clock.take))
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(perf_counter=clock.read))
    clocks = {"clock": clock.read, "cpu": clock.read}
    monkeypatch.setattr(stopwatch, "rounds", partial(timing.rounds, **clocks, state=ProcessorState))
    monkeypatch.setattr(timing, "settle", lambda: None)
    return clock


class Driver:
    """NVIDIA's driver as far as it is asked which GPU there is; it answers with ``code``, 0 when all is well."""

    name, capability, version = b"NVIDIA Double", (8, 9), 12_040
    code = 0

    def cuInit(self, flags: int) -> int:  # noqa: N802 - of the library
        """Begin."""
        return self.code

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802 - of the library
        """Return a GPU."""
        device._obj.value = number
        return self.code

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802 - of the library
        """Return its name."""
        name.value = self.name
        return self.code

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
        """Return its compute capability, by the numbers of cuda.h."""
        value._obj.value = {75: self.capability[0], 76: self.capability[1]}[attribute]
        return self.code

    def cuDriverGetVersion(self, value: Any) -> int:  # noqa: N802 - of the library
        """Return the newest CUDA that it knows."""
        value._obj.value = self.version
        return self.code


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Have the system's driver be a double, which a test may change."""
    double, load = Driver(), ctypes.CDLL
    monkeypatch.setattr(
        ctypes,
        "CDLL",
        lambda name, *more, **options: double if name == "libcuda.so.1" else load(name, *more, **options),
    )
    return double


@pytest.fixture
def scripted_gpu(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> Driver:
    """Let the scripted backend run on a GPU, where it says what it says on the CPU."""

    def load_on(
        self: ScriptedBackend, device: str, precision: str, directory: Path, threads: int
    ) -> ScriptedTranscriber:
        model = self.load(precision, directory, threads)
        model.device = device  # type: ignore[attr-defined]
        return model

    for name, value in (
        ("on_device", {"cuda": ("int8", "float32")}),
        ("lacks", lambda self, device: ""),
        ("falls_back_on", lambda self, device: {}),
        ("load_on", load_on),
    ):
        monkeypatch.setattr(ScriptedBackend, name, value, raising=False)
    return driver
