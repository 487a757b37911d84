"""Full int8 of an OpenVINO Whisper: weights and activations, each part calibrated apart (NNCF, SmoothQuant).

The range of an activation is that of a few clips, and one outlier in it can cost all that is small: whether the
negative part of a GELU survives may hang on a rounding, and with it whether the model hears anything. So each quantized
layer is compared with its float32 original, and one that is off is left in float32.

The encoder's ranges are the mean of each clip's extremes, NNCF's default: a wider one costs what is small. The
decoder's are all that any clip shows, for one token of a text can stand out. In the embedded model that is the last
word before a closing timestamp, where the mean put `proj_out` off by 34 % and the timestamp elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeAlias

from pytest_whisperq.backends import Calibration, _generate, _openvino_layers, _whisper
from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError

MOST_OFF = 0.2
"""How far the output of a layer may be from float32's, given the same input: ‖int8 − float32‖ / ‖float32‖.

Layers that serve are off by 0.01 to 0.07; one whose small values are lost, by 0.4.
"""

MOST_OFF_AT_END = 0.4
"""The same of an encoder or decoder as a whole, whose layers pass on their errors: 0.03 to 0.1 where they serve."""

_COMPARED = 8
"""Calibration clips on which outputs are compared."""

_ROUNDS = 3
"""How often a part is quantized, each time with what was off in float32, before it is given up."""

_RANGES: Mapping[str, str] = MappingProxyType({"encoder": "MEAN_MINMAX", "decoder": "MINMAX"})
"""How NNCF makes one range of those of all samples: their mean, or all that any of them shows."""

_PURPOSE = "quantize OpenVINO models"

_Inputs: TypeAlias = dict[str, Any]
"""What a part of the model is given in one call, by the names of its inputs."""


def quantize(model: Any, front_end: _whisper.FrontEnd, calibration: Calibration) -> list[str]:
    """Replace both parts of ``model`` by int8 ones whose activation ranges were measured on the calibration clips.

    Returns which layers are left in float32 and why. Raises `BuildError` for a part that is further off than
    `MOST_OFF_AT_END` even so.
    """
    model.compile()
    sounds, texts = zip(*_samples(model, front_end, calibration), strict=True)
    model.clear_requests()
    notes = []
    for name, clips, alpha in zip(("encoder", "decoder"), (sounds, texts), calibration.alphas, strict=True):
        old = getattr(model, name).model
        new, left = _quantize_part(name, old, clips, alpha)
        model.replace_ov_model(old, new)
        notes += [
            f"{name} {layer} is left in float32: int8 puts its output off by {error:.0%}, more than {MOST_OFF:.0%}"
            for layer, error in left.items()
        ]
    return notes


def _quantize_part(
    name: str, model: Any, clips: Sequence[Sequence[_Inputs]], alpha: float
) -> tuple[Any, dict[str, float]]:
    """Return ``model`` in int8 and the layers of it that are not, each with how far off it was when it was."""
    samples = list(chain.from_iterable(clips))
    compared = list(chain.from_iterable(clips[:: max(1, len(clips) // _COMPARED)][:_COMPARED]))
    names = _openvino_layers.operations(model)
    left: dict[str, float] = {}
    for _ in range(_ROUNDS):  # without one layer, scales that it shared are others, and another may be off
        new = _quantized(model, samples, alpha, _RANGES[name], [names[layer] for layer in left])
        layers, whole = _openvino_layers.compare(model, new, compared)
        off = layers.beyond(MOST_OFF)
        if not off:
            break
        left |= off
    if broken := off | whole.beyond(MOST_OFF_AT_END):
        worst, error = max(broken.items(), key=lambda row: row[1])
        kept = f", even with {', '.join(left)} left in float32" if left else ""
        raise BuildError(
            f"int8-ptq broke the {name}: on calibration clips {worst} is off by {error:.0%}{kept}; "
            f"{MOST_OFF:.0%} may be a layer, {MOST_OFF_AT_END:.0%} all of it",
            remedy=(
                "calibrate on other recordings (--whisperq-calibration), on more or fewer of them "
                "(--whisperq-calibration-samples), with another --whisperq-smooth-quant, or gate openvino:int8"
            ),
        )
    return new, left


def _quantized(model: Any, samples: Sequence[_Inputs], alpha: float, ranges: str, ignored: Sequence[str]) -> Any:
    """Return ``model`` with all but the operations ``ignored`` in int8."""
    nncf = optional_imports.require("nncf", extra="openvino", purpose=_PURPOSE)
    range_sets = nncf.quantization.range_estimator.RangeEstimatorParametersSet
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=len(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=list(ignored)) if ignored else None,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=getattr(range_sets, ranges),
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=alpha),
        ),
    )


def _samples(
    model: Any, front_end: _whisper.FrontEnd, calibration: Calibration
) -> Iterator[tuple[Sequence[_Inputs], Sequence[_Inputs]]]:
    """Yield what encoder and decoder are fed, clip by clip: the clip, then all that float32 says about it at once.

    One call with a whole text shows the decoder the activations of every position. Each text is shown twice, plain and
    between timestamps, for the two ways of prompting show it different ones.
    """
    import torch

    for clip in calibration.clips():
        features = torch.from_numpy(front_end.features([clip]))
        with torch.inference_mode():
            encoded = model.get_encoder()(input_features=features)
            languages = [clip.language or _generate.detect_languages(model, front_end, encoded, 1)[0]]
            options = _generate.generate_options(front_end, languages)
            tokens = model.generate(encoder_outputs=encoded, **options)[0].tolist()
        sound = encoded.last_hidden_state.numpy().copy()  # a view that the next call overwrites
        prompt = front_end.prompt(languages[0])
        start = prompt[-1] + 1  # <|0.00|> follows <|notimestamps|>
        end = start + round(len(clip.samples) / SAMPLE_RATE / _whisper.SECONDS_PER_STEP)
        texts = [
            {
                "input_ids": torch.tensor([text]).numpy(),
                "encoder_hidden_states": sound,
                "beam_idx": torch.zeros(1, dtype=torch.int32).numpy(),
                "nncf_reset_state": True,
            }
            for text in ([*prompt, *tokens], [*prompt[:-1], start, *tokens, end])
        ]
        yield [{"input_features": features.numpy()}], texts
