"""Whether the machine has the memory that a build takes, asked before it begins: it would be killed without a word."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import get_backend
from pytest_whisperq.models.source import ModelSpec, SourceModel

LIBRARIES = 1_000_000_000
"""Bytes that a build takes whatever the model: the runtime's libraries, torch, and the sound of calibration.

Measured by ``tests/benchmarks/build_memory.py``, as `Backend.build_memory` is.
"""


def shortages(specs: Iterable[ModelSpec], available: int | None) -> list[str]:
    """Return a warning for each checkpoint of which something is built that takes more than ``available`` bytes.

    None available: nobody knows, so nothing is said. Only headers of weights are read. Ready-made models are not built,
    and a backend may say nothing of the memory it takes.
    """
    short: dict[SourceModel, dict[ModelSpec, int]] = {}
    for spec in specs:
        if available is not None and (needed := build_bytes(spec) or 0) > available:
            short.setdefault(spec.source, {})[spec] = needed
    return [_warning(source, needed, available or 0) for source, needed in short.items()]


def build_bytes(spec: ModelSpec) -> int | None:
    """Return how many bytes of memory building a model takes, about; None where that is not known."""
    factor = get_backend(spec.backend).build_memory.get(spec.precision)
    if spec.folder or factor is None:
        return None
    weights = weight_bytes(spec.source.directory)
    return None if weights is None else LIBRARIES + round(factor * weights)


def _warning(source: SourceModel, needed: Mapping[ModelSpec, int], available: int) -> str:
    largest = sorted(needed.items(), key=lambda one: -one[1])
    builds = ", ".join(f"{spec} about {size / 1e9:.1f} GB" for spec, size in largest)
    weights = (weight_bytes(source.directory) or 0) / 1e9
    return (
        f"warning: building of {source.name} ({weights:.1f} GB of weights in float32) takes memory: {builds}. "
        f"{available / 1e9:.1f} GB are available, so that the system may end the run. End other programs, or convert "
        "the model on a larger machine and gate it as it lies (BACKEND@FOLDER)"
    )


def weight_bytes(directory: Path) -> int | None:
    """Return how many bytes a checkpoint's weights are in float32; None where they do not say.

    Source: the safetensors format: eight bytes with the length of a JSON header, little-endian; the header has the
    shape of each tensor.
    """
    whole = directory / "model.safetensors"
    total = 0
    for path in [whole] if whole.is_file() else sorted(directory.glob("model-*.safetensors")):
        try:
            total += sum(4 * math.prod(one["shape"]) for name, one in _header(path).items() if name != "__metadata__")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # whoever reads the weights says so
            return None
    return total or None


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("the header is longer than the file")
        header: dict[str, Any] = json.loads(file.read(length))
    return header
