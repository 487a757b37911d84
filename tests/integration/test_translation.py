"""The embedded model that translates: nearly as well with weights of 8 bits, and not at all with 2."""

from collections.abc import Callable

import pytest

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict

pytestmark = pytest.mark.matrix

INT8, INT2 = "openvino:int8", "openvino:int2-sym"


def test_a_translation_gate_passes_at_int8_and_fails_at_int2(gate_run: Callable[..., GateRunner]) -> None:
    runner = gate_run(model="whisperq-micro-translate", candidate=f"{INT8},{INT2}", max_utterances="")
    int8, int2 = (runner.judge("translation", one, max_drop=2.0).judgement for one in runner.config.candidates)
    score = next(one.baseline for one in int8.figures if one.name == "chrF")
    assert score is not None
    assert score > 70
    assert int8.verdict is Verdict.PASS
    assert int2.verdict is Verdict.FAIL


def test_a_model_that_never_learnt_to_translate_proves_nothing(gate_run: Callable[..., GateRunner]) -> None:
    runner = gate_run(candidate=INT8)
    judgement = runner.judge("translation", runner.config.candidates[0]).judgement
    assert judgement.verdict is Verdict.INCONCLUSIVE
