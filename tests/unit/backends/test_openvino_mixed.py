"""Blocks are given back, the noisiest first, until what is lost passes, and while int8 is what executes."""

import math
from collections.abc import Collection, Sequence

import pytest

from pytest_whisperq.backends import Calibration, Loss, Measure, Noise, _openvino_mixed
from pytest_whisperq.backends._openvino_mixed import give_back
from pytest_whisperq.system.errors import QuantizationError

COSTS = {
    "encoder.input": 0.5,
    "encoder.layers.0": 2.0,
    "encoder.layers.1": 1.0,
    "decoder.layers.0": 0.2,
    "decoder.output": 4.0,
}
"""What each block loses, in points."""
RATIOS = {
    "decoder.output": 8.0,
    "encoder.layers.0": 12.0,
    "encoder.layers.1": 20.0,
    "encoder.input": 25.0,
    "decoder.layers.0": 30.0,
}
NOISES = {name: Noise(block=ratio, scores=ratio) for name, ratio in RATIOS.items()}


BLOCKS = list(COSTS)


def most(float32: Collection[str]) -> bool:
    """Int8 is what executes: in one layer of the encoder, and in the decoder's layer."""
    return "decoder.layers.0" not in float32 and not {"encoder.layers.0", "encoder.layers.1"} <= set(float32)


class Ear:
    """Tells what is lost with some blocks quantized, and remembers which it was asked for."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.asked: list[set[str]] = []

    def __call__(self, chosen: Collection[str]) -> Loss:
        self.asked.append(set(chosen))
        value = sum(COSTS[name] for name in chosen)
        return Loss(value=value, upper=value + 1.0, limit=self.limit, clips=9)


def test_a_model_that_passes_keeps_every_block() -> None:
    ear = Ear(9.0)
    assert give_back(NOISES, BLOCKS, most, ear)[0] == []
    assert ear.asked == [set(BLOCKS)]


@pytest.mark.parametrize(
    ("limit", "given"),
    [
        (8.0, ["decoder.output"]),
        (3.0, ["decoder.output", "encoder.layers.0"]),
        # with encoder.layers.1 too, int8 would not be what executes: it is passed over
        (2.5, ["decoder.output", "encoder.layers.0", "encoder.input"]),
    ],
)
def test_one_after_the_other_is_given_back_until_the_bound_passes(limit: float, given: list[str]) -> None:
    back, loss = give_back(NOISES, BLOCKS, most, ear := Ear(limit))
    assert back == given
    assert loss.passes
    assert [len(one) for one in ear.asked] == [5 - done for done in range(len(given) + 1)]


def test_a_block_without_a_number_is_the_first() -> None:
    noises = {**NOISES, "decoder.layers.0": Noise(block=math.nan, scores=math.nan)}
    assert give_back(noises, BLOCKS, lambda float32: True, Ear(8.6))[0] == ["decoder.layers.0"]


def test_where_no_block_is_left_the_build_ends_and_says_what_was_tried() -> None:
    with pytest.raises(
        QuantizationError,
        match=r"still loses too much with decoder\.output, encoder\.layers\.0, encoder\.input in float32: a drop of "
        r"\+1\.20 points on 9 calibration clips, whose upper bound \+2\.20 is not below 0\.50",
    ):
        give_back(NOISES, BLOCKS, most, Ear(0.5))


def test_what_is_in_float32_already_counts_among_what_was_given_back() -> None:
    """A block that is ignored by option: with another layer, int8 would not be what the encoder executes."""
    noises = {name: noise for name, noise in NOISES.items() if name != "encoder.layers.1"}
    with pytest.raises(QuantizationError, match=r"with decoder\.output, encoder\.input in float32"):
        give_back(noises, BLOCKS, most, Ear(1.0))


def nothing(before: Sequence[str], after: Sequence[str]) -> Loss:
    raise AssertionError("nothing is to be measured")


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        (None, "nothing to measure accuracy by; gate openvino:int8-ptq"),
        (Measure(identity="", limit=math.inf, between=nothing), "so few calibration clips bound no loss of accuracy"),
    ],
)
def test_without_a_measure_nothing_is_built(measure: Measure | None, told: str) -> None:
    calibration = Calibration(summary="", identity="", clips=list, alphas=(0.5, 0.95), measure=measure)
    with pytest.raises(QuantizationError, match=told):
        _openvino_mixed.quantize(None, None, calibration)  # type: ignore[arg-type]
