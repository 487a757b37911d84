"""Decoding with anything that has transformers' ``generate``: its own models, and Optimum's for OpenVINO."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import Clip, Hypothesis, Segment, Task, TimedText, TimedWord, _checkpoint, _whisper
from pytest_whisperq.speech.audio import SAMPLE_RATE, WINDOW_SECONDS
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import DecodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_BATCH = 8
"""Length of the chunks that a long recording is cut into, and how many are decoded at once."""


def placed(model: Any, features: "NDArray[np.float32]") -> Any:
    """Return features as a tensor of the type and on the device that a model computes with."""
    import torch

    dtype, device = getattr(model, "dtype", torch.float32), getattr(model, "device", torch.device("cpu"))
    return torch.from_numpy(features).to(device=device, dtype=dtype)


def short(
    model: Any, front_end: _whisper.FrontEnd, clips: Sequence[Clip], task: Task = "transcribe"
) -> list[Hypothesis]:
    """Decode a batch of clips of one window each, without timestamps."""
    import torch

    features = placed(model, front_end.features(clips))
    with torch.inference_mode():
        encoded = model.get_encoder()(input_features=features)  # once, for both questions
    return behind(model, front_end, clips, encoded, task)


def behind(
    model: Any, front_end: _whisper.FrontEnd, clips: Sequence[Clip], encoded: Any, task: Task = "transcribe"
) -> list[Hypothesis]:
    """Decode a batch of clips of which the encoder's output is known, without timestamps."""
    import torch

    with torch.inference_mode():
        detected = detect_languages(model, front_end, encoded, len(clips))
        languages = [clip.language or language for clip, language in zip(clips, detected, strict=True)]
        ids = model.generate(encoder_outputs=encoded, **generate_options(front_end, languages, task=task))
    return front_end.hypotheses(ids.tolist(), detected)


def timed(model: Any, front_end: _whisper.FrontEnd, clips: Sequence[Clip], *, words: bool) -> list[TimedText]:
    """Decode a batch with timestamps. ``words`` needs a model that shows its cross-attention (Optimum's do not)."""
    import torch

    if words:
        heads = getattr(model.generation_config, "alignment_heads", None)
        _checkpoint.check_heads(front_end.directory, heads, model.config.decoder_layers)
    features = placed(model, front_end.features(clips))
    with torch.inference_mode():
        languages = [clip.language for clip in clips]
        if None in languages:
            encoded = model.get_encoder()(input_features=features)
            detected = detect_languages(model, front_end, encoded, len(clips))
            languages = [given or language for given, language in zip(languages, detected, strict=True)]
        options = generate_options(front_end, languages, timestamps=True)
        if words:  # which would be sought in the padding too
            options["attention_mask"] = torch.from_numpy(front_end.attention_mask(clips)).to(features.device)
        output = model.generate(features, return_segments=True, return_token_timestamps=words, **options)
    return [
        _timed(front_end, segments, language, words=words)
        for segments, language in zip(output["segments"], languages, strict=True)
    ]


def _timed(
    front_end: _whisper.FrontEnd, decoded: Sequence[Mapping[str, Any]], language: str | None, *, words: bool
) -> TimedText:
    segments, timed = [], list[TimedWord]()
    for item in decoded:
        ids, start, end = item["tokens"].tolist(), float(item["start"]), float(item["end"])
        text = front_end.tokenizer.decode(ids, skip_special_tokens=True).strip()
        if not text:
            continue
        segments.append(Segment(start=start, end=end, text=text))
        if words:
            timed += front_end.words(ids, item["token_timestamps"].tolist(), start, language)
    return TimedText(segments=tuple(segments), words=tuple(timed))


def chunked(
    model: Any,
    front_end: _whisper.FrontEnd,
    samples: "NDArray[np.float32]",
    language: str | None,
    *,
    chunk_seconds: float = WINDOW_SECONDS,
    batch_size: int = CHUNK_BATCH,
) -> str:
    """Decode a recording of any length, shape (n,), with transformers' chunked pipeline.

    Chunks overlap by a sixth at each side, where the pipeline joins texts by what they have in common.
    """
    import torch

    pipeline = optional_imports.require_attribute(
        "transformers", "pipeline", extra="torch", purpose="decode long recordings"
    )
    options = generate_options(front_end, [language])
    if front_end.is_multilingual:
        options["language"] = language
    recognize = pipeline(
        "automatic-speech-recognition",
        model=model,
        tokenizer=front_end.tokenizer,
        feature_extractor=front_end.extractor,
        chunk_length_s=chunk_seconds,
        batch_size=batch_size,
        # Left alone, it moves a model from the CPU to a GPU where there is one.
        device=getattr(model, "device", torch.device("cpu")),
    )
    output: dict[str, str] = recognize(samples.copy(), generate_kwargs=options)
    return output["text"].strip()


def sequential(model: Any, front_end: _whisper.FrontEnd, samples: "NDArray[np.float32]", language: str | None) -> str:
    """Decode a recording of any length, shape (n,), window after window, each from where the last segment ended.

    That is openai/whisper's own way, whose windows move on by the timestamps that the model says.
    """
    import torch

    features = front_end.extractor(
        samples,
        sampling_rate=SAMPLE_RATE,
        return_tensors="pt",
        truncation=False,
        padding="longest",
        return_attention_mask=True,
    )
    options = generate_options(front_end, [language], timestamps=True)
    if front_end.is_multilingual:
        options["language"] = language
    del options["max_new_tokens"]  # of all windows together
    with torch.inference_mode():
        ids = model.generate(
            placed(model, features.input_features.numpy()),
            attention_mask=features.attention_mask.to(getattr(model, "device", "cpu")),
            **options,
        )
    text: str = front_end.tokenizer.decode(ids[0].tolist(), skip_special_tokens=True)
    return text.strip()


def detect_languages(model: Any, front_end: _whisper.FrontEnd, encoded: Any, clips: int) -> list[str | None]:
    """Return the language that anything with transformers' ``detect_language`` hears in each of ``clips`` clips.

    ``encoded`` is the encoder's output. An English-only model hears none.
    """
    if not front_end.is_multilingual:
        return [None] * clips
    return [front_end.language_of(int(token)) for token in model.detect_language(encoder_outputs=encoded)]


class Stages:
    """The stages of a transcriber with transformers' ``generate``, timed apart; see `Staged`."""

    _model: Any
    _front_end: _whisper.FrontEnd

    def prepare(self, clip: Clip) -> "NDArray[np.float32]":
        """Return log-mel features, shape (1, mels, 3000)."""
        return self._front_end.features([clip])

    def encode(self, features: "NDArray[np.float32]") -> Any:
        """Run the encoder."""
        import torch

        window = placed(self._model, features)
        with torch.inference_mode():
            encoded = self._model.get_encoder()(input_features=window)
            # Optimum hands out its own buffer, which the next call overwrites.
            encoded["last_hidden_state"] = encoded.last_hidden_state.clone()
        if window.device.type == "cuda":  # which has been told what to compute, and is still at it
            torch.cuda.synchronize(window.device)
        return encoded

    def replay(self, encoded: Any, clip: Clip, tokens: Sequence[int]) -> None:
        """Let ``generate`` say ``tokens``.

        Raises `DecodeError` if it said others.
        """
        import torch

        options = generate_options(self._front_end, [clip.language])
        options |= {"logits_processor": [_Forced(tokens)], "max_new_tokens": len(tokens)}
        with torch.inference_mode():
            ids = self._model.generate(encoder_outputs=encoded, **options)[0].tolist()
        if ids[-len(tokens) :] != list(tokens):
            raise DecodeError(
                f"made to say {len(tokens)} tokens, the decoder said others: its backend's replay is broken",
                remedy="gate another backend",
            )


class _Forced:
    """A logits processor that leaves one token at each step: what is said is known beforehand."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._left = iter(tokens)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return ``scores``, shape (1, vocabulary), in which only the next token has a chance."""
        forced = scores.new_full(scores.shape, -math.inf)
        forced[:, next(self._left)] = 0
        return forced


class _NoTimestamps:
    """A logits processor that keeps timestamps out of a text that was asked for without them.

    A damaged model says them all the same, and transformers would take them for an order to decode the window again.
    """

    def __init__(self, timestamps: range) -> None:
        self._timestamps = timestamps

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return ``scores``, shape (clips, vocabulary), without a chance for any timestamp."""
        allowed = scores.clone()
        allowed[:, self._timestamps.start : self._timestamps.stop] = -math.inf
        return allowed


def generate_options(
    front_end: _whisper.FrontEnd,
    languages: Sequence[str | None],
    *,
    timestamps: bool = False,
    task: Task = "transcribe",
) -> dict[str, Any]:
    """Return the keyword arguments of transformers' ``generate`` that make it greedy, short-form and explicit.

    The task is always named: without it transformers' prompt lacks ``<|transcribe|>`` and error rates explode.
    """
    options: dict[str, Any] = {
        "do_sample": False,
        "num_beams": 1,
        "return_timestamps": timestamps,
        "max_new_tokens": _whisper.MAX_NEW_TOKENS,
    }
    if not timestamps:
        options["logits_processor"] = [_NoTimestamps(front_end.timestamps)]
    if front_end.is_multilingual:
        options |= {"task": task, "language": list(languages)}
    return options
