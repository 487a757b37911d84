"""What a folder of OpenVINO IR files holds, read from the ``.xml`` of each part; the runtime is not needed for it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from pytest_whisperq.backends import ReadyMade, _openvino_codebooks, _whisper
from pytest_whisperq.backends._openvino_graph import FEW, codebook_name, is_matrix
from pytest_whisperq.system.errors import BuildError
from pytest_whisperq.system.files import first_line

ENCODER, DECODER, WITH_PAST = (f"openvino_{part}_model" for part in ("encoder", "decoder", "decoder_with_past"))
_STORED: Mapping[str, str] = {
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "u8": "int8",
    "i8": "int8",
    "i4": "int4-sym",
    "u4": "int4-asym",
    "u3": "int3-sym",
    "u2": "int2-sym",
    "nf4": "nf4",
    "f8e4m3": "fp8-e4m3",
}
"""Element type of most weight matrices → precision; with an asymmetric type goes a zero point of its own."""
_CODEBOOKS = {*_openvino_codebooks.VECTORS, _openvino_codebooks.SCALAR}
MIXED = "mixed"
"""The precision of a part of which no type has more than half of the weight matrices."""
_LAYER = re.compile(r"\blayers\.(\d+)\.")
_FIRST = "conv1.weight"
"""How the name of the weights ends that take the mel bands; the graph's input may leave their number open."""
_COPY = "export the model again, all parts into one empty folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One graph: how its weights are stored, whether it keeps state between calls, and the sizes that it tells."""

    precision: str
    keeps_state: bool
    layers: int
    last_sizes: Mapping[str, int]
    mels: int | None


def look(directory: Path, executes: Mapping[str, str], *, stateful: bool) -> ReadyMade | None:
    """Return what a folder holds; None where there is no encoder, and where the decoder keeps no state, or does.

    ``executes`` has each precision → what it executes. Raises `BuildError` for a part that is missing or damaged.
    """
    if not (directory / f"{ENCODER}.xml").is_file():
        return None
    encoder, decoder = (_part(directory, name) for name in (ENCODER, DECODER))
    if decoder.keeps_state is not stateful:
        return None
    parts = [encoder, decoder] if stateful else [encoder, decoder, _part(directory, WITH_PAST)]
    if not (directory / "config.json").is_file():
        raise BuildError("there is no config.json", where=str(directory), remedy=_COPY)
    return ReadyMade(
        directory=directory,
        precisions=_precisions(dict.fromkeys(part.precision for part in parts), executes),
        files=tuple(sorted(path.name for path in directory.iterdir() if _belongs(path))),
        lacks=_whisper.lacking(directory),
        sizes=_sizes(encoder, decoder),
    )


def _belongs(path: Path) -> bool:
    is_graph = path.name.startswith("openvino_") and path.suffix in (".xml", ".bin", ".json")
    return path.is_file() and (is_graph or path.name in _whisper.FILES)


def _precisions(stored: Mapping[str, None], executes: Mapping[str, str]) -> dict[str, str]:
    """Return what a model can be loaded as → what executes then, from the precisions of its parts.

    Floats may be computed in another float type. Parts of several precisions are computed in float32, as are weights
    of several types.
    """
    if len(stored) == 1 and MIXED not in stored:
        (name,) = stored
        floats = {other: executes[other] for other in ("float32", "float16", "bfloat16") if other in executes}
        return {name: executes[name], **(floats if name in floats else {})}
    in_float32 = {**executes, "float16": "float32", "bfloat16": "float32", MIXED: "float32 on mixed weights"}
    return {"+".join(stored): " + ".join(dict.fromkeys(in_float32[name] for name in stored))}


def _sizes(encoder: _Part, decoder: _Part) -> dict[str, int]:
    known = {
        "num_mel_bins": encoder.mels,
        "d_model": encoder.last_sizes.get("last_hidden_state"),
        "vocab_size": decoder.last_sizes.get("logits"),
        "encoder_layers": encoder.layers or None,
        "decoder_layers": decoder.layers or None,
    }
    return {name: size for name, size in known.items() if size is not None}


def _part(directory: Path, name: str) -> _Part:
    """Read one graph; raise `BuildError` where its ``.xml`` or ``.bin`` is missing, cut or no graph."""
    for suffix in (".xml", ".bin"):
        if not (directory / f"{name}{suffix}").is_file():
            raise BuildError(f"there is no {name}{suffix}", where=str(directory), remedy=_COPY)
    path = directory / f"{name}.xml"
    matrices, end, sizes, layers = list[tuple[str, str]](), 0, dict[str, tuple[int, ...]](), -1
    kinds, lookups = set[str](), _Lookups()
    try:
        for layer in _layers(path, lookups):
            kinds.add(kind := layer.get("type", ""))
            layers = max(layers, *map(int, _LAYER.findall(layer.get("name", ""))), -1)
            if kind == "Const" and (data := layer.find("data")) is not None:
                shape = [int(size) for size in data.get("shape", "").split(",") if size.strip()]
                end = max(end, int(data.get("offset", 0)) + int(data.get("size", 0)))
                if layer.get("name", "").endswith(_FIRST):
                    sizes[_FIRST] = tuple(shape)
                lookups.shapes[layer.get("id", "")] = shape
                if is_matrix(shape) and int(data.get("size", 0)) >= FEW:
                    matrices.append((layer.get("id", ""), data.get("element_type", "")))
            for port in layer.iter("port"):
                dimensions = tuple(int(one.text or -1) for one in port.iter("dim"))
                sizes |= dict.fromkeys(port.get("names", "").split(","), dimensions)
    except (ElementTree.ParseError, ValueError) as error:
        raise BuildError(f"the graph is cut or damaged ({first_line(error)})", where=str(path), remedy=_COPY) from error
    if end > path.with_suffix(".bin").stat().st_size:
        raise BuildError("the weights are cut, or another graph's", where=str(path.with_suffix(".bin")), remedy=_COPY)
    mels = sizes.get(_FIRST, ())
    return _Part(
        precision=_precision(lookups.count(matrices), is_quantized="FakeQuantize" in kinds),
        keeps_state="ReadValue" in kinds,
        layers=layers + 1,
        last_sizes={name: shape[-1] for name, shape in sizes.items() if shape and shape[-1] > 0},
        mels=mels[1] if len(mels) == 3 else None,
    )


@dataclass(frozen=True, slots=True)
class _Lookups:
    """What a graph looks up in codebooks: shapes of constants, kinds of operations and where their inputs come from."""

    shapes: dict[str, list[int]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def count(self, matrices: Iterable[tuple[str, str]]) -> Counter[str]:
        """Count what constants, given with their element types, store weights in.

        Indices are what they look up, and codebooks are no weights.
        """
        indices, books = dict[str, str](), set[str]()
        for gather in (name for name, kind in self.kinds.items() if kind == "Gather"):
            book, chosen = (self._constant(gather, port) for port in "01")
            if book in self.shapes and is_matrix(self.shapes.get(chosen, ())):
                indices[chosen] = codebook_name(self.shapes[book])
                books.add(book)
        return Counter(indices.get(name, kind) for name, kind in matrices if name not in books)

    def _constant(self, name: str, port: str) -> str:
        source = self.sources.get((name, port), "")
        return self.sources.get((source, "0"), "") if self.kinds.get(source) == "Convert" else source


def _layers(path: Path, lookups: _Lookups) -> Iterator[ElementTree.Element]:
    """Yield the operations of a graph, each once; a graph of a large model has tens of thousands."""
    for _, element in ElementTree.iterparse(path):  # noqa: S314 - expat limits what entities may grow to
        if element.tag == "layer":
            lookups.kinds[element.get("id", "")] = element.get("type", "")
            yield element
            element.clear()
        elif element.tag == "edge" and lookups.kinds.get(element.get("to-layer", "")) in ("Gather", "Convert"):
            target = element.get("to-layer", ""), element.get("to-port", "")
            lookups.sources[target] = element.get("from-layer", "")


def _precision(types: Mapping[str, int], *, is_quantized: bool) -> str:
    """Return the precision of a part of so many weight matrices of each type; quantized activations make it PTQ."""
    total = sum(types.values())
    most = next((name for name, count in types.items() if 2 * count > total), "")
    stored = _STORED.get(most, most if most in _CODEBOOKS else MIXED)
    return f"{stored}-ptq" if stored == "int8" and is_quantized else stored
