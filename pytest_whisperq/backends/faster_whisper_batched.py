"""faster-whisper's batched pipeline: speech that a voice activity detector finds, several windows of it at once.

The same files as faster-whisper's own, decoded as ``BatchedInferencePipeline`` does by default: what its detector
(Silero's) takes for silence is never heard, and windows begin and end in pauses, so that no timestamps are needed.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_whisperq.backends import Backend, Calibration, Clip, Hypothesis, Task, TimedText
from pytest_whisperq.backends.ctranslate2 import OnGPU
from pytest_whisperq.backends.faster_whisper import FasterWhisperBackend, FasterWhisperTranscriber, timed_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 8
"""Windows that are decoded at once: the pipeline's own default."""

_PLAIN = FasterWhisperBackend()


class FasterWhisperBatchedBackend(OnGPU, Backend):
    """``faster_whisper.BatchedInferencePipeline`` on the CPU, or on a GPU, its detector on the CPU always."""

    name = "faster-whisper-batched"
    extra = _PLAIN.extra
    modules = _PLAIN.modules
    distributions = _PLAIN.distributions
    precisions: Mapping[str, str] = _PLAIN.precisions
    recommended = _PLAIN.recommended
    weights = _PLAIN.weights
    in_all = False  # the weights are those of faster-whisper

    def falls_back(self) -> Mapping[str, str]:
        """Where CTranslate2 does."""
        return _PLAIN.falls_back()

    def base(self, precision: str) -> tuple[str, str] | None:
        """One conversion serves all three."""
        return _PLAIN.base(precision)

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> list[str]:
        """Link the converted files; name what stands between them and the sound."""
        _PLAIN.build(precision, source, directory, calibration)
        how = f"only where its voice activity detection (Silero) finds speech, {BATCH} windows at once"
        return [f"decoded by faster-whisper's batched pipeline: {how}"]

    def load(self, precision: str, directory: Path, threads: int) -> "FasterWhisperBatchedTranscriber":
        """Load as faster-whisper does."""
        return FasterWhisperBatchedTranscriber(_PLAIN.load(precision, directory, threads))

    def load_on(self, device: str, precision: str, directory: Path, threads: int) -> "FasterWhisperBatchedTranscriber":
        """Load onto a device; see `RunsOnDevices`."""
        return FasterWhisperBatchedTranscriber(_PLAIN.load_on(device, precision, directory, threads))


class FasterWhisperBatchedTranscriber:
    """A converted model behind the batched pipeline."""

    torch_threads = 1

    def __init__(self, model: FasterWhisperTranscriber) -> None:
        self._model = model
        self.compute_type, self.device = model.compute_type, model.device
        self._decode = partial(model.long_audio, batch_size=BATCH)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip; see `Transcriber`."""
        return self._short(clips, "transcribe")

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip in English; see `Translates`."""
        return self._short(clips, "translate")

    def _short(self, clips: Sequence[Clip], task: Task) -> list[Hypothesis]:
        hypotheses = []
        for clip in clips:
            heard = self._decode(clip.samples, clip.language, timestamps=False, task=task)
            is_asked = clip.language is None and self._model.is_multilingual
            detected = heard.language if is_asked else self._model.detect(clip.samples)
            hypotheses.append(Hypothesis(text=heard.text, tokens=heard.tokens, language=detected))
        return hypotheses

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode clip by clip with timestamps; see `Transcriber`."""
        return [timed_text(self._decode, clip) for clip in clips]

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length, as much at once as makes a batch."""
        return self._decode(samples, language, timestamps=False).text
