"""The same checkpoint on the same backend, not quantized: what some gates compare a candidate with."""

from pytest_whisperq.backends import get_backend
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.system.errors import ConfigError


def at_float32(spec: ModelSpec) -> ModelSpec | None:
    """Return the model at float32, or None where its backend has no float32."""
    if "float32" not in get_backend(spec.backend).precisions:
        return None
    return ModelSpec(backend=spec.backend, precision="float32", source=spec.source)


def unquantized(spec: ModelSpec, gate: str) -> ModelSpec:
    """Return the model at float32; raise `ConfigError` naming the ``gate`` where its backend has no float32."""
    model = at_float32(spec)
    if model is None:
        raise ConfigError(f"{spec.backend} has no float32 to compare {spec} with", where=f"whisperq_{gate}")
    return model
