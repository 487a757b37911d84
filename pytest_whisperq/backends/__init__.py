"""What a backend is, and where the built-in ones live.

A backend is one file: what it can build, how to build it, how to run it. Its module imports nothing heavy until `build`
or `load` runs, so that listing precisions costs nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pytest_whisperq.backends.capabilities import (
    Aligns,
    ChoosesCheckpoints,
    HearsLong,
    Mixed,
    MixesBlocks,
    MixesTypes,
    RoundsToGrid,
    RunsFiles,
    RunsOnDevices,
    RunsReadyMade,
    SharesProcessors,
    Staged,
    TellsDevice,
    TellsTimes,
    TellsWordTimes,
    Transcriber,
    Translates,
)
from pytest_whisperq.backends.registry import (
    BUILT_IN,
    check_installed,
    check_precision,
    code_digest,
    distributions,
    get_backend,
    in_all,
    names,
    refusal,
    register,
    runners,
)
from pytest_whisperq.backends.values import (
    Calibration,
    Clip,
    Grid,
    Hypothesis,
    Loss,
    Measure,
    Noise,
    ReadyMade,
    Requirement,
    Segment,
    Task,
    TimedText,
    TimedWord,
)

__all__ = [
    "BUILT_IN",
    "Aligns",
    "Backend",
    "Calibration",
    "ChoosesCheckpoints",
    "Clip",
    "Grid",
    "HearsLong",
    "Hypothesis",
    "Loss",
    "Measure",
    "Mixed",
    "MixesBlocks",
    "MixesTypes",
    "Noise",
    "ReadyMade",
    "Requirement",
    "RoundsToGrid",
    "RunsFiles",
    "RunsOnDevices",
    "RunsReadyMade",
    "Segment",
    "SharesProcessors",
    "Staged",
    "Task",
    "TellsDevice",
    "TellsTimes",
    "TellsWordTimes",
    "TimedText",
    "TimedWord",
    "Transcriber",
    "Translates",
    "check_installed",
    "check_precision",
    "code_digest",
    "distributions",
    "get_backend",
    "in_all",
    "names",
    "refusal",
    "register",
    "runners",
]


class Backend(Protocol):
    """One way to build and run a quantized Whisper. Subclass it: what most backends have in common is written here."""

    name: str
    precisions: Mapping[str, str]
    """Each precision it can build → the compute type that is expected to execute."""
    recommended: str
    """The precision of ``--whisperq-backend NAME`` by itself."""
    original: str = "float32"
    """The precision that is not quantized, with which speed, streams and long recordings of the others are compared."""
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
    controlled: frozenset[str] = frozenset()
    """Those of them whose `build` measures what it loses, and gets a `Calibration` with a `Measure`."""
    simulated: frozenset[str] = frozenset()
    """The precisions that are only imitated, in another arithmetic: none is timed, none is exported."""
    by_name: frozenset[str] = frozenset()
    """The precisions that ``--whisperq-precision all`` does not mean."""
    requirements: Mapping[str, Requirement] = MappingProxyType({})
    """The precisions that need packages of their own → which; the others neither need these nor depend on them."""

    build_memory: Mapping[str, float] = MappingProxyType({})
    """Precision → how many bytes `build` takes for each byte of the checkpoint's weights in float32, as measured.

    With it, a run warns of a build that will not fit into memory. Where none is given, it does not.
    """

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
