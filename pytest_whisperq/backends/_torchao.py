"""torchao's weight-only precisions kept as safetensors: float32 arithmetic on linear layers whose weights are short.

Each such weight is several tensors, stored as ``NAME.qdata``, ``NAME.scale`` and so on, as torchao names them. The rest
of the model is stored as float32. All are torchao's defaults: symmetric, one scale for each row.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_whisperq.backends import _weights
from pytest_whisperq.backends.values import Requirement
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError

PRECISIONS: Mapping[str, str] = MappingProxyType(
    {f"{kind}-weight": f"float32 on {kind} weights" for kind in ("int8", "float8")}
)
"""Each precision → what it executes."""

REQUIREMENTS: Mapping[str, Requirement] = MappingProxyType(
    dict.fromkeys(PRECISIONS, Requirement(extra="torchao", modules=("torchao",), distributions=("torchao",)))
)

_CONFIGS: Mapping[str, str] = MappingProxyType(
    {"int8-weight": "Int8WeightOnlyConfig", "float8-weight": "Float8WeightOnlyConfig"}
)


def quantize(model: Any, precision: str) -> Any:
    """Return ``model``, whose linear layers have weights of ``precision`` now.

    The last layer is one of its own then. The embedding that it was tied to stays float32.
    """
    # torchao sets options of torch.compile, and once set float32's precision: they are the whole process's.
    config = _from_torchao(_CONFIGS[precision])(set_inductor_config=False)
    _from_torchao("quantize_")(model, config)
    return model


def save(model: Any, path: Path) -> None:
    """Write the weights of a quantized model."""
    from safetensors.torch import save_file

    tensors = dict(model.state_dict())
    for name, weight in _quantized_of(model):
        del tensors[name]
        tensors |= {f"{name}.{part}": getattr(weight, part) for part in _parts(weight)}
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path, {"format": "pt"})


def restore(model: Any, precision: str, path: Path) -> Any:
    """Return a fresh float32 ``model`` with the weights that `save` wrote of ``precision``.

    Raises `BuildError` naming what is missing, left over, or stored in another shape or type.
    """
    from safetensors.torch import load_file

    model, tensors = quantize(model, precision), load_file(path)
    found, extra = model.load_state_dict(tensors, strict=False)
    missing, left, shapes = set(found), set(extra), list[tuple[str, Any, Any]]()
    for name, weight in _quantized_of(model):
        missing.discard(name)
        for part in _parts(weight):
            key, place = f"{name}.{part}", getattr(weight, part)
            if key not in left:
                missing.add(key)
                continue
            left.remove(key)
            stored = tensors[key]
            if stored.dtype != place.dtype:
                raise BuildError(
                    f"{key} is {_name(stored.dtype)}, and {precision} has {_name(place.dtype)}",
                    where=str(path),
                    remedy="delete it and build again",
                )
            if stored.shape == place.shape:
                place.copy_(stored)
            else:
                shapes.append((key, stored.shape, place.shape))
    _weights.unused(path, {"missing_keys": missing, "unexpected_keys": left, "mismatched_keys": shapes}, is_tied=False)
    return model


def executes(model: Any) -> str:
    """Read back from the weights of all linear layers on what they compute: `` on int8 weights``."""
    import torch

    quantized = dict(_quantized_of(model))
    names = [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    kinds = sorted({_kind(quantized[name]) if name in quantized else "float" for name in names})
    return f" on {' and '.join(kinds)} weights"


def _kind(weight: Any) -> str:
    is_dynamic = getattr(weight, "act_quant_kwargs", None) is not None
    return _name(weight.qdata.dtype) + (" (and activations)" if is_dynamic else "")


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.").removesuffix("_e4m3fn")  # of float8 the only one that CPUs have


def _quantized_of(model: Any) -> Iterator[tuple[str, Any]]:
    base = optional_imports.require_attribute(
        "torchao.utils", "TorchAOBaseTensor", extra="torchao", purpose="run its precisions"
    )
    return ((name, weight) for name, weight in model.named_parameters() if isinstance(weight, base))


def _parts(weight: Any) -> list[str]:
    """Return which tensors a weight consists of, by PyTorch's protocol for such subclasses."""
    names: list[str] = weight.__tensor_flatten__()[0]
    return names


def _from_torchao(name: str) -> Any:
    return optional_imports.require_attribute(
        "torchao.quantization", name, extra="torchao", purpose="run its precisions"
    )
