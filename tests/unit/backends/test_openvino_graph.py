"""What a compiled OpenVINO model is said to be: the storage of most of its weights, and properties as they are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.backends._openvino_graph import _held, _stored_weights, check_parts
from pytest_whisperq.system.errors import BuildError, DecodeError


def graph(*constants: tuple[str, tuple[int, ...]]) -> Any:
    """Return a model of these constants: element type and shape."""
    return SimpleNamespace(
        get_ops=lambda: [
            SimpleNamespace(
                get_type_name=lambda: "Constant",
                get_element_type=lambda name=name: SimpleNamespace(to_string=lambda: name),
                get_byte_size=lambda: 4096,
                get_name=lambda number=number: f"weight {number}",
                shape=shape,
            )
            for number, (name, shape) in enumerate(constants)
        ]
    )


INT8, INT4, FLOAT = ("u8", (128, 128)), ("i4", (128, 2, 64)), ("f32", (1, 1500, 128))
SCALES, ZEROS, BIAS = ("f16", (512, 2, 1)), ("u8", (2265, 1)), ("f32", (1, 1, 512))


@pytest.mark.parametrize(
    ("constants", "name", "shares"),
    [
        ([INT4] * 14, "int4", ["14 of 14 weight matrices in int4"]),
        ([INT8] * 9 + [INT4], "int8", ["9 of 10 weight matrices in int8", "1 of 10 weight matrices in int4"]),
        ([INT4] * 3 + [SCALES, ZEROS, BIAS] * 3, "int4", ["3 of 3 weight matrices in int4"]),
        ([INT4] * 2 + [INT8], "int4", ["2 of 3 weight matrices in int4", "1 of 3 weight matrices in int8"]),
        ([INT4, INT8], "mixed", ["1 of 2 weight matrices in int4", "1 of 2 weight matrices in int8"]),
        ([FLOAT] * 2 + [INT4], "", ["1 of 3 weight matrices in int4"]),
        ([], "", []),
    ],
)
def test_most_weights_name_a_model_and_all_are_counted(
    constants: list[tuple[str, tuple[int, ...]]], name: str, shares: list[str]
) -> None:
    assert _stored_weights(graph(*constants), []) == (name, shares)


class Compiled:
    """A compiled model that says of a property what it likes."""

    def __init__(self, **properties: str) -> None:
        self._properties = properties

    def get_property(self, name: str) -> Any:
        return dict.fromkeys(self._properties, "RO") if name == "SUPPORTED_PROPERTIES" else self._properties[name]


def test_pinned_properties_are_read_back_where_there_are_any() -> None:
    pinned = {"KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    assert _held(Compiled(KV_CACHE_PRECISION="f32", OTHER="1"), pinned) == {"KV_CACHE_PRECISION": "f32"}
    with pytest.raises(DecodeError, match="was told DYNAMIC_QUANTIZATION_GROUP_SIZE=0 and executes 32"):
        _held(Compiled(DYNAMIC_QUANTIZATION_GROUP_SIZE="32"), pinned)


def port(name: str, size: int | None) -> Any:
    """Return an input or output whose last size is this, or open."""
    last = SimpleNamespace(is_static=size is not None, get_length=lambda: size)
    return SimpleNamespace(get_names=lambda: {name}, get_partial_shape=lambda: [None, last])


def model(width: int, takes: int, tokens: int | None, with_past: int | None = None) -> Any:
    """Return a model of two parts, or of three: what the encoder gives, what decoders take, and their tokens."""

    def part(inputs: list[Any], outputs: list[Any]) -> Any:
        return SimpleNamespace(model=SimpleNamespace(inputs=inputs, outputs=outputs), stateful=with_past is None)

    decoders = [
        part([port("input_ids", None), port("encoder_hidden_states", takes)], [port("logits", size)])
        for size in (tokens, with_past)
    ]
    encoder = part([port("input_features", 3000)], [port("last_hidden_state", width)])
    config = SimpleNamespace(vocab_size=7)
    return SimpleNamespace(encoder=encoder, decoder=decoders[0], decoder_with_past=decoders[1], config=config)


def test_parts_of_one_model_have_its_width_and_its_tokens() -> None:
    assert check_parts(model(128, 128, 2265), Path("ir")) == 2265
    assert check_parts(model(128, 128, 2265, 2265), Path("ir")) == 2265
    assert check_parts(model(128, 128, None), Path("ir")) == 7  # a size that the graph leaves open


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ((64, 128, 2265), r"width: encoder 64, stateful decoder 128"),
        ((128, 128, 2265, 2264), r"tokens: stateless decoder 2265, decoder with past 2264"),
    ],
)
def test_parts_of_two_models_are_refused_by_name(sizes: tuple[int, ...], says: str) -> None:
    with pytest.raises(BuildError, match=rf"^ir: its parts are of two models \({says}\); export all parts of one"):
        check_parts(model(*sizes), Path("ir"))
