"""Blocks are ranked by their noise, and the fewest are given back without which little enough is lost."""

import math
from collections.abc import Collection

import pytest

from pytest_whisperq.backends import Hypothesis, Noise
from pytest_whisperq.gates.diagnosis import Diagnosis, rank, repair
from pytest_whisperq.measuring.intervals import Interval

COSTS = {"encoder.layers.0": 0.25, "encoder.layers.1": 6.0, "decoder.layers.0": 3.0, "decoder.output": 0.5}
"""What each block loses, in points."""
NOISES = {
    name: Noise(block=30.0, scores=ratio, layer=f"{name}.fc", layer_alone=20.0)
    for name, ratio in zip(COSTS, (40.0, 5.0, 12.0, 30.0), strict=True)
}


class Model:
    """A mixture of these blocks, whose precision does not execute with the ``kept`` ones all in float32."""

    def __init__(self, blocks: Collection[str] = (), kept: Collection[str] = ("decoder.output",)) -> None:
        self.blocks = list(blocks)
        self._kept = set(kept)

    def executes(self, float32: Collection[str]) -> bool:
        return not self._kept <= set(float32)

    def transcribe(self, chosen: Collection[str]) -> list[Hypothesis]:
        raise NotImplementedError

    def noise(self) -> dict[str, Noise]:
        raise NotImplementedError


def lost(blocks: Collection[str]) -> Interval:
    value = sum(COSTS[name] for name in blocks)
    return Interval(value=value, lower=value - 1, upper=value + 1, confidence=0.95, clusters=9)


def ranked(noises: dict[str, Noise] = NOISES) -> Diagnosis:
    blames = rank(noises, lost, lambda done: None)
    return Diagnosis(candidate="c", corpus="calls", clips=9, whole=lost(noises), blames=blames)


def test_the_noisiest_come_first_each_with_its_drop_alone_and_spared() -> None:
    found = ranked().blames
    assert [one.block for one in found] == [
        "encoder.layers.1",
        "decoder.layers.0",
        "decoder.output",
        "encoder.layers.0",
    ]
    assert [one.alone.value for one in found] == [6.0, 3.0, 0.5, 0.25]
    assert [one.spared.value for one in found] == [3.75, 6.75, 9.25, 9.5]


def test_a_block_that_says_no_number_is_the_first() -> None:
    broken = {**NOISES, "decoder.output": Noise(block=math.nan, scores=math.nan)}
    found = ranked(broken)
    assert found.blames[0].block == "decoder.output"
    assert found.to_dict()["blocks"][0]["scores_sqnr"] is None


@pytest.mark.parametrize(
    ("limit", "ignored"),
    [
        (4.0, ("encoder.layers.1",)),
        (3.75, ("encoder.layers.1",)),  # just the limit
        (1.0, ("encoder.layers.1", "decoder.layers.0")),
    ],
)
def test_as_few_are_given_back_as_the_limit_needs(limit: float, ignored: tuple[str, ...]) -> None:
    found = repair(ranked(), Model(COSTS), lost, limit, passed=False)
    assert found.ignored == ignored
    assert found.repaired == lost(set(COSTS) - set(ignored))


def test_the_precision_stays_what_executes() -> None:
    """decoder.layers.1 is in float32 as it is: with any other beside it, its precision would not execute."""
    model = Model([*COSTS, "decoder.layers.1"], ["decoder.layers.1"])
    found = repair(ranked(), model, lost, 0.5, passed=False)
    assert (found.ignored, found.repaired) == ((), None)
    assert found.note == (
        "no repair: it still loses more than 0.5 points, and most of it would not be quantized with more; gate another "
        "precision"
    )


@pytest.mark.parametrize(("passed", "ignored"), [(True, ()), (False, ("encoder.layers.1",))])
def test_what_passed_its_gates_is_not_repaired_and_what_did_not_is(passed: bool, ignored: tuple[str, ...]) -> None:
    """A gate hears more than the calibration set: little lost there is no reason to leave a failed one alone."""
    found = repair(ranked(), Model(COSTS), lost, 20.0, passed=passed)
    assert found.ignored == ignored
    assert bool(found.note) == passed


def test_what_passed_but_loses_much_on_the_calibration_set_is_repaired() -> None:
    assert repair(ranked(), Model(COSTS), lost, 4.0, passed=True).ignored == ("encoder.layers.1",)


def test_without_any_noise_there_is_nothing_to_give_back() -> None:
    assert (
        repair(ranked({}), Model(), lost, 1.0, passed=True).note == "nothing to repair: it loses no more than 1 points"
    )
    assert repair(ranked({}), Model(), lost, 1.0, passed=False).ignored == ()
