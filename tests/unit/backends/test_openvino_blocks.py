"""Any blocks of one graph can be put into another, and nothing else changes."""

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from pytest_whisperq.backends._openvino_blocks import blocks, graft, ignored_operations, part_weights, weight_bytes
from pytest_whisperq.system.errors import BuildError, ConfigError

WIDTH = 8
ALL = ("input", "layers.0", "layers.1", "output")
SOUND = np.random.default_rng(9).normal(size=(1, WIDTH)).astype(np.float32)


def layer(value: Any, name: str, seed: int, scale: float) -> Any:
    weights = np.random.default_rng(seed).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    said = ops.matmul(value, ops.constant(scale * weights), transpose_a=False, transpose_b=True)
    said.set_friendly_name(f"__module.{name}/aten::linear/MatMul")
    said = ops.tanh(said)
    said.set_friendly_name(f"__module.{name}/tanh")
    return said


def decoder(scales: dict[str, float], prefix: str = "__module.") -> Any:
    """What a decoder is like: each block adds to what comes in, what it says itself and what it says of the sound.

    Of the sound it keeps a state, which begins with what the block makes of it.
    """
    sound = ops.parameter([1, WIDTH], np.float32, name="sound")
    sound.output(0).set_names({"sound"})
    value = layer(sound, "conv1", 0, scales.get("input", 1.0))
    value.set_friendly_name("__module/stem")
    sinks = []
    for number in (0, 1):
        block = f"layers.{number}"
        scale = scales.get(block, 1.0)
        own = layer(value, f"{block}.fc", 2 * number + 1, scale)
        value = ops.add(value, own)
        value.set_friendly_name(f"{prefix}{block}/aten::add/Add")
        kept = layer(sound, f"{block}.encoder_attn.k_proj", 2 * number + 2, scale)
        kept.set_friendly_name(f"__module.{block}.encoder_attn/transpose")
        state = ops.read_value(kept, f"kept.{number}", np.float32, [1, WIDTH])
        sinks.append(ops.assign(state, f"kept.{number}"))
        value = ops.add(value, state)
        value.set_friendly_name(f"{prefix}{block}/aten::add/Add_1")
    value = layer(value, "proj_out", 9, scales.get("output", 1.0))
    value.output(0).set_names({"logits"})
    return ov.Model([ops.result(value)], sinks, [sound], "decoder")


def said(model: Any, times: int = 1) -> Any:
    request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    return [np.copy(request.infer({"sound": number * SOUND})[0]) for number in range(1, times + 1)]


@pytest.mark.parametrize("chosen", [(), *((name,) for name in ALL), ("layers.0", "layers.1"), ("input", "output"), ALL])
def test_the_chosen_blocks_are_those_of_the_other_and_the_rest_is_not(chosen: tuple[str, ...]) -> None:
    """In the second call too, in which the state says what the first has left."""
    changed = dict(zip(ALL, (0.9, 0.8, 0.7, 0.6), strict=True))
    mixed = graft(decoder({}), decoder(changed), chosen)
    expected = decoder({name: changed[name] for name in chosen})
    for one, other in zip(said(mixed, 2), said(expected, 2), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_neither_graph_is_changed() -> None:
    one, other = decoder({}), decoder({"layers.0": 0.5})
    before = [said(one)[0], said(other)[0]]
    graft(one, other, {"layers.0"})
    np.testing.assert_array_equal([said(one)[0], said(other)[0]], before)


def test_weights_of_a_block_are_counted_once_wherever_they_come_from() -> None:
    one, other = decoder({}), decoder({"layers.0": 0.5})
    assert weight_bytes(graft(one, other, {"layers.0"})) == weight_bytes(one) == 6 * 4 * WIDTH**2


def test_graphs_whose_blocks_have_other_names_are_refused() -> None:
    with pytest.raises(BuildError, match="other names than those of a Whisper"):
        graft(decoder({}), decoder({}, prefix="nameless"), {"layers.0"})


def test_blocks_are_in_the_order_in_which_a_clip_goes_through_them() -> None:
    assert list(blocks(decoder({}))) == list(ALL)
    assert sorted(blocks(decoder({}))["layers.1"]) == [
        "__module.layers.1.encoder_attn.k_proj/aten::linear/MatMul",
        "__module.layers.1.fc/aten::linear/MatMul",
    ]


class Whisper:
    """A model of which nothing but its graphs is asked for."""

    class _Part:
        model = decoder({})

    encoder = decoder = _Part()


def test_the_operations_of_ignored_blocks_are_named_part_by_part() -> None:
    found = ignored_operations(Whisper(), ("encoder.layers.0", "encoder.output"))
    assert {part: len(names) for part, names in found.items()} == {"encoder": 3, "decoder": 0}
    with pytest.raises(ConfigError, match=r"--whisperq-ignored-blocks: unknown block 'encoder\.layers\.7'.*layers\.1"):
        ignored_operations(Whisper(), ("encoder.layers.7",))


def tied() -> Any:
    """Embeddings of tokens that scores are products with."""
    tokens, table = ops.parameter([-1], np.int64), ops.constant(np.eye(WIDTH, dtype=np.float32))
    embedded = ops.gather(table, tokens, ops.constant(0, np.int64), name="embedding")
    scores = ops.matmul(embedded, table, transpose_a=False, transpose_b=True, name="scores")
    return ov.Model([ops.result(scores)], [tokens])


@pytest.mark.parametrize(
    ("ignored", "count"), [((), 1), (("scores",), 2), (("embedding",), 2), (("scores", "embedding"), 1)]
)
def test_weights_that_others_read_too_are_parted_from_them(ignored: tuple[str, ...], count: int) -> None:
    graph = tied()
    part_weights(graph, ignored)
    read = {
        name: op.input_value(at).get_node()
        for name, at in (("embedding", 0), ("scores", 1))
        for op in graph.get_ops()
        if op.get_friendly_name() == name
    }
    assert len({node.get_friendly_name() for node in read.values()}) == count
    assert all((node.data == np.eye(WIDTH)).all() for node in read.values())
