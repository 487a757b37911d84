"""How much noise quantization adds to an OpenVINO graph: the SQNR of its layers alone, and of its blocks and outputs.

The signal-to-quantization-noise ratio of a tensor is 10·log₁₀(Σ original² / Σ (quantized − original)²), in dB, over all
samples (Lin, Talathi and Annapureddy, arXiv:1511.06393). At 20 dB the noise is a tenth of the signal, at 14 dB a fifth.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Inputs: TypeAlias = Mapping[str, Any]
"""What a graph is given in one call, by the names of its inputs, as NNCF takes them."""

_WEIGHTED = ("MatMul", "Convolution")
_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
# The exporter names an operation by the module it is of: __module.layers.3.fc2/aten::linear/MatMul. A block adds what
# its attention and its feed-forward layers say to what it is given: the last of these sums is its output.
_MODULE = re.compile(r"^__module\.(model\.decoder\.)?")
_SUM = re.compile(r"(layers\.\d+)/aten::add/Add(_\d+)?")


class Sqnr:
    """Signal-to-quantization-noise ratios over all samples, by name, in the order in which tensors are computed."""

    def __init__(self) -> None:
        self._squares: dict[str, tuple[float, float]] = {}

    def add(self, name: str, original: NDArray[np.float32], quantized: NDArray[np.float32]) -> None:
        """Take one pair of tensors of the same shape into account."""
        import numpy as np

        signal, noise = self._squares.get(name, (0.0, 0.0))
        signal += float(np.square(original, dtype=np.float64).sum())
        self._squares[name] = signal, noise + float(np.square(quantized - original, dtype=np.float64).sum())

    @property
    def ratios(self) -> dict[str, float]:
        """Return the ratios in dB: infinite without noise, and no number where the quantized tensor holds none."""
        return {name: _decibels(*squares) for name, squares in self._squares.items()}

    def below(self, least: float) -> dict[str, float]:
        """Return what is below ``least`` dB, or no number."""
        return {name: ratio for name, ratio in self.ratios.items() if not ratio >= least}


def _decibels(signal: float, noise: float) -> float:
    if math.isnan(noise) or noise == math.inf:
        return math.nan
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


@dataclass(frozen=True, slots=True)
class Compared:
    """What a quantized graph does to the compared samples.

    Each layer alone, as it is given what the original's is given; the blocks and outputs as they come, with the noise
    of everything before them. ``original`` and ``quantized`` are the first outputs, one of each sample, as kept.
    """

    layers: Sqnr = field(default_factory=Sqnr)
    blocks: Sqnr = field(default_factory=Sqnr)
    outputs: Sqnr = field(default_factory=Sqnr)
    original: list[NDArray[Any]] = field(default_factory=list)
    quantized: list[NDArray[Any]] = field(default_factory=list)


class Comparison:
    """A graph and samples on which quantized copies of it are compared with it.

    Raises `BuildError` where its layers or blocks cannot be told apart, for nothing would show what broke.
    """

    def __init__(self, original: Any, samples: Sequence[Inputs], keep: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        """``keep`` returns what is to be kept of the first output of a sample; the runtime overwrites the tensor."""
        if not operations(original) or not block_ends(original):
            raise unlike()
        self._names = operations(original).keys(), block_ends(original).keys()
        self._original = Watched(original, outputs, block_ends, _layers, _sources)
        self._samples = samples
        self._keep = keep

    def against(self, quantized: Any, given: Sequence[Inputs] = ()) -> Compared:
        """Return what ``quantized`` does; ``given`` is what it is given as a whole, where not what the original is.

        A layer alone is given what the original layer is given, so that its noise is its own and not what it inherits:
        the quantized graph is cut in front of each layer with weights.
        """
        if (operations(quantized).keys(), block_ends(quantized).keys()) != self._names:
            raise unlike()
        compared, original = Compared(), self._original
        whole, alone = Watched(quantized, outputs, block_ends), _Apart(quantized, original.ports(_sources))
        first, *_ = whole.ports(outputs)
        for sample, other in zip(self._samples, given or self._samples, strict=True):
            original.run(sample)
            for layer, value in alone.run({name: original.value(name) for name in alone.input_names}):
                compared.layers.add(layer, original.value(layer), value)
            whole.run(other)
            for ratios, chosen in ((compared.blocks, block_ends), (compared.outputs, outputs)):
                for name in whole.ports(chosen):
                    ratios.add(name, original.value(name), whole.value(name))
            compared.original.append(self._keep(original.value(first)))
            compared.quantized.append(self._keep(whole.value(first)))
        return compared


def unlike() -> BuildError:
    """Return the error for a graph whose layers or blocks cannot be told apart."""
    return BuildError(
        "the layers of this export have other names than those of a Whisper that optimum-intel exports, "
        "so that what quantization does to them cannot be checked",
        remedy="install the tested versions (constraints.txt), or gate openvino:int8",
    )


def operations(model: Any) -> dict[str, str]:
    """Return the operation that multiplies in each layer with weights, by the name the graph gives it."""
    return {layer: str(operation.get_friendly_name()) for layer, operation in _weighted(model)}


_Ports: TypeAlias = Callable[[Any], dict[str, Any]]
"""Which ports of a graph are meant, by the names they are asked for by."""


def outputs(model: Any) -> dict[str, Any]:
    """Return what a graph says in the end, ``output logits`` and so on."""
    return {f"output {port.any_name}": port.get_node().input_value(0) for port in model.outputs}


def block_ends(model: Any) -> dict[str, Any]:
    """Return the outputs of the blocks, ``block layers.0`` and so on."""
    named = ((_MODULE.sub("", operation.get_friendly_name()), operation) for operation in model.get_ordered_ops())
    sums = ((_SUM.fullmatch(name), operation) for name, operation in named)
    return {f"block {match[1]}": operation.output(0) for match, operation in sums if match}


def _layers(model: Any) -> dict[str, Any]:
    return {layer: _biased(operation) for layer, operation in _weighted(model)}


def _sources(model: Any) -> dict[str, Any]:
    """Return what the layers are given."""
    ports = (operation.input_value(0) for _, operation in _weighted(model))
    return {_name(port): port for port in ports}


class Watched:
    """A copy of a graph of which chosen ports can be read."""

    def __init__(self, model: Any, *choices: _Ports) -> None:
        watched = model.clone()
        self._ports = {choose: choose(watched) for choose in choices}
        names = {name: port for ports in self._ports.values() for name, port in ports.items()}
        seen = [port.get_node().input_value(0) for port in watched.outputs]
        for port in names.values():
            if port not in seen and port.get_node().get_type_name() != "Parameter":
                watched.add_outputs([port])
                seen.append(port)
        self._inputs = {name: port.any_name for name, port in names.items() if port not in seen}
        self._places = {name: seen.index(port) for name, port in names.items() if port in seen}
        self._request = _request(watched)
        self._given: Inputs = {}

    def ports(self, choose: _Ports) -> dict[str, Any]:
        """Return the ports of one of the choices."""
        return self._ports[choose]

    def run(self, inputs: Inputs) -> None:
        """Compute everything from its first state on."""
        self._given = {name: value for name, value in inputs.items() if name != "nncf_reset_state"}
        self._request.reset_state()
        self._request.infer(self._given)

    def value(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of the last run."""
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
        results = _layers(cut)
        parameters: dict[str, Any] = {}
        for name, source in sources.items():
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
        scope, _, kind = operation.get_friendly_name().partition("/")
        if operation.get_type_name() in _WEIGHTED and kind:
            yield _MODULE.sub("", scope), operation


def _biased(operation: Any) -> Any:
    """Return where the output of a layer comes out: behind the bias, where it has one."""
    bias = f"{operation.get_friendly_name().rpartition('/')[0]}/Add"
    behind = (target.get_node() for target in operation.output(0).get_target_inputs())
    return next((node.output(0) for node in behind if node.get_friendly_name() == bias), operation.output(0))
