"""What cannot be gated of a precision that no runtime computes with."""

from pytest_whisperq.backends import get_backend
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.system.errors import ConfigError


def refuse_simulated(candidate: Candidate, where: str) -> None:
    """Raise `ConfigError` naming ``where`` for a simulated candidate: its time and memory are those of float32."""
    if candidate.precision in get_backend(candidate.backend).simulated:
        raise ConfigError(
            f"{candidate} is simulated, and computed in float32: its time and memory are not those of its precision",
            where=where,
            remedy="gate what it says and its size, or a precision that a runtime executes",
        )
