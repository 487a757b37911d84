"""A layer that quantization broke is found alone, and a block in which the noise begins before those it goes on to."""

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from pytest_whisperq.backends._openvino_layers import Compared, Comparison, Sqnr, operations
from pytest_whisperq.system.errors import BuildError

WIDTH = 8


def chain(scales: dict[str, float], *, last: float = 1.0) -> Any:
    """Two blocks of a linear layer and a tanh each, and one layer more.

    ``scales`` multiply what goes into a layer, as rounding may.
    """
    sound = ops.parameter([1, WIDTH], np.float32, name="sound")
    value: Any = sound
    for number, layer in enumerate(("layers.0.fc", "layers.1.fc", "out")):
        weights = np.random.default_rng(number).normal(size=(WIDTH, WIDTH)).astype(np.float32)
        changed = ops.multiply(value, np.float32(scales[layer])) if layer in scales else value
        said = ops.matmul(changed, ops.constant(weights), transpose_a=False, transpose_b=True)
        said.set_friendly_name(f"__module.{layer}/aten::linear/MatMul")
        said = ops.add(said, ops.constant(np.ones((1, WIDTH), np.float32)))
        said.set_friendly_name(f"__module.{layer}/aten::linear/Add")
        said = ops.tanh(said)
        said.set_friendly_name(f"__module.{layer}/tanh")
        if block := layer.removesuffix(".fc") if layer != "out" else "":
            for place, other in (("", value), ("_1", ops.constant(np.zeros((1, WIDTH), np.float32)))):
                said = ops.add(said, other)  # the last of the sums is what the block says
                said.set_friendly_name(f"__module.{block}/aten::add/Add{place}")
        value = said
    value = ops.multiply(value, np.float32(last))
    value.output(0).set_names({"heard"})
    sound.output(0).set_names({"sound"})
    return ov.Model([value], [sound], "chain")


SAMPLES = [{"sound": np.random.default_rng(seed).normal(size=(1, WIDTH)).astype(np.float32)} for seed in range(4)]
LEAST = 26.0
"""dB of a noise of a twentieth."""


def compare(original: Any, quantized: Any, given: Any = ()) -> Compared:
    return Comparison(original, SAMPLES, np.copy).against(quantized, given)


def test_a_copy_has_no_noise() -> None:
    compared = compare(chain({}), chain({}))
    assert {*compared.layers.ratios.values(), *compared.blocks.ratios.values()} == {np.inf}
    assert compared.outputs.ratios == {"output heard": np.inf}


@pytest.mark.parametrize("broken", ["layers.0.fc", "layers.1.fc", "out"])
def test_the_layer_that_is_broken_is_the_only_one_with_noise(broken: str) -> None:
    compared = compare(chain({}), chain({broken: 0.2}))
    assert list(compared.layers.below(LEAST)) == [broken]
    assert list(compared.outputs.below(LEAST)) == ["output heard"]


def test_two_are_found_at_once() -> None:
    compared = compare(chain({}), chain({"layers.0.fc": 0.2, "out": 0.2}))
    assert list(compared.layers.below(LEAST)) == ["layers.0.fc", "out"]


@pytest.mark.parametrize(("broken", "noisy"), [("layers.0.fc", ["block layers.0", "block layers.1"]), ("out", [])])
def test_blocks_pass_their_noise_on(broken: str, noisy: list[str]) -> None:
    """The first of them, in the order in which they are computed, is where the noise came from."""
    assert list(compare(chain({}), chain({broken: 0.2})).blocks.below(LEAST)) == noisy


def test_an_end_with_noise_behind_sound_layers_is_found() -> None:
    compared = compare(chain({}), chain({}, last=2.0))
    assert compared.layers.below(LEAST) == compared.blocks.below(LEAST) == {}
    assert compared.outputs.below(LEAST) == {"output heard": pytest.approx(0.0)}


def test_a_ratio_is_of_powers_in_decibels() -> None:
    """10·log₁₀(Σ original² / Σ noise²) over all samples: a tenth of the signal is 20 dB."""
    ratio = Sqnr()
    for size in (1.0, 3.0):
        ratio.add("half", np.full(4, size, np.float32), np.full(4, size / 2, np.float32))
        ratio.add("tenth", np.full(4, size, np.float32), np.full(4, 1.1 * size, np.float32))
    assert ratio.ratios == {"half": pytest.approx(6.0206, abs=1e-3), "tenth": pytest.approx(20.0, abs=1e-3)}
    assert ratio.below(10.0) == {"half": pytest.approx(6.0206, abs=1e-3)}


def test_noise_where_there_was_nothing_is_below_any_limit() -> None:
    ratio = Sqnr()
    ratio.add("silent", np.zeros(4, np.float32), np.ones(4, np.float32))
    ratio.add("still", np.zeros(4, np.float32), np.zeros(4, np.float32))
    assert list(ratio.below(-1000.0)) == ["silent"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_below_any_limit(value: float) -> None:
    compared = compare(chain({}), chain({"layers.1.fc": value}))
    assert list(compared.layers.below(LEAST)) == ["layers.1.fc"]
    assert list(compared.outputs.below(LEAST)) == ["output heard"]


def test_a_graph_behind_another_is_given_what_that_one_says() -> None:
    """A layer alone hears what the original layer hears; the graph as a whole hears what it is given."""
    louder = [{"sound": 2 * sample["sound"]} for sample in SAMPLES]
    compared = compare(chain({}), chain({}), louder)
    assert compared.layers.below(LEAST) == {}
    assert list(compared.blocks.below(LEAST)) == ["block layers.0", "block layers.1"]


def test_the_first_output_of_each_sample_is_kept() -> None:
    compared = Comparison(chain({}), SAMPLES, lambda value: value.argmax(axis=-1)).against(chain({}, last=-1.0))
    expected = [chain_value(sample) for sample in SAMPLES]
    assert [int(kept[0]) for kept in compared.original] == [int(value.argmax()) for value in expected]
    assert [int(kept[0]) for kept in compared.quantized] == [int(value.argmin()) for value in expected]


def chain_value(sample: dict[str, Any]) -> Any:
    return ov.Core().compile_model(chain({}), "CPU")(sample)[0][0]


def test_a_graph_whose_layers_cannot_be_told_apart_is_refused() -> None:
    """Nothing would be compared, and all would seem well."""
    nameless = chain({})
    for operation in nameless.get_ops():
        operation.set_friendly_name(f"node{id(operation)}")
    for pair in ((nameless, nameless), (chain({}), nameless)):
        with pytest.raises(BuildError, match="what quantization does to them cannot be checked"):
            compare(*pair)


def test_operations_are_named_as_the_graph_names_them() -> None:
    assert operations(chain({}))["layers.1.fc"] == "__module.layers.1.fc/aten::linear/MatMul"
