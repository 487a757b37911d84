"""What a compiled OpenVINO model is said to be: the storage of most of its weights, and properties as they are."""

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.backends._openvino_graph import _held, _stored_weights
from pytest_whisperq.system.errors import DecodeError


def graph(*constants: tuple[str, tuple[int, ...]]) -> Any:
    """Return a model of these constants: element type and shape."""
    return SimpleNamespace(
        get_ops=lambda: [
            SimpleNamespace(
                get_type_name=lambda: "Constant",
                get_element_type=lambda name=name: SimpleNamespace(to_string=lambda: name),
                get_byte_size=lambda: 4096,
                shape=shape,
            )
            for name, shape in constants
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
    assert _stored_weights(graph(*constants)) == (name, shares)


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
