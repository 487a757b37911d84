"""Does the candidate need less memory? Limit: --whisperq-max-memory-ratio.

Not part of a plain run of the suites: it starts every model in processes of its own.
Run ``pytest suites/memory.py``, or ``--pyargs pytest_whisperq.suites.memory``.
"""

from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model


def test_memory(whisperq_gate: GateFixture, whisperq_candidate: Model) -> None:
    """Loading and decoding take less than the limit of the baseline's peak memory."""
    if whisperq_candidate.is_simulated:
        whisperq_gate.skip("memory", "a simulated precision is computed in float32, and has no memory of its own")
    if (device := whisperq_candidate.spec.device) != "cpu":
        whisperq_gate.skip("memory", f"only the host's memory is measured, and the model computes on {device}")
    whisperq_gate.memory()
