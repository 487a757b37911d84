"""Weights of few bits, simulated in PyTorch: rounded and packed as a runtime might store them, computed in float32.

It shows where a model breaks before any runtime has such weights. The files take the bytes that the weights would take:
codes packed into bits, and a float16 scale for each group or channel. Time and memory are those of float32.

Rounded are linear layers and the embedding of tokens. Convolutions, positions, norms and biases stay float32.

========  ==========================  =========================================================================
weights   codes                       scale
========  ==========================  =========================================================================
int2 … 8  −2ᵇ⁻¹ … 2ᵇ⁻¹ − 1            the value of largest magnitude becomes −2ᵇ⁻¹, as in NNCF's symmetric modes
ternary   −1, 0, 1; five in a byte    below 0.7·mean|w| a weight is 0; the scale is the mean of the others' |w|
                                      (Li and Liu, Ternary weight networks, arXiv:1605.04711)
int1      −1, 1                       mean|w| (Rastegari et al., XNOR-Net, arXiv:1603.05279)
========  ==========================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import _weights
from pytest_whisperq.backends.values import Grid
from pytest_whisperq.system.errors import BuildError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = 64
"""Weights of a row that share a scale, as in the executed precisions of 4 bits and fewer."""

_CHANNEL = "-channel"
"""How precisions end whose scales are each of an output channel, a row."""

_TERNARY = 3
_LEVELS: Mapping[str, int] = MappingProxyType(
    {**{f"int{bits}": 2**bits for bits in range(8, 1, -1)}, "ternary": _TERNARY, "int1": 2}
)
"""What weights are called → how many values a code may have."""
_TRITS = (1, 3, 9, 27, 81)
"""What the five ternary codes of a byte count."""
_PACKED, _SCALE = ".packed", ".scale"

PRECISIONS: Mapping[str, str] = MappingProxyType(
    {f"sim-{kind}{suffix}": f"float32 on simulated {kind} weights" for suffix in ("", _CHANNEL) for kind in _LEVELS}
)
"""Each precision → what it executes."""


GRIDS: Mapping[str, Grid] = MappingProxyType(
    {
        f"sim-{kind}{suffix}": Grid(levels=levels, group=None if suffix else GROUP)
        for suffix in ("", _CHANNEL)
        for kind, levels in _LEVELS.items()
        if levels > _TERNARY
    }
)
"""The precisions whose codes are on both sides of zero → how they round."""


def rounded(weight: NDArray[np.float32], levels: int, group: int) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Return codes, from 0 on, and scales of a matrix, shapes (groups, ``group``) and (groups, 1).

    A weight is the value of its code, see `values`, times its scale.
    """
    import numpy as np

    rows = weight.reshape(-1, group)
    sizes = np.abs(rows)
    mean = sizes.mean(axis=1, keepdims=True)
    if levels == 2:
        return (rows >= 0).astype(np.uint8), mean.astype(np.float16)
    if levels == _TERNARY:
        large = sizes > 0.7 * mean
        scale = (sizes * large).sum(axis=1, keepdims=True) / np.maximum(large.sum(axis=1, keepdims=True), 1)
        return (np.sign(rows) * large + 1).astype(np.uint8), scale.astype(np.float16)
    lowest = -(levels // 2)
    extreme = np.take_along_axis(rows, sizes.argmax(axis=1, keepdims=True), axis=1)
    scale = (extreme / lowest).astype(np.float16)
    steps = np.rint(rows / np.where(scale == 0, 1, scale.astype(np.float32)))
    return (steps.clip(lowest, -lowest - 1) - lowest).astype(np.uint8), scale


def values(codes: NDArray[np.uint8], levels: int) -> NDArray[np.float32]:
    """Return what codes stand for, in units of the scale."""
    import numpy as np

    numbers = codes.astype(np.float32)
    return 2 * numbers - 1 if levels == 2 else numbers - levels // 2


def pack(codes: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """Return codes of shape (n,) in as many bits as they need, one after another; of ternary ones five in a byte."""
    import numpy as np

    if levels == _TERNARY:
        padded = np.pad(codes, (0, -len(codes) % len(_TRITS)))
        return np.asarray(padded.reshape(-1, len(_TRITS)) @ np.array(_TRITS), np.uint8)
    return np.packbits(np.unpackbits(codes[:, None], axis=1)[:, -_bits(levels) :])


def unpack(packed: NDArray[np.uint8], levels: int, count: int) -> NDArray[np.uint8]:
    """Return the ``count`` codes that were packed."""
    import numpy as np

    if levels == _TERNARY:
        return np.asarray(packed[:, None] // np.array(_TRITS) % _TERNARY, np.uint8).ravel()[:count]
    bits = np.unpackbits(packed, count=count * _bits(levels)).reshape(count, -1)
    return np.packbits(np.pad(bits, ((0, 0), (8 - _bits(levels), 0))), axis=1).ravel()


def _bits(levels: int) -> int:
    return (levels - 1).bit_length()


def _packed_size(levels: int, count: int) -> int:
    return -(-count // len(_TRITS)) if levels == _TERNARY else -(-count * _bits(levels) // 8)


def save(model: Any, precision: str, path: Path) -> str:
    """Round the weights of ``model`` and write them, packed; return what people should know of the files.

    Raises `BuildError` for rows that groups do not divide.
    """
    import torch
    from safetensors.torch import save_file

    kind = precision.removeprefix("sim-").removesuffix(_CHANNEL)
    is_channel, whole = precision.endswith(_CHANNEL), dict(model.named_parameters())
    tensors: dict[str, Any] = {}
    for name, weight in _rounded_of(model):
        group = weight.shape[1] if is_channel else GROUP
        if weight.shape[1] % group:
            raise BuildError(
                f"rows of {name} have {weight.shape[1]} weights, which groups of {group} do not divide",
                where=f"transformers:{precision}",
                remedy=f"gate {precision}{_CHANNEL}, with a scale for each channel",
            )
        codes, scales = rounded(weight.detach().numpy(), _LEVELS[kind], group)
        tensors[name + _PACKED] = torch.from_numpy(pack(codes.ravel(), _LEVELS[kind]))
        tensors[name + _SCALE] = torch.from_numpy(scales)
        del whole[name]
    taken = sum(tensor.nbytes for tensor in tensors.values())
    tensors |= {name: value.detach() for name, value in whole.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})
    return (
        f"simulated: PyTorch computes in float32 on weights rounded to {kind}, with a scale for each "
        f"{'channel' if is_channel else f'group of {GROUP}'}; a runtime that has them would need {taken:,} bytes for "
        "them, which is what they take in these files"
    )


def restore(model: Any, path: Path) -> tuple[Any, str]:
    """Return a fresh float32 ``model`` with the weights `save` wrote, and on what it computes, told by their bytes.

    Raises `BuildError` naming what is missing, or left over, or packed in another way than the rest.
    """
    import numpy as np
    import torch
    from safetensors.torch import load_file

    tensors = load_file(path)
    kinds = dict[str, None]()
    for name, weight in _rounded_of(model):
        if name + _PACKED not in tensors or name + _SCALE not in tensors:
            continue  # it is missing, which is told below
        packed, scales = tensors.pop(name + _PACKED).numpy(), tensors.pop(name + _SCALE).numpy()
        kind = _kind(len(packed), weight.numel())
        if not kind or weight.numel() % len(scales):
            raise BuildError(f"{name} is cut, or another model's", where=str(path), remedy="delete it and build again")
        kinds[kind] = None
        codes = unpack(packed, _LEVELS[kind], weight.numel()).reshape(len(scales), -1)
        whole = values(codes, _LEVELS[kind]) * scales.astype(np.float32)
        tensors[name] = torch.from_numpy(whole).reshape(weight.shape)
    missing, extra = model.load_state_dict(tensors, strict=False)
    found = {"missing_keys": set(missing), "unexpected_keys": extra, "mismatched_keys": ()}
    _weights.unused(path, found, is_tied=bool(model.config.tie_word_embeddings))
    return model, f" on simulated {' and '.join(kinds)} weights"


def matrices(model: Any) -> dict[str, NDArray[np.float32]]:
    """Return the weights that are rounded, by name."""
    return {name: weight.detach().numpy() for name, weight in _rounded_of(model)}


def _kind(size: int, count: int) -> str:
    return next((kind for kind, levels in _LEVELS.items() if _packed_size(levels, count) == size), "")


def _rounded_of(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the weights that are rounded, each once: the last layer may be the embedding."""
    import torch

    seen = set[int]()
    for name, module in model.named_modules():
        is_linear = isinstance(module, torch.nn.Linear)
        if (is_linear or module is model.get_input_embeddings()) and id(module.weight) not in seen:
            seen.add(id(module.weight))
            yield f"{name}.weight", module.weight
