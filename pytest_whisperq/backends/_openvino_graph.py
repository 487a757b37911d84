"""What a compiled OpenVINO model really executes, read back from the compiled model, not from what was asked for."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_whisperq.system.errors import BuildError, DecodeError

_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
_WEIGHTS = {
    "u2": "int2",
    "u3": "int3",
    "i4": "int4",
    "u4": "int4",
    "nf4": "nf4",
    "f8e4m3": "fp8",
    "i8": "int8",
    "u8": "int8",
}
"""Element type of stored weights, 8 bits or less → what it is called."""
_MATRIX = ("FullyConnected", "MatMul", "Convolution")
"""The layers that do the arithmetic of a Whisper; everything else moves, adds or normalizes."""
FEW = 1024
"""Bytes below which a constant is a scale or a shape, not weights."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """An operation that looks weights up in a codebook, by name, with its two constants, and what they are called.

    Constants are known by the names that OpenVINO gives each node once: in a mixture of two graphs a codebook can have
    the name of the float32 weights that it stands for.
    """

    operation: str
    indices: str
    book: str
    weights: str


def parts(model: Any) -> dict[str, Any]:
    """Return the graphs of an ``OVModelForSpeechSeq2Seq`` by what they are called in a report.

    A stateful decoder keeps its key/value cache between calls; a stateless one comes in two: for the first token, and
    for the others.
    """
    stateful = model.decoder.stateful
    graphs = {"encoder": model.encoder, f"{'stateful' if stateful else 'stateless'} decoder": model.decoder}
    return graphs if stateful else {**graphs, "decoder with past": model.decoder_with_past}


def check_parts(model: Any, directory: Path) -> int:
    """Return how many tokens an ``OVModelForSpeechSeq2Seq`` has.

    Raises `BuildError` where its parts are of two models: another width, or another number of tokens.
    """
    graphs = {name: part.model for name, part in parts(model).items()}
    widths = _last_sizes(graphs, "last_hidden_state", "encoder_hidden_states")
    tokens = _last_sizes(graphs, "logits")
    for what, sizes in (("width", widths), ("tokens", tokens)):
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise BuildError(
                f"its parts are of two models ({what}: {told})",
                where=str(directory),
                remedy="export all parts of one checkpoint into an empty folder",
            )
    return next(iter(tokens.values()), int(model.config.vocab_size))


def _last_sizes(graphs: Mapping[str, Any], *names: str) -> dict[str, int]:
    """Return the last size of the inputs or outputs of these names, by graph, where a graph has one and fixes it."""
    sizes = {}
    for part, graph in graphs.items():
        for port in (*graph.inputs, *graph.outputs):
            size = port.get_partial_shape()[-1] if port.get_names() & set(names) else None
            if size is not None and size.is_static:
                sizes[part] = int(size.get_length())
    return sizes


def read_back(model: Any, pinned: Mapping[str, str]) -> tuple[str, str]:
    """Return (compute type, operations) of a compiled ``OVModelForSpeechSeq2Seq``.

    The compute type names the arithmetic of encoder and decoder, and the storage of their weights where that is
    shorter; operations say how many of the matrix layers of each part multiply in 8 bits, how many of its weight
    matrices are stored so, and the properties ``pinned``. A part counts as int8 when most of its layers are. Raises
    `DecodeError` where a property is not what it was pinned to.
    """
    types, shares, held = [], [], dict[str, str]()
    for name, part in parts(model).items():
        part.compile()
        request = part.request  # optimum keeps the compiled model for the encoder, its request for the decoder
        compiled = request.get_compiled_model() if hasattr(request, "get_compiled_model") else request
        layers = [layer for layer in compiled.get_runtime_model().get_ops() if _property(layer, "layerType") in _MATRIX]
        short = sum(map(_multiplies_in_int8, layers))
        # Once compiled, this is the runtime's answer: asked for f16 where it has none, it says bf16.
        answer = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        arithmetic = _NAMES.get(answer, answer)
        lookups = lookups_of(part.model)
        weights, stored = _stored_weights(part.model, lookups)
        if lookups:
            kept = _kept(compiled, lookups)
            stored.append(f"{kept} of {len(lookups)} look-ups in the compiled graph")
            weights = weights if 2 * kept > len(lookups) else ""  # folded into float weights
        if 2 * short > len(layers):
            types.append(f"int8_{arithmetic}")
        else:
            types.append(f"{arithmetic} on {weights} weights" if weights else arithmetic)
        shares += [f"{name} {short} of {len(layers)} matrix layers in int8", *stored]
        held |= _held(compiled, pinned)
    shares += [f"{name} {value}" for name, value in held.items()]
    return " + ".join(dict.fromkeys(types)), ", ".join(shares)


def _kept(compiled: Any, lookups: Collection[Lookup]) -> int:
    """Return how many look-ups of weights are in a compiled graph.

    What only sets a decoder's first state is compiled apart, and cannot be seen: keys and values of the encoder.
    """
    gathers = [one for one in compiled.get_runtime_model().get_ops() if _property(one, "layerType") == "Gather"]
    names = {name for one in gathers for name in _property(one, "originalLayersNames").split(",")}
    return len(names & {one.operation for one in lookups})


def _held(compiled: Any, pinned: Mapping[str, str]) -> dict[str, str]:
    """Return the pinned properties that a compiled model has, as it says them."""
    values = {}
    for name in pinned.keys() & set(compiled.get_property("SUPPORTED_PROPERTIES")):
        value = compiled.get_property(name)
        values[name] = value.to_string() if hasattr(value, "to_string") else str(value)
        if values[name] != pinned[name]:
            raise DecodeError(
                f"OpenVINO was told {name}={pinned[name]} and executes {values[name]}: its figures would be "
                "those of another model",
                remedy="install a version of openvino that keeps to it",
            )
    return dict(sorted(values.items()))


def _multiplies_in_int8(layer: Any) -> bool:
    """Whether a layer's kernel does; its name ends in the type, as in ``brgconv_avx512_I8``."""
    return _property(layer, "primitiveType").rpartition("_")[2].lower() in ("i8", "u8")


def _property(layer: Any, name: str) -> str:
    value = layer.get_rt_info()[name]
    return str(value.astype(str) if hasattr(value, "astype") else value)


def _stored_weights(model: Any, lookups: Collection[Lookup]) -> tuple[str, list[str]]:
    """Return what most weight matrices are stored in (``int4``, ``nf4``, ``vq4x256``) and how many are, type by type.

    Nothing where most are float, and "mixed" where no type has more than half. Of ``lookups`` the indices are weights,
    and the codebooks are none.
    """
    indices, books = {one.indices: one.weights for one in lookups}, {one.book for one in lookups}
    stored = Counter(
        indices.get(op.get_name(), _WEIGHTS.get(op.get_element_type().to_string(), ""))
        for op in model.get_ops()
        if op.get_type_name() == "Constant" and is_matrix(op.shape) and op.get_byte_size() >= FEW
        if op.get_name() not in books
    )
    total = stored.total()
    shares = [f"{count} of {total} weight matrices in {name}" for name, count in stored.most_common() if name]
    return next((name for name, count in stored.items() if 2 * count > total), "mixed" if total else ""), shares


def codebook_name(shape: Sequence[int]) -> str:
    """Return what weights are called that are looked up in a codebook of this shape.

    >>> codebook_name([16]), codebook_name([256, 4])
    ('codebook', 'vq4x256')
    """
    return "codebook" if len(shape) == 1 else f"vq{shape[1]}x{shape[0]}"


def lookups_of(model: Any) -> list[Lookup]:
    """Return the look-ups of a graph that take matrices of constant indices."""
    found = []
    for operation in model.get_ops():
        if operation.get_type_name() != "Gather":
            continue
        book, indices = (_unconverted(operation.input_value(index).get_node()) for index in (0, 1))
        if book.get_type_name() == indices.get_type_name() == "Constant" and is_matrix(indices.shape):
            name, at, entries = operation.get_friendly_name(), indices.get_name(), book.get_name()
            found.append(Lookup(str(name), str(at), str(entries), codebook_name(list(book.shape))))
    return found


def _unconverted(node: Any) -> Any:
    return node.input_value(0).get_node() if node.get_type_name() == "Convert" else node


def is_matrix(shape: Sequence[int]) -> bool:
    """Whether a constant of this shape is one: scales and zero points have one value a row, or a group, of one."""
    return len(shape) >= 2 and shape[-1] > 1 and sum(size > 1 for size in shape) >= 2
