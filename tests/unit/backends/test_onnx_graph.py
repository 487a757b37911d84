"""What ONNX Runtime executed is told by its profile, and what weights are stored in by the graph."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_whisperq.backends import _onnx_graph
from pytest_whisperq.backends._onnx_graph import Layer, layers_of, read_back, stored_in
from pytest_whisperq.system.errors import DecodeError


def event(operation: str, *inputs: tuple[str, list[int]], name: str = "layer_kernel_time") -> dict[str, Any]:
    shapes = [{kind: shape} for kind, shape in inputs]
    return {"cat": "Node", "name": name, "args": {"op_name": operation, "input_type_shape": shapes}}


def test_layers_with_weights_are_told_from_products_of_activations(tmp_path: Path) -> None:
    wide, scores = ("float", [1, 1500, 384]), ("float", [1, 6, 1500, 64])
    events = [
        {"cat": "Session", "name": "model_loading"},
        event("MatMul", wide),  # whose weights were packed, and are told no longer
        event("MatMul", ("float16", [1, 4, 64]), ("float16", [64, 64])),
        event("FusedMatMul", scores, scores),
        event("MatMul", wide, name="layer_fence_before"),
        event("Gather", ("int64", [3])),
        event("Conv", ("float", [1, 80, 3000]), ("float", [384, 80, 3]), ("float", [384])),
        event("DynamicQuantizeMatMul", wide, ("float", [])),
        event("MatMulNBits", wide, ("uint8", [384, 12, 16])),
    ]
    (tmp_path / "profile.json").write_text(json.dumps(events), encoding="utf-8")
    assert layers_of(tmp_path / "profile.json") == [
        Layer("MatMul", "float"),
        Layer("MatMul", "float16"),
        Layer("Conv", "float"),
        Layer("DynamicQuantizeMatMul", "float"),
        Layer("MatMulNBits", "float"),
    ]


PLAIN, HALF = [Layer("MatMul", "float")] * 3, [Layer("MatMul", "float16")] * 3
SHORT = [Layer("DynamicQuantizeMatMul", "float")] * 3 + [Layer("Conv", "float")]
BLOCKS = [Layer("MatMulNBits", "float")] * 3


@pytest.mark.parametrize(
    ("encoder", "decoder", "stored", "expected"),
    [
        (PLAIN, PLAIN, {"": 6}, "float32"),
        (HALF, HALF, {"float16": 6}, "float16"),
        (PLAIN, PLAIN, {"float16": 6}, "float32 on float16 weights"),
        (SHORT, SHORT, {"int8": 6, "": 1}, "int8_float32"),
        (BLOCKS, BLOCKS, {"int4": 6, "": 2}, "float32 on int4 weights"),
        (SHORT, PLAIN, {"int8": 3, "": 3}, "int8_float32 + float32"),
    ],
)
def test_what_most_layers_do_is_what_executes(
    encoder: list[Layer], decoder: list[Layer], stored: dict[str, int], expected: str
) -> None:
    executed, operations = read_back({"encoder": encoder, "decoder": decoder}, Counter(stored))
    assert executed == expected
    assert f"encoder 3 of {len(encoder)} matrix layers {encoder[0].operation}" in operations
    assert all(
        f"{count} of {sum(stored.values())} weight matrices in {name}" in operations
        for name, count in stored.items()
        if name
    )


def test_a_profile_that_tells_of_no_layer_is_an_error() -> None:
    with pytest.raises(DecodeError, match="names no matrix layer of the decoder; install the tested version"):
        read_back({"encoder": PLAIN, "decoder": []}, Counter({"": 1}))


def graph(*weights: Any) -> Any:
    onnx = pytest.importorskip("onnx")
    one = onnx.helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, [2, 64])
    out = onnx.helper.make_tensor_value_info("product", onnx.TensorProto.FLOAT, [2, 32])
    stored = [onnx.numpy_helper.from_array(value, f"weight_{number}") for number, value in enumerate(weights)]
    nodes = [
        onnx.helper.make_node("Transpose", ["weight_0"], ["turned"], perm=[1, 0]),
        onnx.helper.make_node("MatMul", ["given", "turned"], ["product"]),
    ]
    made = onnx.helper.make_graph(nodes, "graph", [one], [out], stored)
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_operatorsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("precision", "stored"),
    [("float16", "float16"), ("int8-dynamic", "int8"), ("int4-sym", "int4"), ("int4-asym", "int4")],
)
def test_weights_are_stored_in_what_is_asked_for(precision: str, stored: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx_ir")
    import onnx

    value = np.random.default_rng(0).standard_normal((32, 64), np.float32)  # two blocks a row, so as many scales
    path = tmp_path / "part.onnx"
    _onnx_graph.quantize(graph(value), precision, path)
    counts = stored_in([onnx.load(path)])
    assert counts == {stored: 1}  # and no scales
    assert sorted(one.name for one in tmp_path.iterdir()) in (["part.onnx", "part.onnx.data"], ["part.onnx"])
    assert stored_in([graph(value)]) == {"": 1}
