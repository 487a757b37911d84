"""What cannot be gated of a model that computes elsewhere than on the CPU."""

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.system.devices import CPU
from pytest_whisperq.system.errors import ConfigError


def refuse_on_device(candidate: Candidate, where: str, what: str) -> None:
    """Raise `ConfigError` naming ``where`` for a candidate that is not on the CPU, ``what`` of which alone is measured.

    A figure that leaves out where the work is done would pass.
    """
    if candidate.device != CPU:
        raise ConfigError(
            f"{what} is measured of the host alone, and {candidate} computes elsewhere",
            where=where,
            remedy="gate it on the CPU; of a GPU, gate what a model says, its size and its speed",
        )
