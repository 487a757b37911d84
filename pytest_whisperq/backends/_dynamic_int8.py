"""PyTorch's dynamic int8 kept as safetensors: PyTorch itself would pickle it, and a pickle is nothing to load.

Every linear layer is stored as ``NAME.int8`` with one scale (symmetric, per tensor: the zero point is 0), the rest of
the model as float32.
"""

from pathlib import Path
from typing import Any

from pytest_whisperq.backends import _weights

_SCALE, _WEIGHT = ".scale", ".int8"


def quantize(model: Any) -> Any:
    """Return ``model`` with every linear layer computing in int8; activations are quantized as they come."""
    import torch

    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


def is_quantized(module: Any) -> bool:
    """Whether a module is a linear layer that computes in int8."""
    import torch

    return isinstance(module, torch.ao.nn.quantized.dynamic.Linear)


def save(model: Any, path: Path) -> None:
    """Write the weights of a quantized model."""
    import torch
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    quantized = [name for name, module in model.named_modules() if is_quantized(module)]
    for name in quantized:
        layer = model.get_submodule(name)
        weight, bias = layer.weight(), layer.bias()
        tensors[name + _WEIGHT] = weight.int_repr()
        tensors[name + _SCALE] = torch.tensor(weight.q_scale(), dtype=torch.float64)
        if bias is not None:
            tensors[f"{name}.bias"] = bias.detach()
    tensors |= {
        name: value
        for name, value in model.state_dict().items()
        if isinstance(value, torch.Tensor) and not any(name.startswith(f"{layer}.") for layer in quantized)
    }
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, {"format": "pt"})


def restore(model: Any, path: Path) -> Any:
    """Return a fresh float32 ``model`` with the weights `save` wrote.

    Raises `BuildError` naming what is missing, or left over.
    """
    import torch
    from safetensors.torch import load_file

    tensors = load_file(path)
    layers = [name.removesuffix(_WEIGHT) for name in tensors if name.endswith(_WEIGHT)]
    quantized = {f"{name}.weight" for name in layers}
    # First what stays float32: quantized layers insist on a state of their own.
    missing, extra = model.load_state_dict(tensors, strict=False)
    found = {
        "missing_keys": set(missing) - quantized,
        "unexpected_keys": [name for name in extra if not name.endswith((_WEIGHT, _SCALE))],
        "mismatched_keys": (),
    }
    _weights.unused(path, found, is_tied=False)
    model = quantize(model)
    for name in layers:
        scale, bias = float(tensors[name + _SCALE]), tensors.get(f"{name}.bias")
        weight = torch._make_per_tensor_quantized_tensor(tensors[name + _WEIGHT], scale, 0)  # type: ignore[attr-defined, unused-ignore]
        model.get_submodule(name).set_weight_bias(weight, bias)
    return model
