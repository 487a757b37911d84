"""What a backend is, and where the built-in ones live.

A backend is one file: what it can build, how to build it, how to run it. Its module imports nothing heavy until `build`
or `load` runs, so that listing precisions costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from pytest_whisperq import _lazy
from pytest_whisperq.errors import MissingDependency
from pytest_whisperq.spec import ModelSpec, unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What a transcriber hears: samples of shape (n,), 16 kHz mono float32, n ≤ 480,000; language None means detect."""

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

    A runtime that mixes types may say more in an attribute ``operations``, for people to read.
    """

    compute_type: str

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch greedily, task transcribe, without timestamps; one hypothesis a clip, in order.

        A clip without a language is decoded in the one detected.
        """
        ...


class Backend(Protocol):
    """One way to build and run a quantized Whisper."""

    name: str
    extra: str
    """The pytest-whisperq extra that installs it."""
    modules: tuple[str, ...]
    """Top-level modules without which it cannot work."""
    distributions: tuple[str, ...]
    """Distributions whose versions decide what is built and what is decoded."""
    precisions: Mapping[str, str]
    """Each precision it can build → the compute type that is expected to execute."""
    recommended: str
    """The precision of ``--whisperq-backend NAME`` by itself."""
    calibrated: frozenset[str]
    """The precisions whose `build` needs a `Calibration`."""
    weights: tuple[str, ...]
    """Glob patterns of the files that are the model's identity; the rest may carry dates and comments."""

    def falls_back(self) -> Mapping[str, str]:
        """Return the precisions that this machine would not execute as promised → why, in words."""
        ...

    def base(self, precision: str) -> tuple[str, str] | None:
        """Return the (backend, precision) whose artifact `build` starts from; None for the source checkpoint."""
        ...

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Write a complete model into the empty ``directory``, from the base artifact or checkpoint in ``source``.

        ``calibration`` is given for the precisions in `calibrated`, else None.
        """
        ...

    def load(self, precision: str, directory: Path, threads: int) -> Transcriber:
        """Load what `build` wrote."""
        ...


BACKENDS: Mapping[str, str] = MappingProxyType(
    {
        "ctranslate2": "pytest_whisperq.backends.ctranslate2:CTranslate2Backend",
        "faster-whisper": "pytest_whisperq.backends.faster_whisper:FasterWhisperBackend",
        "openvino": "pytest_whisperq.backends.openvino:OpenVINOBackend",
        "scripted": "pytest_whisperq.backends.scripted:ScriptedBackend",
        "transformers": "pytest_whisperq.backends.transformers:TransformersBackend",
    }
)
"""Backend name → where its class is, imported on first use."""

REAL_BACKENDS = tuple(name for name in BACKENDS if name != "scripted")
"""The backends that ``all`` stands for."""


def get_backend(name: str, option: str = "backend") -> Backend:
    """Return a backend by name; raise `ConfigError` naming ``option`` that lists the valid ones."""
    if name not in BACKENDS:
        raise unknown(f"{option}: unknown backend", name, BACKENDS)
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(import_module(module), attribute)()
    return backend


def promised(spec: ModelSpec) -> str:
    """Return the compute type that a precision stands for."""
    return get_backend(spec.backend).precisions[spec.precision]


def check_installed(backend: Backend) -> None:
    """Raise `MissingDependency` with the install line when a package of ``backend`` is absent."""
    if absent := _lazy.missing(backend.modules):
        raise MissingDependency(
            f"backend {backend.name!r} needs {', '.join(absent)}, not installed. "
            f"Run: {_lazy.install_line(backend.extra)}"
        )
