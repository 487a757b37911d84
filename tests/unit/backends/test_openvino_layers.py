"""A layer that quantization broke is found alone, not with those that only pass on what it says."""

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from pytest_whisperq.backends._openvino_layers import compare, operations
from pytest_whisperq.system.errors import BuildError

WIDTH = 8


def chain(scales: dict[str, float], *, last: float = 1.0) -> Any:
    """Three linear layers with a tanh behind each; ``scales`` multiply what goes into a layer, as rounding may."""
    sound = ops.parameter([1, WIDTH], np.float32, name="sound")
    value: Any = sound
    for number, layer in enumerate(("fc1", "fc2", "out")):
        weights = np.random.default_rng(number).normal(size=(WIDTH, WIDTH)).astype(np.float32)
        changed = ops.multiply(value, np.float32(scales[layer])) if layer in scales else value
        value = ops.matmul(changed, ops.constant(weights), transpose_a=False, transpose_b=True)
        value.set_friendly_name(f"__module.layers.{layer}/aten::linear/MatMul")
        value = ops.add(value, ops.constant(np.ones((1, WIDTH), np.float32)))
        value.set_friendly_name(f"__module.layers.{layer}/aten::linear/Add")
        value = ops.tanh(value)
        value.set_friendly_name(f"__module.layers.{layer}/tanh")
    value = ops.multiply(value, np.float32(last))
    value.output(0).set_names({"heard"})
    sound.output(0).set_names({"sound"})
    return ov.Model([value], [sound], "chain")


SAMPLES = [{"sound": np.random.default_rng(seed).normal(size=(1, WIDTH)).astype(np.float32)} for seed in range(4)]


def test_a_copy_is_off_by_nothing() -> None:
    layers, ends = compare(chain({}), chain({}), SAMPLES)
    assert layers.beyond(1e-6) == ends.beyond(1e-6) == {}


@pytest.mark.parametrize("broken", ["fc1", "fc2", "out"])
def test_the_layer_that_is_broken_is_the_only_one_that_is_off(broken: str) -> None:
    layers, ends = compare(chain({}), chain({broken: 0.2}), SAMPLES)
    assert list(layers.beyond(0.05)) == [f"layers.{broken}"]
    assert list(ends.beyond(0.05)) == ["output heard"]


def test_two_are_found_at_once() -> None:
    layers, _ = compare(chain({}), chain({"fc1": 0.2, "out": 0.2}), SAMPLES)
    assert list(layers.beyond(0.05)) == ["layers.fc1", "layers.out"]


def test_an_end_that_is_off_behind_sound_layers_is_found() -> None:
    layers, ends = compare(chain({}), chain({}, last=2.0), SAMPLES)
    assert layers.beyond(1e-6) == {}
    assert ends.beyond(0.5) == {"output heard": pytest.approx(1.0)}


def test_errors_are_shares_of_the_original_norm() -> None:
    """‖quantized − original‖ / ‖original‖: outputs of half the size are off by a half."""
    _, ends = compare(chain({}), chain({}, last=0.5), SAMPLES)
    assert ends.beyond(0) == {"output heard": pytest.approx(0.5)}


def test_what_is_no_number_is_off() -> None:
    layers, ends = compare(chain({}), chain({"fc2": float("nan")}), SAMPLES)
    assert list(layers.beyond(0.3)) == ["layers.fc2"]
    assert list(ends.beyond(0.3)) == ["output heard"]


def test_a_graph_whose_layers_cannot_be_told_apart_is_refused() -> None:
    """Nothing would be compared, and all would seem well."""
    nameless = chain({})
    for operation in nameless.get_ops():
        operation.set_friendly_name(f"node{id(operation)}")
    for pair in ((nameless, nameless), (chain({}), nameless)):
        with pytest.raises(BuildError, match="int8-ptq cannot be checked"):
            compare(*pair, SAMPLES)


def test_operations_are_named_as_the_graph_names_them() -> None:
    assert operations(chain({}))["layers.fc2"] == "__module.layers.fc2/aten::linear/MatMul"
