"""Full int8 of an OpenVINO Whisper: weights and activations, each part calibrated apart (NNCF, SmoothQuant).

The range of an activation is that of a few clips, and one outlier in it can cost all that is small: whether the
negative part of a GELU survives may hang on a rounding, and with it whether the model hears anything. So each quantized
layer is compared with its float32 original, and one with too much noise is left in float32. What is built then has to
say what float32 says: a self-check on a few of the calibration clips.

The encoder's ranges are the mean of each clip's extremes, NNCF's default: a wider one costs what is small. The
decoder's are all that any clip shows, for one token of a text can stand out. In the embedded model that is the last
word before a closing timestamp, where the mean put `proj_out` off by 34 % and the timestamp elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import Calibration, Clip, _generate, _openvino_layers, _whisper
from pytest_whisperq.backends._openvino_layers import Compared, Comparison, Inputs
from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import QuantizationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_OF_LAYER = 14.0
"""SQNR in dB below which a layer alone is left in float32: noise of a fifth of its output.

Layers that serve have 22 to 48 dB, and those whose small values are lost 9 to 12: docs/calibration.md.
"""

LEAST_OF_PART = 8.0
"""The least SQNR of a block, and of an encoder or decoder as a whole, with the noise of all that is before it."""

LEAST_AGREEMENT = 0.9
"""Share of float32's greedy tokens that a model has to say, each after the same tokens before it."""

_CHANCE = 0.01
"""How often a model that just reaches `LEAST_AGREEMENT` may be refused: clips of a calibration set hold few tokens."""

CHECKED = 8
"""Calibration clips on which a build is compared with float32."""

_ROUNDS = 3
"""How often a part is quantized, each time with what had too much noise in float32, before it is given up."""

_RANGES: Mapping[str, str] = MappingProxyType({"encoder": "MEAN_MINMAX", "decoder": "MINMAX"})
"""How NNCF makes one range of those of all samples: their mean, or all that any of them shows."""

_PURPOSE = "quantize OpenVINO models"

_REMEDY = (
    "calibrate on other recordings (--whisperq-calibration), on more or fewer of them "
    "(--whisperq-calibration-samples), with another --whisperq-smooth-quant, leave blocks in float32 "
    "(--whisperq-ignored-blocks), or gate openvino:int8"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What encoder and decoder are fed for one clip: the sound, and all that float32 says of it at once, twice.

    One call with a whole text shows the decoder the activations of every position: ``plain``, and ``stamped`` between
    timestamps, for the two ways of prompting show it different ones. ``prompt`` counts the tokens before the text.
    """

    sound: Inputs
    plain: Inputs
    stamped: Inputs
    prompt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A quantized encoder or decoder; ``left`` are its layers in float32, with the SQNR in dB that they had in int8."""

    model: Any
    left: Mapping[str, float]
    compared: Compared


def quantize(
    model: Any,
    front_end: _whisper.FrontEnd,
    calibration: Calibration,
    ignored: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[str]:
    """Replace both parts of ``model`` by int8 ones whose activation ranges were measured on the calibration clips.

    ``ignored`` has, by part, the operations that are to stay in float32.

    Returns which layers are left in float32 and why, and what the self-check measured. Raises `QuantizationError`
    where a block or part has less than `LEAST_OF_PART` dB even so, or the model surely says less than
    `LEAST_AGREEMENT` of float32's tokens.
    """
    model.compile()
    clips = list(hear(model, front_end, calibration.clips()))
    model.clear_requests()
    checked = clips[:: max(1, len(clips) // CHECKED)][:CHECKED]
    encoder = quantize_encoder(model.encoder.model, clips, checked, calibration.alphas[0], ignored.get("encoder", ()))
    model.replace_ov_model(model.encoder.model, encoder.model)
    sounds = encoder.compared.quantized
    decoder = quantize_decoder(
        model.decoder.model, clips, checked, calibration.alphas[1], sounds, ignored.get("decoder", ())
    )
    model.replace_ov_model(model.decoder.model, decoder.model)
    same, total = agreement(decoder, checked)
    said = f"{same} of float32's {total} greedy tokens"
    if calibration.speaks and surely_fewer(same, total):
        raise QuantizationError(
            f"int8-ptq broke the model: on {len(checked)} calibration clips it says {said}, {LEAST_AGREEMENT:.0%} at "
            f"least are wanted; {_noisiest(encoder, decoder)}",
            remedy=_REMEDY,
        )
    notes = [
        f"{name} {layer} is left in float32: its SQNR in int8 is {ratio:.1f} dB, below {LEAST_OF_LAYER:g} dB"
        for name, part in (("encoder", encoder), ("decoder", decoder))
        for layer, ratio in part.left.items()
    ]
    return [*notes, f"self-check on {len(checked)} calibration clips: says {said}; {_noisiest(encoder, decoder)}"]


def quantize_encoder(
    model: Any, clips: Sequence[Heard], checked: Sequence[Heard], alpha: float, ignored: Sequence[str] = ()
) -> Part:
    """Return the encoder in int8, compared on ``checked``; ``alpha`` is its SmoothQuant strength."""
    import numpy as np

    comparison = Comparison(model, [clip.sound for clip in checked], np.copy)
    return _quantize_part("encoder", model, [clip.sound for clip in clips], alpha, comparison.against, ignored)


def quantize_decoder(
    model: Any,
    clips: Sequence[Heard],
    checked: Sequence[Heard],
    alpha: float,
    sounds: "Sequence[NDArray[np.float32]]",
    ignored: Sequence[str] = (),
) -> Part:
    """Return the decoder in int8; ``sounds`` are what the int8 encoder makes of the ``checked`` clips.

    As a whole it is compared behind that encoder, as it will run. What is kept are the greedy tokens.
    """
    comparison = Comparison(model, _texts(checked), lambda logits: logits.argmax(axis=-1))
    pairs = zip(checked, sounds, strict=True)
    behind = [{**text, "encoder_hidden_states": sound} for clip, sound in pairs for text in (clip.plain, clip.stamped)]
    return _quantize_part("decoder", model, _texts(clips), alpha, lambda new: comparison.against(new, behind), ignored)


def _texts(clips: Sequence[Heard]) -> list[Inputs]:
    return [text for clip in clips for text in (clip.plain, clip.stamped)]


def agreement(decoder: Part, checked: Sequence[Heard]) -> tuple[int, int]:
    """Return how many of float32's greedy tokens the quantized model says, each after the same tokens, and of how many.

    In the plain texts, end of text included.
    """
    pairs = zip(decoder.compared.original[::2], decoder.compared.quantized[::2], checked, strict=True)
    same = [(one == other)[0, clip.prompt - 1 :] for one, other, clip in pairs]
    return sum(int(row.sum()) for row in same), sum(map(len, same))


def surely_fewer(same: int, total: int) -> bool:
    """Whether so few tokens come in one of a hundred draws at most from a model that says `LEAST_AGREEMENT` of all."""
    from scipy.special import bdtr

    return bool(bdtr(same, total, LEAST_AGREEMENT) < _CHANCE)


def _noisiest(encoder: Part, decoder: Part) -> str:
    """Say in which block of each part the noise is largest."""
    places = []
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        block, ratio = min(part.compared.blocks.ratios.items(), key=lambda row: row[1])
        places.append(f"{ratio:.1f} dB ({name} {block})")
    return f"lowest SQNR {' and '.join(places)}"


def _quantize_part(
    name: str,
    model: Any,
    samples: Sequence[Inputs],
    alpha: float,
    compare: Callable[[Any], Compared],
    ignored: Sequence[str],
) -> Part:
    names = _openvino_layers.operations(model)
    left: dict[str, float] = {}
    for _ in range(_ROUNDS):  # without one layer, scales that it shared are others, and another may be noisy
        new = _quantized(model, samples, alpha, _RANGES[name], [*ignored, *(names[layer] for layer in left)])
        compared = compare(new)
        noisy = compared.layers.below(LEAST_OF_LAYER)
        if not noisy:
            break
        left |= noisy
    if broken := noisy | compared.blocks.below(LEAST_OF_PART) | compared.outputs.below(LEAST_OF_PART):
        first, ratio = next(iter(broken.items()))
        kept = f", even with {', '.join(left)} left in float32" if left else ""
        raise QuantizationError(
            f"int8-ptq broke the {name}: on calibration clips the SQNR of {first} is {ratio:.1f} dB{kept}; "
            f"{LEAST_OF_LAYER:g} dB are wanted of a layer, {LEAST_OF_PART:g} dB of a block",
            remedy=_REMEDY,
        )
    return Part(model=new, left=left, compared=compared)


def _quantized(model: Any, samples: Sequence[Inputs], alpha: float, ranges: str, ignored: Sequence[str]) -> Any:
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


def hear(model: Any, front_end: _whisper.FrontEnd, clips: Sequence[Clip]) -> Iterator[Heard]:
    """Yield what encoder and decoder are fed, clip by clip."""
    import torch

    for clip in clips:
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
        plain, stamped = (
            {
                "input_ids": torch.tensor([text]).numpy(),
                "encoder_hidden_states": sound,
                "beam_idx": torch.zeros(1, dtype=torch.int32).numpy(),
                "nncf_reset_state": True,
            }
            for text in ([*prompt, *tokens], [*prompt[:-1], start, *tokens, end])
        )
        yield Heard(sound={"input_features": features.numpy()}, plain=plain, stamped=stamped, prompt=len(prompt))
