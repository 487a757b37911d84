"""Fake quantization in PyTorch: weights that are computed with as a runtime will store them, and that learn.

A weight is a code times the scale of its row, or group of a row, as in NNCF's symmetric modes: codes are −2ᵇ⁻¹ …
2ᵇ⁻¹ − 1, and the weight of largest magnitude in a group has the lowest. Rounding passes its gradient on as if it were
none (straight through: Bengio et al., arXiv:1308.3432), and a weight beyond the last code has none. Scales learn too
(Esser et al., Learned step size quantization, arXiv:1902.08153).

Each group keeps a weight with the lowest code. So whoever quantizes the rounded weights again finds the same scales and
the same codes, and a checkpoint of them is all that a build needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends.values import Grid

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 2.0**-24
"""The smallest scale: that of float16."""

_CLIPPED = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
"""What of a group's largest magnitude is tried for its lowest code at first."""


def names(model: Any, grid: Grid) -> list[str]:
    """Return the parameters of a Whisper that are rounded: those of linear layers and of embeddings of tokens.

    And, where the ``grid`` says so, the decoder's positions. A last layer that is tied to the embedding is that.
    """
    return list(dict.fromkeys(_names(model, grid)))


def _names(model: Any, grid: Grid) -> Iterator[str]:
    import torch

    known = {id(value): name for name, value in model.named_parameters()}
    decoder = model.get_decoder()
    embeddings = [decoder.embed_tokens, *([decoder.embed_positions] if grid.positions else [])]
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) or any(module is one for one in embeddings):
            yield known[id(module.weight)]


def grouped(weight: Tensor, grid: Grid) -> Tensor:
    """Return a matrix with a row for each scale."""
    return weight.reshape(-1, grid.group or weight.shape[-1])


def fitted(weight: Tensor, grid: Grid) -> Tensor:
    """Return the scales, shape (groups, 1), with which rounding a matrix errs least.

    Of those with which the largest magnitude, or a share of it, has the lowest code, or its negative would. A negative
    scale is one by which the lowest code is the largest weight.
    """
    import torch

    rows = grouped(weight, grid)
    largest = rows.abs().amax(1, keepdim=True).clamp_min(SMALLEST)
    best, error = largest / (grid.levels // 2), torch.full_like(largest, torch.inf)
    for share in (sign * size for size in _CLIPPED for sign in (1, -1)):
        scale = share * largest / (grid.levels // 2)
        now = (fake(weight, scale, grid).reshape(rows.shape) - rows).square().sum(1, keepdim=True)
        best, error = torch.where(now < error, scale, best), torch.minimum(now, error)
    return best


def fake(weight: Tensor, scale: Tensor, grid: Grid) -> Tensor:
    """Return a matrix rounded to its codes times its scales; gradients reach both ``weight`` and ``scale``."""
    import torch

    rows, half = grouped(weight, grid), grid.levels // 2
    sign = torch.where(scale.detach() < 0, -1.0, 1.0)
    # With a larger scale no weight would have the lowest code, and whoever rounds again would find another.
    reach = (-rows * sign).amax(1, keepdim=True).clamp_min(0)
    whole = torch.where((reach / _stored(scale)).round() >= half, scale, sign * reach / half)
    stored = sign * _stored(whole)
    whole = whole + (stored - whole).detach()
    steps = (rows / whole).clamp(-half, half - 1)
    codes = steps + (steps.round() - steps).detach()
    return (codes * whole).reshape(weight.shape)


def _stored(scale: Tensor) -> Tensor:
    """Return the size of scales as files hold it: in float16."""
    return scale.detach().abs().clamp_min(SMALLEST).half().float()
