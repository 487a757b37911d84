"""Weights become indices into a codebook that OpenVINO really looks up, the same in every build."""

from typing import Any

import numpy as np
import pytest

from pytest_whisperq.backends import _openvino_codebooks, _openvino_graph
from pytest_whisperq.backends._openvino_codebooks import VECTORS, matrices, nearest, quantize, scalars
from pytest_whisperq.system.errors import BuildError

openvino = pytest.importorskip("openvino")
pytest.importorskip("sklearn")

FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


def network(*shapes: tuple[int, int], seed: int = 0) -> Any:
    """Return a graph that multiplies by matrices of these shapes, one after the other."""
    opset, random = openvino.opset13, np.random.default_rng(seed)
    given = node = opset.parameter([-1, shapes[0][1]], openvino.Type.f32)
    for number, shape in enumerate(shapes):
        weights = random.standard_normal(shape).astype(np.float32)
        node = opset.matmul(node, opset.constant(weights, name=f"layers.{number}"), False, True)
    return openvino.Model([opset.result(node)], [given])


def stored(graph: Any, kind: str) -> list[np.ndarray]:
    return [
        op.data.copy()
        for op in sorted(graph.get_ops(), key=lambda op: op.get_friendly_name())
        if op.get_type_name() == "Constant" and op.get_element_type().to_string() == kind
    ]


@pytest.mark.parametrize("precision", VECTORS)
def test_every_matrix_becomes_a_lookup_in_one_codebook_that_the_runtime_keeps(precision: str) -> None:
    dim, entries = VECTORS[precision]
    graphs = [network((128, 64), (256, 128)), network((64, 256), seed=1)]
    quantize(graphs, dim, entries)
    assert not any(list(matrices(graph)) for graph in graphs)
    books = [book for graph in graphs for book in stored(graph, "f16") if book.shape == (entries, dim)]
    assert len(books) == 3
    assert all((book == books[0]).all() for book in books)
    for graph, count in zip(graphs, (2, 1), strict=True):
        lookups = _openvino_graph.lookups_of(graph)
        assert [one.weights for one in lookups] == [precision] * count
        compiled = openvino.Core().compile_model(graph, "CPU", FLOAT32)
        assert _openvino_graph._kept(compiled, lookups) == count
        weights, shares = _openvino_graph._stored_weights(graph, lookups)
        assert (weights, shares) == (precision, [f"{count} of {count} weight matrices in {precision}"])


def test_a_matrix_of_an_ignored_layer_stays_and_the_others_are_as_if_it_did_not() -> None:
    whole, part = (network((128, 64), (256, 128)) for _ in range(2))
    quantize([whole], 2, 256)
    *_, last = (op.get_friendly_name() for op in part.get_ordered_ops() if op.get_type_name() == "MatMul")
    before = {constant.get_friendly_name(): weights.copy() for constant, weights in matrices(part)}
    quantize([part], 2, 256, [last])
    ((kept, weights),) = matrices(part)
    assert (weights == before[kept.get_friendly_name()]).all()
    assert (stored(part, "u8")[0] == stored(whole, "u8")[0]).all()
    lookups = _openvino_graph.lookups_of(part)
    book = next(op for op in part.get_ops() if op.get_name() == lookups[0].book)
    kept.set_friendly_name(book.get_friendly_name())  # as a mixture of two files may have it
    weights_in, shares = _openvino_graph._stored_weights(part, lookups)
    assert (weights_in, shares) == ("mixed", ["1 of 2 weight matrices in vq2x256"])


def test_a_lookup_that_the_runtime_folds_into_float_weights_is_not_counted() -> None:
    graph, opset = network((256, 128)), openvino.opset13
    quantize([graph], 2, 256)
    lookups = _openvino_graph.lookups_of(graph)
    (gather,) = [op for op in graph.get_ops() if op.get_friendly_name() == lookups[0].operation]
    gather.input(1).replace_source_output(opset.convert(gather.input_value(1).get_node(), "i32").output(0))
    compiled = openvino.Core().compile_model(graph, "CPU", FLOAT32)
    assert _openvino_graph._kept(compiled, lookups) == 0


def test_what_is_computed_is_what_was_looked_up() -> None:
    graph = network((128, 64))
    (_, weights), *_ = matrices(graph)
    weights = weights.copy()
    quantize([graph], 2, 256)
    book = next(book for book in stored(graph, "f16") if book.shape == (256, 2))
    (indices,) = stored(graph, "u8")
    scales = next(one for one in stored(graph, "f16") if one.shape == (128, 1, 1, 1))
    whole = (book[indices].astype(np.float32) * scales.astype(np.float32)).reshape(weights.shape)
    assert np.square(whole - weights).mean() < 0.02
    computed = openvino.Core().compile_model(graph, "CPU", FLOAT32)(np.eye(64, dtype=np.float32))[0]
    assert computed == pytest.approx(whole.T, abs=1e-3)


def test_a_build_is_reproducible() -> None:
    made = [network((256, 128)) for _ in range(2)]
    for graph in made:
        quantize([graph], 4, 16)
    assert all((one == other).all() for one, other in zip(*(stored(g, "u4") for g in made), strict=True))


def test_more_entries_and_shorter_vectors_cost_less() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((512, 64)).astype(np.float32)
    errors = {}
    for name, (dim, entries) in VECTORS.items():
        graph = network((512, 64))
        book = _openvino_codebooks._centres([graph], dim, entries, _openvino_codebooks._rms).astype(np.float16)
        indices, scales = nearest(rows, book)
        assert indices.shape == (512, 64 // dim)
        errors[name] = float(np.square(book[indices].reshape(rows.shape) * scales - rows).mean())
    assert errors["vq2x256"] < errors["vq2x16"]
    assert errors["vq2x256"] < errors["vq4x256"] < errors["vq8x256"]
    assert errors["vq4x256"] < errors["vq2x16"]  # as many bits: longer vectors use them better
    assert errors["vq8x256"] < errors["vq4x16"]


def test_a_group_of_zeros_stays_one() -> None:
    book = np.random.default_rng(0).standard_normal((16, 2)).astype(np.float16)
    _, scales = nearest(np.zeros((3, 64), np.float32), book)
    assert (scales == 0).all()


def test_a_scalar_codebook_is_sorted_and_reaches_from_end_to_end() -> None:
    values = scalars([network((256, 128))])
    assert values.shape == (16,)
    assert (np.diff(values) > 0).all()
    assert (values[0], values[-1]) == (-1, 1)


@pytest.mark.parametrize(
    ("shape", "says"),
    [((4, 64), "128 vectors of 2 weights are too few for a codebook of 256"), ((256, 96), "rows of 96 weights")],
)
def test_what_cannot_be_quantized_is_refused(shape: tuple[int, int], says: str) -> None:
    with pytest.raises(BuildError, match=says):
        quantize([network(shape)], 2, 256)
