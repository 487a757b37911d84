"""Does a transcript cost less processor time, and fewer joules? Limit: --whisperq-max-energy-ratio.

Not part of a plain run of the suites: it needs a quiet machine. Run ``pytest suites/energy.py``, or
``--pyargs pytest_whisperq.suites.energy``. The embedded model is too small for int8 to pay everywhere: unless the
option is given, what it takes is only reported.
"""

import pytest

from pytest_whisperq import GateConfig
from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model
from pytest_whisperq.system import package_data


def test_energy(whisperq_gate: GateFixture, whisperq_candidate: Model, whisperq_config: GateConfig) -> None:
    """Transcribing takes less than the limit of what the same backend takes at float32."""
    if whisperq_candidate.is_simulated:
        whisperq_gate.skip("energy", "a simulated precision is computed in float32, and has no cost of its own")
    if (device := whisperq_candidate.spec.device) != "cpu":
        whisperq_gate.skip("energy", f"only the host's cost is measured, and the model computes on {device}")
    if whisperq_config.model in package_data.MODELS and whisperq_config.max_energy_ratio is None:
        whisperq_gate.report("energy")
        pytest.skip("reported, not gated: --whisperq-max-energy-ratio gates the embedded model too")
    whisperq_gate.energy()
