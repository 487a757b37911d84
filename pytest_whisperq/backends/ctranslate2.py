"""CTranslate2's Whisper: converted once, batched, one thread pool of stated size."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    Clip,
    Hypothesis,
    ReadyMade,
    Task,
    TimedText,
    TimedWord,
    _checkpoint,
    _ctranslate2_file,
    _whisper,
    _windows,
    check_precision,
)
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.devices import CPU
from pytest_whisperq.system.errors import DecodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "build and run CTranslate2 models"


class OnGPU:
    """What all backends that run CTranslate2's files say of its devices; see `RunsOnDevices`."""

    # No int16: no GPU multiplies it.
    on_device: Mapping[str, Sequence[str]] = MappingProxyType(
        {
            "cuda": (
                *("int8-float16", "int8-bfloat16", "int8", "int8-float32"),
                *("float16", "bfloat16", "float32"),
            )
        }
    )

    def lacks(self, device: str) -> str:
        """Ask the runtime for GPUs: without a driver, or built without CUDA, it counts none."""
        if _runtime().get_cuda_device_count():
            return ""
        return (
            f"ctranslate2 finds no GPU for {device}; it needs NVIDIA's driver, a GPU that CUDA_VISIBLE_DEVICES does "
            "not hide, and a ctranslate2 that is built with CUDA, as its wheels for Linux and Windows are"
        )

    def falls_back_on(self, device: str) -> Mapping[str, str]:
        """Ask the runtime: older GPUs store the 16-bit types, or int8, and silently compute in others."""
        return _unsupported(device, self.on_device[device])


class CTranslate2Backend(OnGPU, Backend):
    """``ctranslate2.models.Whisper`` on the CPU, or on a GPU."""

    name = "ctranslate2"
    extra = "ctranslate2"
    modules = ("ctranslate2", "transformers", "torch")
    distributions = ("ctranslate2", "torch", "transformers", "tokenizers")
    # CTranslate2's own names. Plain int8 takes its second half from what is stored beside: float32.
    precisions: Mapping[str, str] = MappingProxyType(
        {
            "float32": "float32",
            "float16": "float16",
            "bfloat16": "bfloat16",
            "int16": "int16",
            "int8": "int8_float32",
            "int8-float32": "int8_float32",
            "int8-float16": "int8_float16",
            "int8-bfloat16": "int8_bfloat16",
        }
    )
    recommended = "int8"
    weights = (_ctranslate2_file.WEIGHTS,)
    build_memory: Mapping[str, float] = MappingProxyType(
        {
            **dict.fromkeys(precisions, 1.3),
            "float32": 1.1,
            **dict.fromkeys(("float16", "bfloat16", "int16"), 1.6),
        }
    )

    def falls_back(self) -> Mapping[str, str]:
        """Ask the runtime: a CPU stores the 16-bit types and silently computes in float32."""
        return _unsupported(CPU, self.precisions)

    def base(self, precision: str) -> tuple[str, str] | None:
        """Convert from float32: without an explicit source type the converter would keep the checkpoint's own."""
        return ("transformers", "float32")

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Convert and quantize in one go, as ``ct2-transformers-converter --quantization`` does."""
        check_precision(self, precision)
        converter = optional_imports.require(
            "ctranslate2.converters", extra=self.extra, purpose=_PURPOSE
        ).TransformersConverter
        # The converter loads "WhisperForConditionalGeneration" late; ask first, for one clear error.
        optional_imports.require_attribute(
            "transformers", "WhisperForConditionalGeneration", extra=self.extra, purpose=_PURPOSE
        )
        converter(str(source)).convert(str(directory), quantization=precision.replace("-", "_"), force=True)
        _whisper.copy_front_end(source, directory)
        (directory / "generation_config.json").write_bytes((source / "generation_config.json").read_bytes())

    def look(self, directory: Path) -> ReadyMade | None:
        """Return what a converter wrote into a folder; see `RunsReadyMade`. It can be loaded as any precision."""
        needs = ("preprocessor_config.json", "tokenizer.json", "generation_config.json")
        return _ctranslate2_file.look(directory, self.precisions, needs=needs)

    def load(self, precision: str, directory: Path, threads: int) -> "CTranslate2Transcriber":
        """Load what is stored as it is, or convert it while it is loaded, where another precision is stored."""
        return self.load_on(CPU, precision, directory, threads)

    def load_on(self, device: str, precision: str, directory: Path, threads: int) -> "CTranslate2Transcriber":
        """Load onto a device; see `RunsOnDevices`."""
        check_precision(self, precision)
        return CTranslate2Transcriber(directory, threads, compute_type(precision, self.look(directory)), device)


def _runtime() -> Any:
    return optional_imports.require("ctranslate2", extra="ctranslate2", purpose=_PURPOSE)


def _unsupported(device: str, precisions: Iterable[str]) -> dict[str, str]:
    """Return which of these precisions a device does not execute → why, in words."""
    executed, promised = _runtime().get_supported_compute_types(device), CTranslate2Backend.precisions
    here = "processor" if device == CPU else "GPU"
    return {
        precision: f"ctranslate2 has no {promised[precision]} arithmetic for this {here}"
        for precision in precisions
        if promised[precision] not in executed
    }


def compute_type(precision: str, found: ReadyMade | None) -> str:
    """Return the compute type to load what was found as: "default" runs what is stored, where the processor can."""
    is_stored = found is None or found.precisions[precision] == found.precisions[found.stored]
    return "default" if is_stored else precision.replace("-", "_")


@contextmanager
def quiet(runtime: Any) -> Iterator[None]:
    """Keep CTranslate2 from warning of a fallback on stderr while a model loads: its compute type is read back."""
    level = runtime.get_log_level()
    runtime.set_log_level(logging.CRITICAL)
    try:
        yield
    finally:
        runtime.set_log_level(level)


def replay(model: Any, encoded: Any, prompt: Sequence[int], count: int, silenced: Sequence[int]) -> None:
    """Let the decoder say ``count`` tokens of its own: CTranslate2 takes none from outside, but a step costs the same.

    ``silenced`` are end of text and timestamps, one of which would end the text sooner.

    Raises `DecodeError` if it said more or fewer.
    """
    results = model.generate(
        encoded,
        [list(prompt)],
        beam_size=1,
        suppress_tokens=[-1, *silenced],
        # It generates min(max_length // 2, max_length - len(prompt) + 1) tokens.
        max_length=max(2 * count, count + len(prompt) - 1),
    )
    if len(results[0].sequences_ids[0]) != count:
        length = len(results[0].sequences_ids[0])
        raise DecodeError(
            f"made to say {count} tokens, the decoder said {length}: its backend's replay is broken",
            remedy="gate another",
        )


class CTranslate2Transcriber:
    """A converted model and its front end."""

    torch_threads = 1

    def __init__(self, directory: Path, threads: int, compute_type: str = "default", device: str = CPU) -> None:
        self._runtime = _runtime()
        self._front_end = front_end = _whisper.FrontEnd(directory)
        _checkpoint.check_converted(directory, front_end.vocabulary, front_end.generation)
        with quiet(self._runtime):
            self._model: Any = self._runtime.models.Whisper(
                str(directory), device=device, compute_type=compute_type, intra_threads=threads, inter_threads=1
            )
        extractor = front_end.extractor
        _checkpoint.check_features(directory, extractor, int(extractor.feature_size), self._model.n_mels)
        self.compute_type, self.device = str(self._model.compute_type), str(self._model.device)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; see `Transcriber`."""
        return self._short(clips, "transcribe")

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch in English; see `Translates`."""
        return self._short(clips, "translate")

    def _short(self, clips: Sequence[Clip], task: Task) -> list[Hypothesis]:
        results, detected = self._decode(self._encode(clips), clips, timestamps=False, task=task)
        return self._front_end.hypotheses([result.sequences_ids[0] for result in results], detected)

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode a batch with timestamps; see `Transcriber`. Word times are faster-whisper's, on the same files."""
        results, _ = self._decode(self._encode(clips), clips, timestamps=True)
        return [TimedText(segments=self._front_end.segments(result.sequences_ids[0])) for result in results]

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window after window; its language is that of the first, if none is told."""
        window = samples[: _windows.LENGTH]
        told = language or self._detect(self._encode([Clip(samples=window, language=None)]), 1)[0]
        decode = partial(self._window, language=told)
        heard = _windows.hear_windows(samples, decode, self._front_end.timestamps)
        segments = [segment for _, ids in heard for segment in self._front_end.segments(ids)]
        return " ".join(segment.text for segment in segments)

    def _window(self, samples: "NDArray[np.float32]", language: str | None) -> _windows.Heard:
        clip = Clip(samples=samples, language=language)
        (result,), _ = self._decode(self._encode([clip]), [clip], timestamps=True)
        ids = result.sequences_ids[0]
        # CTranslate2's score is the mean over the tokens alone.
        mean = result.scores[0] * len(ids) / (len(ids) + 1)
        return _windows.Heard(ids=ids, no_speech=result.no_speech_prob, log_probability=mean)

    def transcribe_words(self, clip: Clip) -> tuple[TimedWord, ...]:
        """Decode one clip and align what was said with it; see `Transcriber`."""
        encoded = self._encode([clip])
        (result,), (detected,) = self._decode(encoded, [clip], timestamps=False)
        return self._align(encoded, clip, clip.language or detected, result.sequences_ids[0])

    def align(self, clip: Clip, transcript: str | Sequence[int]) -> tuple[TimedWord, ...]:
        """Return when the words of a text, or of tokens, are said in a clip (forced alignment).

        Whoever heard them: the runtimes that show no attention get their word times here.
        """
        ids = self._front_end.spell(transcript) if isinstance(transcript, str) else transcript
        encoded = self._encode([clip])
        return self._align(encoded, clip, clip.language or self._detect(encoded, 1)[0], ids)

    def _align(self, encoded: Any, clip: Clip, language: str | None, tokens: Sequence[int]) -> tuple[TimedWord, ...]:
        """Follow the alignment heads' attention by dynamic time warping, as openai/whisper does."""
        _ctranslate2_file.check_heads(self._front_end.directory)
        ids = [index for index in tokens if self._front_end.is_text(index)]
        if not ids:
            return ()
        prompt = self._front_end.prompt(language, timestamps=True)  # CTranslate2 adds <|notimestamps|> itself
        (alignment,) = self._model.align(encoded, prompt, [ids], [self._front_end.frames(clip)])
        begins: dict[int, int] = {}
        for token, frame in alignment.alignments:
            begins.setdefault(token, frame)
        times = [_whisper.SECONDS_PER_STEP * begins[number] for number in range(len(ids) + 1)]
        return self._front_end.words(ids, times[1:], times[0], language)

    def prepare(self, clip: Clip) -> "NDArray[np.float32]":
        """Return log-mel features; see `Staged`."""
        return self._front_end.features([clip])

    def encode(self, features: "NDArray[np.float32]") -> Any:
        """Run the encoder; see `Staged`. On a GPU too, it is done when CTranslate2 returns."""
        return self._model.encode(self._runtime.StorageView.from_array(features))

    def replay(self, encoded: Any, clip: Clip, tokens: Sequence[int]) -> None:
        """Run the decoder; see `Staged`."""
        replay(self._model, encoded, self._front_end.prompt(clip.language), len(tokens), self._front_end.silenced)

    def _encode(self, clips: Sequence[Clip]) -> Any:
        """Encode clip by clip, to be decoded together: in a batch, out of the caches, it takes 1.6 times as long.

        A GPU encodes them at once, and keeps what it encoded, which numpy could not read there.
        """
        import numpy as np

        if self._model.device != CPU:
            return self.encode(self._front_end.features(clips))
        view = self._runtime.StorageView
        encoded = [self._model.encode(view.from_array(one[None])) for one in self._front_end.features(clips)]
        return view.from_array(np.concatenate([np.asarray(one) for one in encoded]))

    def _decode(
        self, encoded: Any, clips: Sequence[Clip], *, timestamps: bool, task: Task = "transcribe"
    ) -> tuple[list[Any], list[str | None]]:
        """Return CTranslate2's result for each clip, one sequence of ids in each, and the language detected.

        Suppressed are the tokens of the checkpoint's generation config (-1 stands for them), and timestamps unless
        they are wanted.
        """
        detected = self._detect(encoded, len(clips))
        languages = [clip.language or language for clip, language in zip(clips, detected, strict=True)]
        results = self._model.generate(
            encoded,
            [self._front_end.prompt(language, timestamps=timestamps, task=task) for language in languages],
            beam_size=1,
            suppress_tokens=[-1] if timestamps else [-1, *self._front_end.timestamps],
            max_length=2 * _whisper.MAX_NEW_TOKENS,  # CTranslate2 generates at most half of max_length
            return_scores=True,
            return_no_speech_prob=True,
        )
        return list(results), detected

    def _detect(self, encoded: Any, clips: int) -> list[str | None]:
        """Return the language heard in each of so many clips; an English-only model hears none."""
        if not self._front_end.is_multilingual:
            return [None] * clips
        return [best[0][0].strip("<|>") for best in self._model.detect_language(encoded)]
