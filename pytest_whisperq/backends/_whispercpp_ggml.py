"""ggml files of whisper.cpp: made of a checkpoint, and read before the library sees them, which may end the process.

The layout is that of ``whisper_model_load`` in whisper.cpp: eleven sizes, mel filters, the tokens of text as bytes,
then each tensor as rank, length of its name, type, its sizes from the last to the first, name and data.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple

from pytest_whisperq.backends._weights import listed
from pytest_whisperq.system.errors import BuildError

MAGIC = b"lmgg"
"""The first four bytes, a little-endian 0x67676d6c."""

QUANTIZATION = 2000
"""What whisper.cpp's ``quantize`` adds to the number of a file's type: a thousand for each version of its formats."""

_FFT = 201
"""Frequencies that the mel filters take."""

_COPY = "copy or download the file again, or convert the model again"


class Kind(NamedTuple):
    """How a precision stores matrices: number of the file's type and of the tensors', weights and bytes in a block."""

    file: int
    tensor: int
    weights: int
    bytes: int


FLOAT32 = Kind(0, 0, 1, 4)
"""How biases, norms and positions are stored, whatever the precision."""

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "float16": Kind(1, 1, 1, 2),
        "q8_0": Kind(7, 8, 32, 34),
        "q5_1": Kind(9, 7, 32, 24),
        "q5_0": Kind(8, 6, 32, 22),
        "q4_1": Kind(3, 3, 32, 20),
        "q4_0": Kind(2, 2, 32, 18),
        "q2_k": Kind(10, 10, 256, 84),
        "q3_k": Kind(11, 11, 256, 110),
        "q4_k": Kind(12, 12, 256, 144),
        "q5_k": Kind(13, 13, 256, 176),
        "q6_k": Kind(14, 14, 256, 210),
    }
)
"""Precision → how it is stored. Numbers and blocks are those of ggml's ``ggml.h`` and ``ggml-common.h``.

There is none of float32: over convolutions in it, whisper.cpp ends the process (``ggml_compute_forward_im2col``).
"""


class Sizes(NamedTuple):
    """What the head of a file tells, in its order."""

    n_vocab: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int
    n_mels: int
    ftype: int

    @property
    def precision(self) -> str:
        """The precision of the file's type; "" for a type that is not known."""
        number = self.ftype % 1000
        return next((name for name, kind in KINDS.items() if kind.file == number), "")


class Vocabulary(NamedTuple):
    """Where whisper.cpp looks for special tokens, which it does not read from a file but counts."""

    end: int
    languages: int

    @property
    def no_timestamps(self) -> int:
        """The id of ``<|notimestamps|>``: behind the languages come six others."""
        return self.end + 1 + self.languages + 6


VOCABULARIES: Mapping[int, Vocabulary] = MappingProxyType(
    {51_864: Vocabulary(50_256, 99), 51_865: Vocabulary(50_257, 99), 51_866: Vocabulary(50_257, 100)}
)
"""Number of tokens → the vocabularies of OpenAI: English, multilingual, and that of large-v3."""


class File(NamedTuple):
    """What a ggml file holds, less the data of its tensors; ``types`` counts matrices by the number of their type."""

    sizes: Sizes
    tokens: tuple[bytes, ...]
    types: Mapping[int, int]


def is_ggml(path: Path) -> bool:
    """Whether a file begins as ggml files do."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def read(path: Path) -> File:
    """Return what a file holds; raise `BuildError` unless it is a Whisper that whisper.cpp loads, whole.

    Every tensor is there once, in its shape and type, and the file ends behind the last.
    """
    end = path.stat().st_size
    with path.open("rb") as file:
        try:
            if file.read(4) != MAGIC:
                raise BuildError("it is no ggml file", where=str(path), remedy="name one that whisper.cpp runs")
            sizes = Sizes(*_ints(file, 11))
            _check_sizes(path, sizes)
            tokens = _tokens(file, sizes, path)
            missing = shapes(sizes)
            types: Counter[int] = Counter()
            while file.tell() < end:
                rank, length, kind = _ints(file, 3)
                if not (0 < rank <= 3 and 0 < length <= 256):
                    raise _damaged(path, "a tensor has no name and shape")
                shape = tuple(reversed(_ints(file, rank)))
                name = _bytes(file, length).decode()
                if missing.pop(name, None) != shape:
                    raise _damaged(path, f"{listed([name])} is there twice, or has another shape than the head says")
                needed = _kind(sizes.precision, name, shape)
                if kind != needed.tensor:
                    raise _damaged(
                        path, f"{name} is of type {kind}, and {sizes.precision} stores it as {needed.tensor}"
                    )
                if is_matrix(name, shape):
                    types[kind] += 1
                if file.seek(_length(needed, shape), 1) > end:
                    raise EOFError
        except (struct.error, UnicodeDecodeError, EOFError) as error:
            raise _damaged(path, "it is cut") from error
    if missing:
        raise _damaged(path, f"tensors are missing ({listed(list(missing))})")
    return File(sizes, tokens, types)


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Return the tensors that whisper.cpp looks for, by OpenAI's names → shape, in their order in a file."""
    width, inner = sizes.n_audio_state, 4 * sizes.n_audio_state
    found: dict[str, tuple[int, ...]] = {
        "encoder.positional_embedding": (sizes.n_audio_ctx, width),
        "encoder.conv1.weight": (width, sizes.n_mels, 3),
        "encoder.conv1.bias": (width, 1),
        "encoder.conv2.weight": (width, width, 3),
        "encoder.conv2.bias": (width, 1),
        "encoder.ln_post.weight": (width,),
        "encoder.ln_post.bias": (width,),
        "decoder.positional_embedding": (sizes.n_text_ctx, width),
        "decoder.token_embedding.weight": (sizes.n_vocab, width),
        "decoder.ln.weight": (width,),
        "decoder.ln.bias": (width,),
    }
    for part, layers, attentions in (
        ("encoder", sizes.n_audio_layer, ("attn",)),
        ("decoder", sizes.n_text_layer, ("attn", "cross_attn")),
    ):
        for block in (f"{part}.blocks.{number}" for number in range(layers)):
            for attention in attentions:
                for name in ("query", "key", "value", "out"):
                    found[f"{block}.{attention}.{name}.weight"] = (width, width)
                    if name != "key":
                        found[f"{block}.{attention}.{name}.bias"] = (width,)
            for norm in (*(f"{one}_ln" for one in attentions), "mlp_ln"):
                found |= {f"{block}.{norm}.weight": (width,), f"{block}.{norm}.bias": (width,)}
            found |= {f"{block}.mlp.0.weight": (inner, width), f"{block}.mlp.0.bias": (inner,)}
            found |= {f"{block}.mlp.2.weight": (width, inner), f"{block}.mlp.2.bias": (width,)}
    return found


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is one of those that a precision is about; convolutions, positions and biases are not."""
    return len(shape) == 2 and name.endswith(".weight")


def write(
    path: Path,
    sizes: Sizes,
    filters: Any,
    tokens: tuple[bytes, ...],
    tensors: Iterator[tuple[str, Any]],
) -> None:
    """Write a file of the precision in ``sizes``: mel ``filters`` as (mels, 201), float32 arrays by OpenAI's names.

    What is quantized is rounded to float16 before, as by whisper.cpp's own two tools: ``convert-h5-to-ggml.py`` writes
    float16, and ``quantize`` makes blocks of that.
    """
    import numpy as np

    with path.open("wb") as file:
        file.write(MAGIC + struct.pack("<11i", *sizes))
        file.write(struct.pack("<2i", *filters.shape) + filters.astype("<f4").tobytes())
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, value in tensors:
            kind, raw = _kind(sizes.precision, name, value.shape), name.encode()
            head = struct.pack("<3i", value.ndim, len(raw), kind.tensor)
            file.write(head + struct.pack(f"<{value.ndim}i", *reversed(value.shape)) + raw)
            plain = {1: "<f2", 0: "<f4"}.get(kind.tensor)
            data = value.astype(plain) if plain else _blocks(value.astype("<f2").astype("<f4"), kind)
            file.write(np.ascontiguousarray(data).tobytes())


def _blocks(value: Any, kind: Kind) -> Any:
    """Return a matrix in blocks, a row after the other; gguf's quantizers are those of ggml, in numpy."""
    from gguf import GGMLQuantizationType, quants

    return quants.quantize(value, GGMLQuantizationType(kind.tensor))


def _kind(precision: str, name: str, shape: tuple[int, ...]) -> Kind:
    """Return how a tensor is stored in a file of a precision; convolutions are float16 in all of them."""
    if is_matrix(name, shape):
        return KINDS[precision]
    return KINDS["float16"] if len(shape) == 3 else FLOAT32


def _length(kind: Kind, shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count // kind.weights * kind.bytes


def _check_sizes(path: Path, sizes: Sizes) -> None:
    if sizes.n_vocab not in VOCABULARIES:
        known = ", ".join(map(str, VOCABULARIES))
        raise BuildError(
            f"it has {sizes.n_vocab} tokens, and whisper.cpp knows the special tokens of {known}",
            where=str(path),
            remedy="name one that whisper.cpp runs",
        )
    kind = KINDS.get(sizes.precision)
    if sizes.ftype == FLOAT32.file:
        raise BuildError(
            "it is of float32, and whisper.cpp computes convolutions in float16 alone",
            where=str(path),
            remedy="convert it to float16, as whisper.cpp's scripts do unless they are told otherwise",
        )
    if kind is None:
        raise BuildError(f"its type, {sizes.ftype}, is not known here", where=str(path), remedy=_COPY)
    widths = {sizes.n_audio_state, sizes.n_text_state}
    heads = (sizes.n_audio_head, sizes.n_text_head)
    rest = (sizes.n_audio_layer, sizes.n_text_layer, sizes.n_audio_ctx, sizes.n_text_ctx, sizes.n_mels)
    width = sizes.n_audio_state
    if len(widths) > 1 or min(*heads, *rest, width) < 1 or any(width % one for one in (*heads, kind.weights)):
        raise _damaged(path, "its head has sizes of no Whisper")


def _tokens(file: IO[bytes], sizes: Sizes, path: Path) -> tuple[bytes, ...]:
    mels, frequencies = _ints(file, 2)
    if (mels, frequencies) != (sizes.n_mels, _FFT):
        raise _damaged(path, f"its mel filters are {mels} × {frequencies}, not {sizes.n_mels} × {_FFT}")
    _bytes(file, 4 * mels * frequencies)
    (count,) = _ints(file, 1)
    if not 0 < count <= sizes.n_vocab:
        raise _damaged(path, f"it lists {count} of {sizes.n_vocab} tokens")
    return tuple(_bytes(file, _ints(file, 1)[0]) for _ in range(count))


def _ints(file: IO[bytes], count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}i", file.read(4 * count))


def _bytes(file: IO[bytes], length: int) -> bytes:
    data = file.read(length) if 0 <= length <= 1 << 20 else b""
    if len(data) != length:
        raise EOFError
    return data


def _damaged(path: Path, what: str) -> BuildError:
    return BuildError(f"the file is damaged: {what}", where=str(path), remedy=_COPY)
