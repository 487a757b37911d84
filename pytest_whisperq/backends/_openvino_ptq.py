"""Full int8 of an OpenVINO Whisper: weights and activations, each part calibrated apart (NNCF, SmoothQuant)."""

from collections.abc import Iterator
from typing import Any

from pytest_whisperq import _lazy
from pytest_whisperq.audio import SAMPLE_RATE
from pytest_whisperq.backends import Calibration, _generate, _whisper

_PURPOSE = "quantize OpenVINO models"


def quantize(model: Any, front_end: _whisper.FrontEnd, calibration: Calibration) -> None:
    """Replace both parts of ``model`` by int8 ones whose activation ranges were measured on the calibration clips."""
    nncf = _lazy.require("nncf", extra="openvino", purpose=_PURPOSE)
    model.compile()
    samples = list(_samples(model, front_end, calibration))
    model.clear_requests()
    for index, (name, alpha) in enumerate((("encoder", calibration.alphas[0]), ("decoder", calibration.alphas[1]))):
        old = getattr(model, name).model
        alphas = nncf.AdvancedSmoothQuantParameters(matmul=alpha)
        new = nncf.quantize(
            old,
            nncf.Dataset([pair[index] for pair in samples]),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=alphas),
        )
        model.replace_ov_model(old, new)


def _samples(
    model: Any, front_end: _whisper.FrontEnd, calibration: Calibration
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield what encoder and decoder are fed, clip by clip: the clip, then all that float32 says about it at once.

    One call with the whole text shows the decoder the activations of every position. Every second text stands between
    timestamps, so that both ways of prompting are in range.
    """
    import torch

    for index, clip in enumerate(calibration.clips()):
        features = torch.from_numpy(front_end.features([clip]))
        with torch.inference_mode():
            heard = model.get_encoder()(input_features=features)
            languages = [clip.language or _generate.detect_languages(model, front_end, heard, 1)[0]]
            said = model.generate(encoder_outputs=heard, **_generate.generate_options(front_end, languages))[0].tolist()
        sound = heard.last_hidden_state.numpy().copy()  # a view that the next call overwrites
        prompt = front_end.prompt(languages[0])
        if index % 2:
            start = prompt[-1] + 1  # <|0.00|> follows <|notimestamps|>, a stamp every 20 ms
            text = [*prompt[:-1], start, *said, start + round(len(clip.samples) / SAMPLE_RATE / 0.02)]
        else:
            text = [*prompt, *said]
        yield (
            {"input_features": features.numpy()},
            {
                "input_ids": torch.tensor([text]).numpy(),
                "encoder_hidden_states": sound,
                "beam_idx": torch.zeros(1, dtype=torch.int32).numpy(),
                "nncf_reset_state": True,
            },
        )
