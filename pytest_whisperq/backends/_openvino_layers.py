"""How far each layer of a quantized OpenVINO graph is from the one it was made from, and how far the whole is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WEIGHTED = ("MatMul", "Convolution")
_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


class Differences:
    """Relative errors ‖quantized − original‖ / ‖original‖ over all samples: of each layer alone, and of the outputs."""

    def __init__(self) -> None:
        self._squares: dict[str, tuple[float, float]] = {}

    def add(self, name: str, original: NDArray[np.float32], quantized: NDArray[np.float32]) -> None:
        """Take one pair of tensors of the same shape into account."""
        import numpy as np

        off, norm = self._squares.get(name, (0.0, 0.0))
        off += float(np.square(quantized - original, dtype=np.float64).sum())
        self._squares[name] = off, norm + float(np.square(original, dtype=np.float64).sum())

    def beyond(self, most: float) -> dict[str, float]:
        """Return what is off by more than ``most``, or no number, by name."""
        errors = {name: (off / norm) ** 0.5 if norm else off for name, (off, norm) in self._squares.items()}
        return {name: error for name, error in errors.items() if not error <= most}


def compare(original: Any, quantized: Any, samples: Iterable[Mapping[str, Any]]) -> tuple[Differences, Differences]:
    """Run two graphs on ``samples``, inputs as NNCF takes them; return the differences of layers, and of outputs.

    A layer alone is given what the original layer is given, so that its error is its own and not what it inherits: the
    quantized graph is cut in front of each layer with weights. Raises `BuildError` where that cannot be, for nothing
    would show what broke.
    """
    layers, ends = Differences(), Differences()
    if not operations(original) or operations(original).keys() != operations(quantized).keys():
        raise BuildError(
            "the layers of this export have other names than those of a Whisper that optimum-intel exports, "
            "so that int8-ptq cannot be checked",
            remedy="install the tested versions (constraints.txt), or gate openvino:int8",
        )
    whole, told = _request(quantized.clone()), _Watched(original)
    alone = _Apart(quantized, told.sources)
    for sample in samples:
        inputs = {name: value for name, value in sample.items() if name != "nncf_reset_state"}
        told.run(inputs)
        for layer, value in alone.run({name: told.value(name) for name in alone.input_names}):
            layers.add(layer, told.value(layer), value)
        whole.reset_state()
        whole.infer(inputs)
        for index, name in enumerate(told.ends):
            ends.add(name, told.value(name), whole.get_output_tensor(index).data)
    return layers, ends


def operations(model: Any) -> dict[str, str]:
    """Return the operation that multiplies in each layer with weights, by the name the graph gives it."""
    return {layer: str(operation.get_friendly_name()) for layer, operation in _weighted(model)}


class _Watched:
    """A graph of which everything can be seen: what goes into its layers, what comes out, and its own outputs."""

    def __init__(self, model: Any) -> None:
        watched = model.clone()
        layers = dict(_weighted(watched))
        self.sources = {layer: operation.input_value(0) for layer, operation in layers.items()}
        self.ends = [f"output {port.any_name}" for port in watched.outputs]
        ports = [port.get_node().input_value(0) for port in watched.outputs]
        names = dict(zip(self.ends, ports, strict=True))
        names |= {layer: _biased(operation) for layer, operation in layers.items()}
        names |= {_name(port): port for port in self.sources.values()}
        for port in names.values():
            if port not in ports and port.get_node().get_type_name() != "Parameter":
                watched.add_outputs([port])
                ports.append(port)
        self._inputs = {_name(port): port.any_name for port in self.sources.values() if port not in ports}
        self._places = {name: ports.index(port) for name, port in names.items() if port in ports}
        self._request = _request(watched)
        self._given: Mapping[str, Any] = {}

    def run(self, inputs: Mapping[str, Any]) -> None:
        self._given = inputs
        self._request.reset_state()
        self._request.infer(inputs)

    def value(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of the last run: an output, or what comes out of a layer or of the operation before one."""
        is_given = name in self._inputs
        tensor: NDArray[np.float32] = (
            self._given[self._inputs[name]] if is_given else self._request.get_output_tensor(self._places[name]).data
        )
        return tensor


class _Apart:
    """A graph cut in front of each of its layers, each of which then computes on what it is given."""

    def __init__(self, model: Any, sources: Mapping[str, Any]) -> None:
        openvino = optional_imports.require("openvino", extra="openvino", purpose="compare OpenVINO models")
        cut = model.clone()
        by_name = {operation.get_friendly_name(): operation for operation in cut.get_ordered_ops()}
        results = {layer: _biased(operation) for layer, operation in _weighted(cut)}
        parameters: dict[str, Any] = {}
        for source in sources.values():
            name = _name(source)
            if name in parameters:
                continue
            port = by_name[source.get_node().get_friendly_name()].output(source.get_index())
            parameters[name] = openvino.opset13.parameter(port.get_partial_shape(), port.get_element_type())
            for target in port.get_target_inputs():
                target.replace_source_output(parameters[name].output(0))
        self.input_names = list(parameters)
        self._layers = list(results)
        self._request = _request(openvino.Model(list(results.values()), list(parameters.values()), "layers"))

    def run(self, given: Mapping[str, NDArray[np.float32]]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        self._request.infer([given[name] for name in self.input_names])
        for index, layer in enumerate(self._layers):
            yield layer, self._request.get_output_tensor(index).data


def _request(model: Any) -> Any:
    openvino = optional_imports.require("openvino", extra="openvino", purpose="compare OpenVINO models")
    return openvino.Core().compile_model(model, "CPU", _FLOAT32).create_infer_request()


def _name(port: Any) -> str:
    return f"{port.get_node().get_friendly_name()}:{port.get_index()}"


def _weighted(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers with weights, and the operation of each that multiplies, in the order they are computed."""
    for operation in model.get_ordered_ops():
        # The exporter names an operation by the module it is of: __module.layers.3.fc2/aten::linear/MatMul.
        scope, _, kind = operation.get_friendly_name().partition("/")
        if operation.get_type_name() in _WEIGHTED and kind:
            yield scope.removeprefix("__module."), operation


def _biased(operation: Any) -> Any:
    """Return where the output of a layer comes out: behind the bias, where it has one."""
    bias = f"{operation.get_friendly_name().rpartition('/')[0]}/Add"
    behind = (target.get_node() for target in operation.output(0).get_target_inputs())
    return next((node.output(0) for node in behind if node.get_friendly_name() == bias), operation.output(0))
