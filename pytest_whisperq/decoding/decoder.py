"""Run models: load one, make sure that it executes what it promises, decode batches of clips or long recordings."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from pytest_whisperq.backends import (
    Clip,
    HearsLong,
    Hypothesis,
    SharesProcessors,
    Task,
    TellsTimes,
    TimedText,
    Transcriber,
    Translates,
    devices,
    get_backend,
)
from pytest_whisperq.decoding.errors import decode_errors
from pytest_whisperq.models.ready_made import names_folder
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact, ArtifactStore
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import WINDOW_SECONDS
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.speech.corpus.longform import LongRecording
from pytest_whisperq.system.devices import OPTION as DEVICE_OPTION
from pytest_whisperq.system.errors import ConfigError, DecodeError

_Decoded = TypeVar("_Decoded", Hypothesis, TimedText)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""


class Decoder:
    """Decodes with the models of a store; keeps nothing of what they say."""

    def __init__(
        self, store: ArtifactStore, *, threads: int, batch: int, progress: Progress, allow_fallback: bool = False
    ) -> None:
        self.store = store
        self.progress = progress
        self.threads = threads
        self.batch = batch
        self._allow_fallback = allow_fallback

    def load(self, artifact: Artifact) -> Transcriber:
        """Load a built model; raise `DecodeError` when it cannot be, or executes what it should not."""
        spec = artifact.spec
        backend = get_backend(spec.backend)
        with decode_errors(f"{spec} was built but cannot be loaded"), names_folder(spec.folder):
            transcriber = devices.load(backend, spec.device, spec.precision, artifact.directory, self.threads)
        self.settle(transcriber)
        self.attest_device(spec, devices.where(transcriber))
        self.attest(spec, transcriber.compute_type)
        return transcriber

    def settle(self, transcriber: object) -> None:
        """Give torch the threads that what decodes wants it to have, see `settle`."""
        settle(transcriber, self.threads)

    def attest_device(self, spec: ModelSpec, device: str) -> None:
        """Raise `DecodeError` unless a model is on the device of its run: no fallback is to another one."""
        if device != spec.device:
            raise DecodeError(
                f"{spec} was to run on {spec.device}, and its runtime says that it is on {device}; its figures would "
                "be those of another device",
                where=DEVICE_OPTION,
                remedy="mend the runtime, or name the device that it uses",
            )

    def attest(self, spec: ModelSpec, compute_type: str) -> None:
        """Raise `DecodeError` unless what executes is what the precision promises, or a fallback is allowed.

        A ready-made model of which no precision was asked for is gated as what the runtime makes of it.
        """
        is_free = self._allow_fallback or (spec.folder is not None and not spec.folder.is_asked)
        if compute_type != spec.promised and not is_free:
            other = "choose a precision this machine runs"
            if spec.folder:
                other = f"have it loaded as another precision (whisperq inspect {spec.folder.directory} lists them)"
            raise DecodeError(
                f"{spec} was asked for but {compute_type!r} executes here, not {spec.promised!r}; "
                "its figures would be those of another model",
                remedy=f"{other}, or gate what it falls back to with --whisperq-allow-fallback",
            )

    def run(
        self, spec: ModelSpec, transcriber: Transcriber, batch: Sequence[Utterance], task: Task = "transcribe"
    ) -> list[Hypothesis]:
        """Decode one batch; raise `DecodeError` naming its clips when that fails.

        Raises `ConfigError` for a backend that does not translate, where that is the task.
        """
        return self._ask(spec, hearing(spec.backend, transcriber, task), batch)

    def _ask(
        self, spec: ModelSpec, hear: Callable[[Sequence[Clip]], list[_Decoded]], batch: Sequence[Utterance]
    ) -> list[_Decoded]:
        clips = clips_of(batch)
        with batch_errors(spec, batch):
            hypotheses = hear(clips)
        return answers(spec, hypotheses, len(batch))

    def batches(self, items: Sequence[Utterance]) -> list[Sequence[Utterance]]:
        """Cut a list into the batches that are decoded at once."""
        return [items[start : start + self.batch] for start in range(0, len(items), self.batch)]

    def anew(self, spec: ModelSpec, corpus: Corpus, times: int) -> tuple[str, list[list[Hypothesis]]]:
        """Return the compute type, and what a model says about ``corpus`` each time; nothing comes from the cache."""
        transcriber = self.load(self.store.intact(spec))
        batches = self.batches(corpus.utterances)
        runs = []
        for number in range(times):
            self.progress(f"{spec} decodes again", number, times)
            runs.append([hypothesis for batch in batches for hypothesis in self.run(spec, transcriber, batch)])
        self.progress(f"{spec} decodes again", times, times)
        return transcriber.compute_type, runs

    def timed(self, spec: ModelSpec, corpus: Corpus) -> tuple[Artifact, Transcriber, list[TimedText]]:
        """Return artifact and transcriber of a model, and what it says about ``corpus`` and when.

        Raises `ConfigError` for a backend that tells no times.
        """
        artifact = self.store.intact(spec)
        transcriber = self.load(artifact)
        if not isinstance(transcriber, TellsTimes):
            raise ConfigError(
                f"{spec.backend} tells no times", where="whisperq_timestamps", remedy="gate another backend with it"
            )
        texts: list[TimedText] = []
        for batch in self.batches(corpus.utterances):
            texts += self._ask(spec, transcriber.transcribe_timed, batch)
            self.progress(f"{spec} decodes with timestamps", len(texts), len(corpus.utterances))
        return artifact, transcriber, texts

    def translates(self, spec: ModelSpec) -> bool:
        """Load a model and return whether its backend translates."""
        return isinstance(self.load(self.store.get(spec)), Translates)

    def hears_long(self, spec: ModelSpec) -> bool:
        """Load a model and return whether it hears more than one window."""
        return isinstance(self.load(self.store.get(spec)), HearsLong)

    def long(self, spec: ModelSpec, recordings: Sequence[LongRecording]) -> tuple[Artifact, Transcriber, list[str]]:
        """Return artifact and transcriber of a model, and what it says in recordings of any length.

        Raises `ConfigError` for a backend that has no way to hear more than one window.
        """
        artifact = self.store.intact(spec)
        transcriber = self.load(artifact)
        if not isinstance(transcriber, HearsLong):
            raise ConfigError(
                f"{spec.backend} hears {WINDOW_SECONDS:g} s and no more",
                where="whisperq_longform",
                remedy="gate another backend with it",
            )
        texts = []
        for number, recording in enumerate(recordings):
            self.progress(f"{spec} decodes long recordings", number, len(recordings))
            with decode_errors(f"{spec} failed on the long recording {recording.audio.label}"):
                texts.append(transcriber.transcribe_long(audio.load(recording.audio), recording.language))
        self.progress(f"{spec} decodes long recordings", len(recordings), len(recordings))
        return artifact, transcriber, texts


def settle(transcriber: object, threads: int) -> None:
    """Give torch the threads that what decodes wants it to have; where it is not told it takes all cores."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(transcriber.torch_threads if isinstance(transcriber, SharesProcessors) else threads)


def hearing(backend: str, transcriber: Transcriber, task: Task) -> Callable[[Sequence[Clip]], list[Hypothesis]]:
    """Return what hears clips with a task; raise `ConfigError` for a backend that does not translate, asked to."""
    if task == "transcribe":
        return transcriber.transcribe
    if not isinstance(transcriber, Translates):
        raise ConfigError(
            f"{backend} does not translate", where="whisperq_translation", remedy="gate another backend with it"
        )
    return transcriber.translate


def clips_of(batch: Sequence[Utterance]) -> list[Clip]:
    """Return what a model hears of utterances; raise `CorpusError` for a recording that cannot be read."""
    return [Clip(samples=audio.load(item.audio), language=item.language) for item in batch]


def batch_errors(spec: ModelSpec, batch: Sequence[Utterance]) -> AbstractContextManager[None]:
    """Name model and clips in whatever is raised while a batch is decoded, see `decode_errors`."""
    names = ", ".join(item.id for item in batch[:3])
    what = f"{spec} failed on a batch of {len(batch)} clips ({names} …)"
    return decode_errors(what, where=f"{spec} at {batch[0].where}")


def answers(spec: ModelSpec, hypotheses: object, count: int) -> list[_Decoded]:
    """Return what a model says about ``count`` clips; raise `DecodeError` where that is not as many hypotheses."""
    if not isinstance(hypotheses, list) or len(hypotheses) != count:
        raise DecodeError(
            f"{spec} did not answer {count} clips with as many hypotheses", remedy="its backend is broken"
        )
    return hypotheses
