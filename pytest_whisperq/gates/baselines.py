"""The same checkpoint on the same backend, not quantized: what some gates compare a candidate with."""

from pytest_whisperq.backends import devices, get_backend
from pytest_whisperq.config.candidates import explicit_candidate, placed
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import ConfigError


def at_original(spec: ModelSpec) -> ModelSpec | None:
    """Return the model at the precision of its backend that is not quantized, mostly float32; None without one."""
    backend = get_backend(spec.backend)
    if backend.original not in devices.precisions(backend, spec.device):
        return None
    return ModelSpec(backend=spec.backend, precision=backend.original, source=spec.source, device=spec.device)


def unquantized(spec: ModelSpec, gate: str) -> ModelSpec:
    """Return the same as `at_original`; raise `ConfigError` naming the ``gate`` where there is none."""
    model = at_original(spec)
    if model is None:
        original = get_backend(spec.backend).original
        raise ConfigError(f"{spec.backend} has no {original} to compare {spec} with", where=f"whisperq_{gate}")
    return model


def other_precision(spec: ModelSpec) -> ModelSpec | None:
    """Return the same as `at_original`, but None for a candidate that is that itself."""
    model = at_original(spec)
    return None if model and model.precision == spec.precision else model


def timed_against(session: Session, spec: ModelSpec, named: str | None, marker: str) -> ModelSpec:
    """Return what a candidate is timed against; the run's baseline where its backend has no other float32.

    ``named`` is what a test asks for, ``BACKEND:PRECISION``. Raises `ConfigError` naming the gate's ``marker`` where
    that is the candidate itself.
    """
    if named is not None:
        option = f"{marker}: baseline"
        chosen = placed(explicit_candidate(named, option), spec.device, option)
        source = session.baseline_source if chosen == session.config.baseline else spec.source
        baseline = ModelSpec(backend=chosen.backend, precision=chosen.precision, source=source, device=chosen.device)
    else:
        baseline = other_precision(spec) or session.baseline_spec
    if baseline == spec:
        raise ConfigError(
            f"{spec} would be timed against itself",
            where=marker,
            remedy="name another model with baseline='BACKEND:PRECISION'",
        )
    return baseline
