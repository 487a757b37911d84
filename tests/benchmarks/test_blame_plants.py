"""A plant changes what a block is in few bits, and not what it says in float32."""

from typing import Any

import numpy as np
import openvino as ov
import pytest
from blame_plants import Plant, plants, scale
from openvino import opset13 as ops

WIDTH = 16
SOUND = np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32)


def linear(value: Any, name: str, seed: int) -> Any:
    """A layer with a bias, named as the exporter names it."""
    random = np.random.default_rng(seed)
    weights = ops.constant(random.normal(size=(WIDTH, WIDTH)).astype(np.float32))
    said = ops.matmul(value, weights, transpose_a=False, transpose_b=True)
    said.set_friendly_name(f"__module.layers.3.self_attn.{name}/aten::linear/MatMul")
    return ops.add(said, ops.constant(random.normal(size=(1, WIDTH)).astype(np.float32)))


def attention() -> Any:
    sound = ops.parameter([4, WIDTH], np.float32)
    said = linear(linear(sound, "v_proj", 1), "out_proj", 2)
    return ov.Model([ops.result(said)], [sound], "attention")


def rounded(model: Any) -> Any:
    """A copy of which all weights have 8 bits, with one scale a row."""
    copy = model.clone()
    for operation in copy.get_ordered_ops():
        if operation.get_type_name() == "MatMul":
            weights = np.array(operation.input_value(1).get_node().data)
            steps = np.abs(weights).max(axis=1, keepdims=True) / 127
            operation.input(1).replace_source_output(ops.constant(np.round(weights / steps) * steps).output(0))
    return copy


def said(model: Any) -> Any:
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(SOUND)[0]


def noise(one: Any, other: Any) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


def test_a_plant_is_heard_in_eight_bits_alone() -> None:
    sound, broken = attention(), attention()
    (plant, *_) = plants("attention", ("encoder.layers.3", "encoder.input"))
    scale(broken, plant)
    assert noise(said(sound), said(broken)) < 1e-4
    assert noise(said(sound), said(rounded(sound))) < 0.02
    assert noise(said(sound), said(rounded(broken))) > 0.2


@pytest.mark.parametrize(("kind", "count"), [("attention", 10), ("gelu", 8)])
def test_every_block_is_broken_and_a_decoder_in_both_of_its_attentions(kind: str, count: int) -> None:
    blocks = [f"encoder.layers.{number}" for number in range(6)] + ["decoder.layers.0", "decoder.layers.1"]
    found = plants(kind, ("encoder.input", *blocks, "decoder.output"))
    assert len(found) == count
    assert {plant.block for plant in found} == set(blocks)
    assert all(isinstance(plant, Plant) for plant in found)
