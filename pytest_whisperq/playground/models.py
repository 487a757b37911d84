"""The original and the candidate, loaded once for all browsers; whatever is decoded, one model computes at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_whisperq.backends import Clip, HearsLong, MixesTypes, Transcriber
from pytest_whisperq.decoding.errors import decode_errors
from pytest_whisperq.gates.baselines import other_precision
from pytest_whisperq.gates.streams import Listener, Streams
from pytest_whisperq.models.languages import known_languages
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session
from pytest_whisperq.speech.audio import SAMPLE_RATE, WINDOW_SECONDS
from pytest_whisperq.streaming import StreamWord
from pytest_whisperq.system.errors import ConfigError, CorpusError, MissingDependency

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROLES = ("original", "candidate")
"""Of the models, in their order."""

_WINDOW = round(WINDOW_SECONDS * SAMPLE_RATE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A loaded model. ``listener`` hears windows of a stream, where this machine has what that takes."""

    role: str
    spec: ModelSpec
    size: int
    transcriber: Transcriber
    listener: Listener | None

    @property
    def operations(self) -> str:
        """How many layers execute in which type, where the runtime tells; else ""."""
        return self.transcriber.operations if isinstance(self.transcriber, MixesTypes) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a model says about a recording of ``seconds``, and how many seconds that ``took``.

    ``language`` is the one that it detects; None where it tells none.
    """

    text: str
    language: str | None
    seconds: float
    took: float

    @property
    def speed(self) -> float:
        """RTFx: seconds of sound by seconds of computing."""
        return self.seconds / max(self.took, 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardWords:
    """What a model says in a window of a stream, and how many ms that took."""

    words: tuple[StreamWord, ...]
    took: float


class Models:
    """The two models of a playground. ``unstreamed`` says why none of them can be streamed; "" if they can."""

    def __init__(self, session: Session, *, against_baseline: bool = False) -> None:
        """Build and load the models; raise a `WhisperqError` where one cannot be.

        The original is the same checkpoint on the candidate's backend, not quantized, so that times tell of quantizing
        alone; the run's baseline where that is asked for, or where there is no such original.
        """
        if len(session.config.candidates) != 1:
            names = ", ".join(map(str, session.config.candidates)) or "none"
            raise ConfigError(
                f"names {names}, where one is compared with the original",
                where="--candidate",
                remedy="name one, such as openvino:int8-ptq",
            )
        (candidate,) = session.config.candidates
        self._decoder = session.decoder
        self._lock = threading.Lock()
        self._is_warm: set[tuple[str, bool]] = set()
        self.unstreamed = ""
        streams = session.once(Streams)
        self.windows = streams.windows
        self.languages = known_languages(session.source)
        spec = session.spec(candidate)
        original = None if against_baseline else other_precision(spec)
        specs = (original or session.baseline_spec, spec)
        self.both = tuple(self._load(session, streams, *pair) for pair in zip(ROLES, specs, strict=True))

    def _load(self, session: Session, streams: Streams, role: str, spec: ModelSpec) -> Played:
        artifact = session.store.intact(spec)
        listener = None
        try:
            listener = streams.listener(artifact)
        except MissingDependency as error:
            self.unstreamed = str(error)
        transcriber = listener.transcriber if listener else session.decoder.load(artifact)
        return Played(role=role, spec=spec, size=artifact.size, transcriber=transcriber, listener=listener)

    def hear(self, samples: NDArray[np.float32], language: str | None) -> tuple[Heard, ...]:
        """Return what each model says about a recording, shape (n,), 16 kHz mono, of any length.

        Raises `CorpusError` for one without sound, `ConfigError` where it is too long for a model.
        """
        if not len(samples):
            raise CorpusError("contains no samples", where="the recording", remedy="record it again")
        return tuple(self._timed(model, samples, language) for model in self.both)

    def _timed(self, model: Played, samples: NDArray[np.float32], language: str | None) -> Heard:
        clip = Clip(samples=samples[:_WINDOW], language=language)

        def hear() -> tuple[str, str | None]:
            if len(samples) <= _WINDOW:
                (said,) = model.transcriber.transcribe([clip])
                return said.text, said.language
            if not isinstance(model.transcriber, HearsLong):
                raise ConfigError(
                    f"{model.spec.backend} hears {WINDOW_SECONDS:g} s and no more",
                    where="the recording",
                    remedy="choose a shorter one",
                )
            return model.transcriber.transcribe_long(samples, language), language

        warm_up = lambda: model.transcriber.transcribe([clip])  # noqa: E731
        (text, told), took = self._decode(model, hear, warm_up, is_stream=False)
        return Heard(text=text, language=told, seconds=len(samples) / SAMPLE_RATE, took=took)

    def listen(self, samples: NDArray[np.float32], begun: int, language: str | None) -> tuple[HeardWords, ...]:
        """Return what each model hears in a window of a stream that begins ``begun`` ms after it."""
        clip = Clip(samples=samples, language=language)
        return tuple(self._windowed(model, clip, begun) for model in self.both)

    def _windowed(self, model: Played, clip: Clip, begun: int) -> HeardWords:
        listener = model.listener
        if listener is None:
            raise ConfigError(self.unstreamed, where="streaming")
        (words, took), _ = self._decode(
            model, lambda: listener.words(clip, begun), lambda: listener.hear(clip), is_stream=True
        )
        return HeardWords(words=words, took=took)

    def _decode(
        self, model: Played, hear: Callable[[], T], warm_up: Callable[[], object], *, is_stream: bool
    ) -> tuple[T, float]:
        """Return what ``hear`` returns and the seconds that took; the first inference of a runtime is no measure."""
        with self._lock, decode_errors(f"{model.spec} failed on the recording"):
            self._decoder.settle(model.transcriber)
            if (key := (model.role, is_stream)) not in self._is_warm:
                warm_up()
                self._is_warm.add(key)
            begun = time.perf_counter()
            said = hear()
            return said, time.perf_counter() - begun
