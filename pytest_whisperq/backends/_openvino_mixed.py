"""int8-ptq of which as few blocks are given back to float32 as a bound on the loss of accuracy needs.

NNCF's accuracy control reverts layers of one graph by a metric that its user writes. Here both graphs of a Whisper are
one model, what is measured is what a gate measures, and it is measured on the calibration set: no build hears what the
model is gated on. Nothing is quantized again: the build is the very mixture that passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pytest_whisperq.backends import Calibration, _openvino_blocks, _openvino_ptq, _whisper
from pytest_whisperq.backends._openvino_mixture import Mixture
from pytest_whisperq.backends.giving_back import following
from pytest_whisperq.backends.values import Loss, Noise
from pytest_whisperq.system.errors import QuantizationError

_REMEDY = (
    "calibrate on more recordings (--whisperq-calibration-samples), tolerate more (--whisperq-max-drop), or gate "
    "openvino:int8"
)


def quantize(
    model: Any,
    front_end: _whisper.FrontEnd,
    calibration: Calibration,
    ignored: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[str]:
    """Replace both parts of ``model`` by int8 ones with some blocks in float32; return which, why and at what price.

    ``ignored`` are operations that are in float32 anyway, by part. Raises `QuantizationError` where too little of the
    model would be left in int8, and where the calibration set is too small to bound anything.
    """
    if calibration.measure is None:
        raise QuantizationError("int8-ptq-mixed has nothing to measure accuracy by", remedy="gate openvino:int8-ptq")
    measure = calibration.measure
    if math.isinf(measure.limit):
        raise QuantizationError("so few calibration clips bound no loss of accuracy", remedy=_REMEDY)
    original = {part: getattr(model, part).model for part in _openvino_blocks.PARTS}
    # What int8 says is judged here by what it loses, after blocks have been given back.
    notes = _openvino_ptq.quantize(model, front_end, replace(calibration, speaks=False), ignored)
    quantized = {part: getattr(model, part).model for part in original}
    for part, graph in original.items():
        model.replace_ov_model(quantized[part], graph)
    mixture = Mixture(model, front_end, quantized, calibration.clips())
    before = [said.text for said in mixture.transcribe(())]
    noises = mixture.noise()

    def lost(chosen: Collection[str]) -> Loss:
        return measure.between(before, [said.text for said in mixture.transcribe(chosen)])

    given, left = give_back(noises, mixture.blocks, mixture.executes, lost)
    mixture.use([name for name in noises if name not in given])
    model.clear_requests()
    return [*notes, _note(given, left, original, quantized, mixture.graphs(set(noises) - set(given)))]


def give_back(
    noises: Mapping[str, Noise],
    blocks: Sequence[str],
    executes: Callable[[Collection[str]], bool],
    lost: Callable[[Collection[str]], Loss],
) -> tuple[list[str], Loss]:
    """Return the blocks to be given back, the noisiest first, until what is ``lost`` passes; and what is lost then.

    ``noises`` are those of the ``blocks`` that are quantized; ``executes`` is that of `following`. Raises
    `QuantizationError` where no block is left to be given back.
    """
    order = sorted(noises, key=lambda name: -math.inf if math.isnan(noises[name].scores) else noises[name].scores)
    given = [name for name in blocks if name not in noises]  # in float32 as it is
    back: list[str] = []
    while not (loss := lost([name for name in noises if name not in back])).passes:
        block = following(order, {*given, *back}, executes)
        if block is None:
            tried = f" with {', '.join(back)} in float32" if back else ""
            raise QuantizationError(f"int8-ptq-mixed still loses too much{tried}: {loss}", remedy=_REMEDY)
        back.append(block)
    return back, loss


def _note(
    given: Sequence[str],
    loss: Loss,
    original: Mapping[str, Any],
    quantized: Mapping[str, Any],
    mixed: Mapping[str, Any],
) -> str:
    sizes = [sum(map(_openvino_blocks.weight_bytes, graphs.values())) / 1e6 for graphs in (original, quantized, mixed)]
    price = f"{sizes[2]:.2f} MB of weights for {sizes[1]:.2f} in int8 and {sizes[0]:.2f} in float32"
    what = f"{', '.join(given)} given back to float32, {price}" if given else "no block had to be given back"
    return f"int8-ptq-mixed: {what}; {loss}"
