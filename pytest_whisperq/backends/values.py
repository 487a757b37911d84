"""What goes into a transcriber and what comes out of one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Task = Literal["transcribe", "translate"]
"""What a Whisper is asked for, by its own name: what is said, in the language that is spoken or in English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a precision needs beyond its backend.

    ``extra`` is the pytest-whisperq extra that installs it, empty where there is none. ``modules`` and
    ``distributions`` are added to those of the backend.
    """

    extra: str
    modules: tuple[str, ...]
    distributions: tuple[str, ...]


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
class TimedWord:
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
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedText:
    """What a model said about one clip and when. No words where the runtime cannot tell their times."""

    segments: tuple[Segment, ...]
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The drop of accuracy between two texts of each calibration clip, in points, its upper bound, and the limit."""

    value: float | None
    upper: float | None
    limit: float
    clips: int

    @property
    def passes(self) -> bool:
        """Whether the bound is below the limit."""
        return self.upper is not None and self.upper < self.limit

    def __str__(self) -> str:
        value, upper = ("none" if one is None else f"{one:+.2f}" for one in (self.value, self.upper))
        verb = "is" if self.passes else "is not"
        return (
            f"a drop of {value} points on {self.clips} calibration clips, whose upper bound {upper} {verb} below "
            f"{self.limit:.2f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a build measures what it loses on the calibration set; ``identity`` digests all that decides that.

    ``limit`` is what the bound has to be below, in points: infinite where so few clips bound nothing. ``between`` takes
    what float32 and what another model says about each clip.
    """

    identity: str
    limit: float
    between: Callable[[Sequence[str], Sequence[str]], Loss]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What static quantization measures activations on.

    ``summary`` says it to people, ``identity`` digests clips and settings, ``clips`` decodes the audio when called.
    ``alphas`` are the SmoothQuant strengths of encoder and decoder: 0 leaves outliers in the activations, 1 moves them
    into the weights (Xiao et al., arXiv:2211.10438). ``speaks`` is False for random weights, whose tokens are a draw
    that any noise changes. ``measure`` is given to the precisions in `Backend.controlled`.
    """

    summary: str
    identity: str
    clips: Callable[[], list[Clip]]
    alphas: tuple[float, float]
    speaks: bool = True
    measure: Measure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What one block does when it alone is quantized: SQNR in dB of what it says itself, and of the scores of tokens.

    ``layer`` is its noisiest layer, and ``layer_alone`` the SQNR of that by itself; "" and None for a block without
    layers that multiply, as an embedding is.
    """

    block: float
    scores: float
    layer: str = ""
    layer_alone: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How a build rounds weights: to one of ``levels`` codes, −levels/2 … levels/2 − 1, times a scale of float16.

    ``group`` weights of a row share a scale; None: all of it. ``positions``: the decoder's are rounded too.
    """

    levels: int
    group: int | None
    positions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyMade:
    """What a folder holds that somebody else has converted a model into; see `RunsReadyMade`.

    ``precisions`` has what it can be loaded as → the compute type that is expected to execute; the first is how it is
    stored. ``files`` are the names of all that belongs to it, and ``lacks`` of what transcribing needs beside them.
    ``sizes`` are those that the files tell, by their names in ``config.json`` (``d_model``, ``num_mel_bins`` …).
    """

    directory: Path
    precisions: Mapping[str, str]
    files: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def stored(self) -> str:
        """The precision that it is stored in."""
        return next(iter(self.precisions))
