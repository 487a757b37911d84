"""What a backend is, and where the built-in ones live.

A backend is one file: what it can build, how to build it, how to run it. Its module imports nothing heavy until `build`
or `load` runs, so that listing precisions costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_whisperq.backends.registry import (
    BUILT_IN,
    check_installed,
    check_precision,
    code_digest,
    get_backend,
    in_all,
    names,
    register,
)

__all__ = [
    "BUILT_IN",
    "Backend",
    "Calibration",
    "Clip",
    "Hypothesis",
    "Segment",
    "Staged",
    "TimedText",
    "Transcriber",
    "Word",
    "check_installed",
    "check_precision",
    "code_digest",
    "get_backend",
    "in_all",
    "names",
    "register",
]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What a transcriber hears: samples of shape (n,), 16 kHz mono float32; language None means detect.

    At most 30 s (n ≤ 480,000), but for a long recording.
    """

    samples: "NDArray[np.float32]"
    language: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """What a model said about one clip. ``tokens`` are the generated ids without prompt and end of text.

    ``language`` is the one the model detects, whatever language it was told; None for a model that knows only one.
    """

    text: str
    tokens: tuple[int, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word and when it was said, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What was said between two times, in seconds; words only where they were asked for."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedText:
    """What a model said about one clip and when. No words where the runtime cannot tell their times."""

    segments: tuple[Segment, ...]
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What static quantization measures activations on.

    ``summary`` says it to people, ``identity`` digests clips and settings, ``clips`` decodes the audio when called.
    ``alphas`` are the SmoothQuant strengths of encoder and decoder: 0 leaves outliers in the activations, 1 moves them
    into the weights (Xiao et al., arXiv:2211.10438).
    """

    summary: str
    identity: str
    clips: Callable[[], list[Clip]]
    alphas: tuple[float, float]


class Transcriber(Protocol):
    """A loaded model. ``compute_type`` is read back from the runtime, never assumed.

    A runtime that mixes types may say more in an attribute ``operations``, for people to read. One that hears
    recordings of any length has a method ``transcribe_long(samples, language) -> str``, one that says when it hears
    what ``transcribe_timed(clips) -> list[TimedText]``, one that decodes streams ``transcribe_words(clip) ->
    tuple[Word, ...]``, where times are found out and not spread evenly; all greedy like `transcribe`. One that can be
    gated on speed is `Staged` too. One that computes elsewhere than in torch has an attribute ``torch_threads = 1``:
    torch's threads spin for a while after what they did for it, on the processors that its own then wait for.
    """

    compute_type: str

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch greedily, task transcribe, without timestamps; one hypothesis a clip, in order.

        A clip without a language is decoded in the one detected.
        """
        ...


class Staged(Protocol):
    """A transcriber whose stages can be timed apart, one clip of one window at a time, for the speed gates.

    What one method returns goes into the next, in whatever form the runtime takes it.
    """

    def prepare(self, clip: Clip) -> Any:
        """Return the features of a clip, padded to the model's 30 s window."""
        ...

    def encode(self, features: Any) -> Any:
        """Run the encoder over the window. What it returns has to outlive the next call."""
        ...

    def replay(self, heard: Any, clip: Clip, tokens: Sequence[int]) -> None:
        """Let the decoder say ``tokens``, one after the other, whatever it would say itself; the clip has a language.

        A runtime that takes no tokens from outside says as many of its own: a step costs the same for any token.
        Raises `DecodeError` if it said more or fewer.
        """
        ...


class Backend(Protocol):
    """One way to build and run a quantized Whisper. Subclass it: what most backends have in common is written here."""

    name: str
    precisions: Mapping[str, str]
    """Each precision it can build → the compute type that is expected to execute."""
    recommended: str
    """The precision of ``--whisperq-backend NAME`` by itself."""
    weights: tuple[str, ...]
    """Glob patterns of the files that are the model's identity; the rest may carry dates and comments."""
    extra: str = ""
    """The pytest-whisperq extra that installs it; empty for a backend that comes with a package of its own."""
    modules: tuple[str, ...] = ()
    """Top-level modules without which it cannot work."""
    distributions: tuple[str, ...] = ()
    """Distributions whose versions decide what is built and what is decoded."""
    calibrated: frozenset[str] = frozenset()
    """The precisions whose `build` needs a `Calibration`."""

    in_all: bool = True
    """Whether ``--whisperq-backend all`` means it too."""

    def falls_back(self) -> Mapping[str, str]:
        """Return the precisions that this machine would not execute as promised → why, in words."""
        return {}

    def base(self, precision: str) -> tuple[str, str] | None:
        """Return the (backend, precision) whose artifact `build` starts from; None for the source checkpoint."""
        return None

    def build(
        self, precision: str, source: Path, directory: Path, calibration: Calibration | None
    ) -> Sequence[str] | None:
        """Write a complete model into the empty ``directory``, from the base artifact or checkpoint in ``source``.

        ``calibration`` is given for the precisions in `calibrated`, else None. Returns what people should know of the
        model whatever its gates say, a sentence each, such as layers that were left in float32.
        """
        ...

    def load(self, precision: str, directory: Path, threads: int) -> Transcriber:
        """Load what `build` wrote."""
        ...
