"""ONNX graphs: how their weights are made shorter, and what ONNX Runtime really executes, read from its profile."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.system.errors import DecodeError

BLOCK = 32
"""Weights of a row that share a scale in 4 bits: MatMulNBits' usual block."""
DATA = ".data"
"""How the name of the file ends that has the weights of a graph."""
_SHORT = ("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulInteger", "ConvInteger")
_PLAIN = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv")
_BLOCKS = "MatMulNBits"
_SCALED = (_BLOCKS, "GatherBlockQuantized")
"""Operations behind whose weights, their second input or their first, come scales and zero points."""
_NAMES = {"float": "float32", "double": "float64"}
_STORED = {10: "float16", 3: "int8", 2: "int8", 22: "int4", 21: "int4"}
"""Element type of an initializer (``TensorProto.DataType``), shorter than float32 → what it is called."""


class Layer(NamedTuple):
    """A matrix layer of a profile: the operation that ran, and the type that it was given."""

    operation: str
    given: str


def save(model: Any, path: Path) -> None:
    """Write a graph, and its weights into one file beside it."""
    import onnx

    onnx.save_model(
        model, path, save_as_external_data=True, all_tensors_to_one_file=True, location=f"{path.name}{DATA}"
    )


def quantize(model: Any, precision: str, path: Path) -> None:
    """Write a float32 graph at another precision: ``float16``, ``int8-dynamic``, ``int4-sym`` or ``int4-asym``.

    Matrix products and the embedding of tokens are quantized, with ONNX Runtime's own tools at their defaults. The
    embedding is stored twice then, for each of the two kernels wants it in another order.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.transformers.float16 import convert_float_to_float16

    operations = ("MatMul", "Gather")
    if precision == "float16":
        save(convert_float_to_float16(model, keep_io_types=True), path)
        return
    _unfold(model)
    if precision == "int8-dynamic":
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=list(operations),
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )
        return
    quantizer = MatMulNBitsQuantizer(
        model,
        block_size=BLOCK,
        is_symmetric=precision == "int4-sym",
        accuracy_level=1,  # computes in float32; left alone, some processors quantize activations
        op_types_to_quantize=operations,
    )
    quantizer.process()
    save(quantizer.model.model, path)


def _unfold(model: Any) -> None:
    """Store weights that are transposed in the graph as the matrix product takes them, which tools look for."""
    import numpy as np
    from onnx import numpy_helper

    stored = {one.name: one for one in model.graph.initializer}
    for node in [one for one in model.graph.node if one.op_type == "Transpose" and one.input[0] in stored]:
        value = numpy_helper.to_array(stored[node.input[0]])
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value.T), node.output[0]))
        model.graph.node.remove(node)


def layers_of(profile: Path) -> list[Layer]:
    """Return the matrix layers that ran, from the profile of a session; products of two activations are none."""
    events = json.loads(profile.read_text(encoding="utf-8"))
    found = []
    for event in events:
        given = event.get("args", {})
        operation = given.get("op_name")
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        shapes = [next(iter(one.items())) for one in given.get("input_type_shape", ())]
        if operation in (*_SHORT, _BLOCKS) or (operation in _PLAIN and not _is_of_activations(operation, shapes)):
            found.append(Layer(operation, shapes[0][0]))
    return found


def _is_of_activations(operation: str, shapes: list[tuple[str, list[int]]]) -> bool:
    return "MatMul" in operation and len(shapes) > 1 and len(shapes[1][1]) > 2


def stored_in(models: Iterable[Any]) -> Counter[str]:
    """Count in what the weight matrices of graphs are stored; "" stands for float32."""
    return Counter(name for model in models for name in _stored(model))


def _stored(model: Any) -> Iterator[str]:
    blocks = {
        node.input[1]: next((f"int{one.i}" for one in node.attribute if one.name == "bits"), "int4")
        for node in model.graph.node
        if node.op_type == _BLOCKS
    }
    scales = {name for node in model.graph.node if node.op_type in _SCALED for name in node.input[2:]}
    for one in model.graph.initializer:
        if one.name in blocks:
            yield blocks[one.name]
        elif one.name not in scales and len(one.dims) >= 2 and min(one.dims) > 1 and one.data_type in (*_STORED, 1):
            yield _STORED.get(one.data_type, "")


def read_back(ran: Mapping[str, list[Layer]], stored: Counter[str]) -> tuple[str, str]:
    """Return (compute type, operations) of the layers that ``ran`` in each part, and of what weights are ``stored`` in.

    Raises `DecodeError` where a part ran no matrix layer, which a profile of another layout would say.
    """
    types, shares = [], []
    total = stored.total()
    shorter = next((name for name, count in stored.items() if 2 * count > total), "")
    for part, layers in ran.items():
        if not layers:
            raise DecodeError(
                f"the profile of ONNX Runtime names no matrix layer of the {part}",
                remedy="install the tested version of onnxruntime (constraints.txt)",
            )
        count = Counter(one.operation for one in layers)
        short = sum(count[name] for name in _SHORT)
        rest = [one.given for one in layers if one.operation not in _SHORT]
        arithmetic = _NAMES.get(rest[0], rest[0]) if rest else "float32"
        if 2 * short > len(layers):
            types.append("int8_float32")
        else:
            types.append(arithmetic if shorter in ("", arithmetic) else f"{arithmetic} on {shorter} weights")
        shares += [f"{part} {number} of {len(layers)} matrix layers {name}" for name, number in count.most_common()]
    shares += [f"{number} of {total} weight matrices in {name}" for name, number in stored.most_common() if name]
    return " + ".join(dict.fromkeys(types)), ", ".join(shares)
