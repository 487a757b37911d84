"""The matrices of an OpenVINO Whisper whose weights are codes times a scale, as they are computed with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends._openvino_ir import DECODER, ENCODER
from pytest_whisperq.system import optional_imports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OWN = "self."
"""How the exporter's names of weights begin, before those that they have in the exported module."""
_MODULES = {ENCODER: "model.encoder.", DECODER: ""}
_CODES = ("i4", "u4", "u3", "u2")


def matrices(directory: Path) -> dict[str, NDArray[np.float32]]:
    """Return the matrices of both parts that are stored in fewer than 8 bits, by their names in a checkpoint."""
    openvino = optional_imports.require("openvino", extra="openvino", purpose="read the weights of a model")
    core = openvino.Core()
    return {
        f"{module}{name.removeprefix(_OWN)}": values
        for part, module in _MODULES.items()
        for name, values in _matrices(openvino, core, core.read_model(directory / f"{part}.xml"))
    }


def _matrices(openvino: Any, core: Any, graph: Any) -> Iterator[tuple[str, NDArray[np.float32]]]:
    constants = {str(one.get_friendly_name()): one for one in graph.get_ops() if one.get_type_name() == "Constant"}
    for name, codes in constants.items():
        if codes.get_element_type().to_string() in _CODES and f"{name}/scale" in constants:
            values = _floats(openvino, core, codes)
            if f"{name}/zero_point" in constants:
                values = values - _floats(openvino, core, constants[f"{name}/zero_point"])
            values = values * _floats(openvino, core, constants[f"{name}/scale"])
            yield name, values.reshape(values.shape[0], -1)


def _floats(openvino: Any, core: Any, constant: Any) -> NDArray[np.float32]:
    """Return the numbers of a constant of any type; numpy has no type of so few bits."""
    whole = openvino.opset13.convert(constant, "f32")
    model = core.compile_model(openvino.Model([whole], []), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    values: NDArray[np.float32] = next(iter(model([]).values())).copy()
    return values
