"""OpenVINO GenAI, which Intel's users deploy: the very IR that Optimum exports behind another pipeline.

Tokenizer and detokenizer are graphs too, converted beside it. Features, decoding and windows are those of
``WhisperPipeline``, so that its transcripts are its own.
"""

import gc
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    Clip,
    Hypothesis,
    Segment,
    Task,
    TimedText,
    _checkpoint,
    _openvino_graph,
    _openvino_ir,
    _whisper,
    check_precision,
)
from pytest_whisperq.backends.openvino import HINTS, PINNED, OpenVINOBackend, options_of
from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.files import share_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "run OpenVINO GenAI"
_LEAST = SAMPLE_RATE // 5
"""Samples that a clip is padded to: of none there are no features."""


class OpenVINOGenAIBackend(Backend):
    """``openvino_genai.WhisperPipeline`` on the CPU."""

    name = "openvino-genai"
    extra = "openvino-genai"
    modules = ("openvino_genai", "openvino_tokenizers", *OpenVINOBackend.modules)
    distributions = ("openvino-genai", "openvino-tokenizers", *OpenVINOBackend.distributions)
    precisions: Mapping[str, str] = OpenVINOBackend.precisions
    recommended = "int8"
    calibrated = OpenVINOBackend.calibrated  # by what it is built from
    by_name = OpenVINOBackend.by_name
    weights = ("openvino_encoder_model.bin", "openvino_decoder_model.bin")
    in_all = False  # the weights are those of openvino

    def falls_back(self) -> Mapping[str, str]:
        """Where OpenVINO does."""
        return OpenVINOBackend().falls_back()

    def base(self, precision: str) -> tuple[str, str] | None:
        """One IR serves both."""
        return (OpenVINOBackend.name, precision)

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Link the IR, and convert tokenizer and detokenizer beside it."""
        check_precision(self, precision)
        tokenizers = optional_imports.require("openvino_tokenizers", extra=self.extra, purpose=_PURPOSE)
        runtime = optional_imports.require("openvino", extra=self.extra, purpose=_PURPOSE)
        share_files(source, directory)
        tokenizer = _whisper.FrontEnd(source).tokenizer
        for name, graph in zip(
            ("tokenizer", "detokenizer"),
            tokenizers.convert_tokenizer(tokenizer, with_detokenizer=True),
            strict=True,
        ):
            runtime.save_model(graph, directory / f"openvino_{name}.xml")

    def load(self, precision: str, directory: Path, threads: int) -> "OpenVINOGenAITranscriber":
        """Load the pipeline with the pinned hints of ``openvino``."""
        check_precision(self, precision)
        return OpenVINOGenAITranscriber(directory, threads, HINTS.get(precision, "f32"))


class OpenVINOGenAITranscriber:
    """A pipeline, and the front end that says what it is told."""

    torch_threads = 1

    def __init__(self, directory: Path, threads: int, hint: str) -> None:
        library = optional_imports.require("openvino_genai", extra="openvino-genai", purpose=_PURPOSE)
        self._front_end = front_end = _whisper.FrontEnd(directory)
        options = options_of(hint, threads)
        graphs = _compiled(directory, options)
        tokens = _openvino_graph.check_parts(graphs, directory)
        _checkpoint.check(front_end, tokens=tokens, mels=front_end.extractor.feature_size)
        self.compute_type, self.operations = _openvino_graph.read_back(graphs, PINNED)
        del graphs
        gc.collect()
        self._pipeline: Any = library.WhisperPipeline(str(directory), "CPU", **options)
        suppressed = front_end.generation.get("suppress_tokens") or []
        self._suppressed = [index for index in suppressed if index >= 0]

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip; see `Transcriber`. The pipeline does not tell the ids of what it says."""
        return [self._one(clip, "transcribe") for clip in clips]

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip in English; see `Translates`."""
        return [self._one(clip, "translate") for clip in clips]

    def _one(self, clip: Clip, task: Task) -> Hypothesis:
        # A model bent on timestamps would say them although nobody asked.
        options = {"suppress_tokens": [*self._suppressed, *self._front_end.timestamps]}
        samples = _padded(clip.samples)
        said = self._hear(samples, clip.language, task=task, **options)
        detected = self._detect(samples) if clip.language else self._language_of(said)
        return Hypothesis(text=said.texts[0].strip(), language=detected)

    def _detect(self, samples: "NDArray[np.float32]") -> str | None:
        """Return the language heard: told one, the pipeline does not say which it would have been."""
        if not self._front_end.is_multilingual:
            return None
        return self._language_of(self._hear(samples, None, max_new_tokens=1))

    def _language_of(self, said: Any) -> str | None:
        """Return the language that the pipeline says it heard; earlier releases do not tell it."""
        language = getattr(said, "language", None)
        return str(language) if language and self._front_end.is_multilingual else None

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode clip by clip with timestamps; see `TellsTimes`. A text that none ends lasts to the end of the clip."""
        return [self._timed(clip) for clip in clips]

    def _timed(self, clip: Clip) -> TimedText:
        samples = _padded(clip.samples)
        said, seconds = self._hear(samples, clip.language, return_timestamps=True), len(samples) / SAMPLE_RATE
        segments = (
            Segment(start=one.start_ts, end=one.end_ts if one.end_ts >= 0 else seconds, text=one.text.strip())
            for one in said.chunks or ()
        )
        return TimedText(segments=tuple(one for one in segments if one.text))

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window by window, as the pipeline goes on; see `HearsLong`."""
        text: str = self._hear(_padded(samples), language, return_timestamps=True).texts[0]
        return text.strip()

    def _hear(
        self, samples: "NDArray[np.float32]", language: str | None, *, task: Task = "transcribe", **others: Any
    ) -> Any:
        options: dict[str, Any] = {"max_new_tokens": _whisper.MAX_NEW_TOKENS, **others}
        if self._front_end.is_multilingual:
            options["task"] = task
            if language:
                options["language"] = f"<|{language}|>"
        return self._pipeline.generate(samples, **options)


def _compiled(directory: Path, options: Mapping[str, Any]) -> Any:
    """Return the graphs compiled as the pipeline compiles them, which shows nobody what it executes."""
    core = optional_imports.require("openvino", extra="openvino-genai", purpose=_PURPOSE).Core()
    parts = {
        part: SimpleNamespace(model=core.read_model(directory / f"{name}.xml"), stateful=True)
        for part, name in (("encoder", _openvino_ir.ENCODER), ("decoder", _openvino_ir.DECODER))
    }
    for part in parts.values():
        part.request = core.compile_model(part.model, "CPU", dict(options))
        part.compile = lambda: None
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return SimpleNamespace(**parts, config=SimpleNamespace(**config))


def _padded(samples: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    return np.pad(samples, (0, max(0, _LEAST - len(samples)))).astype(np.float32)
