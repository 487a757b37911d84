"""Is the candidate faster than the same backend at float32? Limit: --whisperq-min-speedup.

Not part of a plain run of the suites: it needs a quiet machine. Run ``pytest suites/speed.py``, or
``--pyargs pytest_whisperq.suites.speed``. The embedded model is too small for int8 to pay everywhere: unless the option
is given, only the encoder of openvino:int8-ptq is held to the limit, on processors that multiply in 8 bits; the rest is
reported.
"""

import pytest

from pytest_whisperq import GateConfig
from pytest_whisperq.plugin.gating import GateFixture
from pytest_whisperq.session import Model
from pytest_whisperq.system import package_data
from pytest_whisperq.system.machine import cpu_features

FASTER = {("openvino:int8-ptq", "encoder")}


@pytest.mark.parametrize("stage", ["encoder", "decoder", "pipeline"])
def test_speedup(
    whisperq_gate: GateFixture, whisperq_candidate: Model, whisperq_config: GateConfig, stage: str
) -> None:
    """Encoding a window, saying the same words, and both together take less time than the limit allows."""
    if whisperq_candidate.is_simulated:
        whisperq_gate.skip("speedup", "a simulated precision is computed in float32, and has no time of its own")
    is_small = whisperq_config.model in package_data.MODELS and whisperq_config.min_speedup is None
    multiplies = any(word in cpu_features() for word in ("vnni", "amx_int8", "i8mm", "asimddp"))
    if is_small and not (multiplies and (str(whisperq_candidate.candidate), stage) in FASTER):
        whisperq_gate.report("speedup", stage=stage)
        pytest.skip("reported, not gated: --whisperq-min-speedup gates every stage of the embedded model too")
    whisperq_gate.speedup(stage=stage)
