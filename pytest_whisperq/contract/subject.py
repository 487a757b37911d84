"""What a backend is tested with: a checkpoint, a few clips, and a folder to build in."""

import shutil
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    Clip,
    Hypothesis,
    Transcriber,
    _whisper,
    check_installed,
    get_backend,
)
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus, subset
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import WhisperqError

CLIPS = 6
"""Clips of the embedded corpus that a subject hears unless it is given others."""


class ContractError(AssertionError):
    """A backend does not do what every gate relies on; the message says what it did instead."""


class Subject:
    """One backend at one precision: built and loaded when a check first needs it, and kept for the others.

    ``model`` is the checkpoint to build from (default: the embedded one), ``clips`` what is transcribed (default: six
    of the embedded corpus, in three languages).
    """

    def __init__(
        self,
        backend: Backend,
        *,
        precision: str = "",
        model: Path | None = None,
        clips: Sequence[Clip] | None = None,
        threads: int = 1,
    ) -> None:
        self.backend = backend
        self.precision = precision or backend.recommended
        self.threads = threads
        self._model = model
        self._clips = clips
        self._folder = tempfile.TemporaryDirectory(prefix="whisperq-contract-")

    @property
    def name(self) -> str:
        """Backend and precision, as a gate names them."""
        return f"{self.backend.name}:{self.precision}"

    @cached_property
    def clips(self) -> list[Clip]:
        """What is transcribed."""
        if self._clips is not None:
            return list(self._clips)
        chosen = subset(load_corpus(), CLIPS, seed=0).utterances
        return [Clip(samples=audio.load(item.audio), language=item.language) for item in chosen]

    @cached_property
    def directory(self) -> Path:
        """The built model."""
        return self.build("model")

    @cached_property
    def transcriber(self) -> Transcriber:
        """The loaded model."""
        return self.load(self.directory)

    @cached_property
    def hypotheses(self) -> list[Hypothesis]:
        """What it says about the clips, all in one batch."""
        return self.transcribe(self.transcriber, self.clips)

    @cached_property
    def rebuilt(self) -> tuple[Path, Path]:
        """The model built once more, from a copy of its base; and that copy."""
        source = self.folder("source")
        shutil.copytree(self.source, source, dirs_exist_ok=True)
        return self.build("again", source), source

    @cached_property
    def rebuilt_hypotheses(self) -> list[Hypothesis]:
        """What the model that was built once more says."""
        return self.transcribe(self.load(self.rebuilt[0]), self.clips)

    def build(self, name: str, source: Path | None = None) -> Path:
        """Build from the base or a copy of it, into a folder that begins with this name."""
        check_installed(self.backend, self.precision)
        source, directory = source or self.source, self.folder(name)
        calibrates = self.precision in self.backend.calibrated
        with _whisper.quiet_libraries():
            self.backend.build(self.precision, source, directory, self._calibration if calibrates else None)
        return directory

    def folder(self, name: str) -> Path:
        """Return a new, empty folder whose name begins like this."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder.name))

    def load(self, directory: Path) -> Transcriber:
        """Load a built model."""
        with _whisper.quiet_libraries():
            return self.backend.load(self.precision, directory, self.threads)

    def transcribe(self, transcriber: Transcriber, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; raise `ContractError` for anything but a list of as many sound hypotheses."""
        with _whisper.quiet_libraries():
            hypotheses = transcriber.transcribe(clips)
        if not isinstance(hypotheses, list) or not all(isinstance(hypothesis, Hypothesis) for hypothesis in hypotheses):
            raise ContractError(f"{self.name} answers with {type(hypotheses).__name__}, not with a list of Hypothesis")
        if len(hypotheses) != len(clips):
            raise ContractError(f"{self.name} answered {len(clips)} clips with {len(hypotheses)} hypotheses")
        for hypothesis in hypotheses:
            if (
                not isinstance(hypothesis.text, str)
                or not isinstance(hypothesis.tokens, tuple)
                or any(type(t) is not int for t in hypothesis.tokens)
            ):
                raise ContractError(f"{self.name}: a text must be a str, tokens a tuple of int (got {hypothesis!r})")
        return hypotheses

    @cached_property
    def source(self) -> Path:
        """The base artifact, itself built here, or the checkpoint."""
        return self._built(self.backend, self.precision)

    def _built(self, backend: Backend, precision: str) -> Path:
        base = backend.base(precision)
        if base is None:
            return self._model or package_data.model_directory()
        other, its_precision = get_backend(base[0]), base[1]
        if its_precision in other.calibrated:
            raise WhisperqError(f"{self.name} starts from {base[0]}:{its_precision}, which is calibrated itself")
        directory = self.folder(f"base-{base[0]}-{its_precision}")
        with _whisper.quiet_libraries():
            other.build(its_precision, self._built(other, its_precision), directory, None)
        return directory

    @property
    def _calibration(self) -> Calibration:
        return Calibration(summary="contract", identity="contract", clips=lambda: self.clips, alphas=(0.5, 0.95))
