"""The same checkpoint on the same backend, not quantized: what some gates compare a candidate with."""

from pytest_whisperq.backends import get_backend
from pytest_whisperq.config.candidates import explicit_candidate
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session
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


def other_precision(spec: ModelSpec) -> ModelSpec | None:
    """Return the model at float32, or None where it is that itself, or its backend has none."""
    return at_float32(spec) if spec.precision != "float32" else None


def timed_against(session: Session, spec: ModelSpec, named: str | None, marker: str) -> ModelSpec:
    """Return what a candidate is timed against; the run's baseline where its backend has no other float32.

    ``named`` is what a test asks for, ``BACKEND:PRECISION``. Raises `ConfigError` naming the gate's ``marker`` where
    that is the candidate itself.
    """
    if named is not None:
        chosen = explicit_candidate(named, f"{marker}: baseline")
        source = session.baseline_source if chosen == session.config.baseline else spec.source
        baseline = ModelSpec(backend=chosen.backend, precision=chosen.precision, source=source)
    else:
        baseline = other_precision(spec) or session.baseline_spec
    if baseline == spec:
        raise ConfigError(
            f"{spec} would be timed against itself",
            where=marker,
            remedy="name another model with baseline='BACKEND:PRECISION'",
        )
    return baseline
