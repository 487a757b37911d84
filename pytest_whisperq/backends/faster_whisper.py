"""faster-whisper, on the very files CTranslate2 converts: the same weights behind another front end.

It makes its own features (zeros after the end of a clip where Whisper's extractor has its floor) and decodes one clip
at a time, so its transcripts are its own. What would make a run unrepeatable is switched off, sampling after a failed
threshold above all, and it suppresses the checkpoint's tokens, not a list of its own that hits pieces of words in small
vocabularies.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    Clip,
    Hypothesis,
    ReadyMade,
    Segment,
    Task,
    TimedText,
    TimedWord,
    _checkpoint,
    _ctranslate2_file,
    _whisper,
    check_precision,
)
from pytest_whisperq.backends.ctranslate2 import CTranslate2Backend, OnGPU, compute_type, quiet, replay
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.devices import CPU
from pytest_whisperq.system.errors import BuildError
from pytest_whisperq.system.files import share_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "run faster-whisper"


class FasterWhisperBackend(OnGPU, Backend):
    """``faster_whisper.WhisperModel`` on the CPU, or on a GPU."""

    name = "faster-whisper"
    extra = "faster-whisper"
    modules = ("faster_whisper", "threadpoolctl", *CTranslate2Backend.modules)
    distributions = ("faster-whisper", *CTranslate2Backend.distributions)
    precisions: Mapping[str, str] = CTranslate2Backend.precisions
    recommended = CTranslate2Backend.recommended
    weights = CTranslate2Backend.weights

    def falls_back(self) -> Mapping[str, str]:
        """Where CTranslate2 does."""
        return CTranslate2Backend().falls_back()

    def base(self, precision: str) -> tuple[str, str] | None:
        """One conversion serves both."""
        return (CTranslate2Backend.name, precision)

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Link the converted files: nothing is converted, or kept, twice."""
        check_precision(self, precision)
        share_files(source, directory)

    def look(self, directory: Path) -> ReadyMade | None:
        """Return what a converter wrote into a folder; see `RunsReadyMade`.

        Without ``preprocessor_config.json`` faster-whisper makes the features of 80 bands that it has by default.
        """
        return _ctranslate2_file.look(directory, self.precisions, needs=("tokenizer.json", "generation_config.json"))

    def load(self, precision: str, directory: Path, threads: int) -> "FasterWhisperTranscriber":
        """Load what is stored as it is, or have it converted, as CTranslate2 itself does."""
        return self.load_on(CPU, precision, directory, threads)

    def load_on(self, device: str, precision: str, directory: Path, threads: int) -> "FasterWhisperTranscriber":
        """Load onto a device; see `RunsOnDevices`."""
        check_precision(self, precision)
        return FasterWhisperTranscriber(directory, threads, compute_type(precision, self.look(directory)), device)


@dataclass(frozen=True, slots=True, kw_only=True)
class LongHypothesis:
    """What was said in a recording, in which language, and how sure the model is of the language (0 to 1)."""

    segments: tuple[Segment, ...]
    language: str
    probability: float
    tokens: tuple[int, ...]

    @property
    def text(self) -> str:
        """All segments as one text."""
        return " ".join(segment.text for segment in self.segments)


def timed_text(decode: Callable[..., LongHypothesis], clip: Clip) -> TimedText:
    """Return what a clip says and when, as ``decode`` (samples, language, word_timestamps) tells it.

    Asked for words, faster-whisper moves the segments to where it finds them: it is asked twice.
    """
    plain = decode(clip.samples, clip.language)
    worded = decode(clip.samples, clip.language or plain.language, word_timestamps=True)
    words = tuple(word for segment in worded.segments for word in segment.words)
    return TimedText(segments=plain.segments, words=words)


class FasterWhisperTranscriber:
    """A converted model behind faster-whisper's own front end."""

    torch_threads = 1

    def __init__(self, directory: Path, threads: int, compute_type: str = "default", device: str = CPU) -> None:
        self._library = library = optional_imports.require("faster_whisper", extra="faster-whisper", purpose=_PURPOSE)
        generation = _whisper.generation_config(directory)
        if not (directory / "tokenizer.json").is_file():  # it would fetch another model's
            raise BuildError(
                "there is no tokenizer.json",
                where=str(directory),
                remedy="take it from the checkpoint that these weights were made of",
            )
        with quiet(optional_imports.require("ctranslate2", extra="faster-whisper", purpose=_PURPOSE)):
            self._model: Any = library.WhisperModel(
                str(directory), device=device, compute_type=compute_type, cpu_threads=threads, num_workers=1
            )
        tokenizer = self._model.hf_tokenizer
        _checkpoint.check_converted(directory, tokenizer.get_vocab(), generation)
        extractor = self._model.feature_extractor
        _checkpoint.check_features(directory, extractor, len(extractor.mel_filters), self._model.model.n_mels)
        libraries = optional_imports.require("threadpoolctl", extra="faster-whisper", purpose=_PURPOSE)
        self._numeric: Any = libraries.ThreadpoolController()
        self._directory = directory
        self._suppressed = list(generation.get("suppress_tokens") or [])
        self._timestamps = _whisper.timestamps_after(tokenizer.token_to_id("<|notimestamps|>"))
        inner = self._model.model
        self.compute_type, self.device = str(inner.compute_type), str(inner.device)
        self.is_multilingual = bool(self._model.model.is_multilingual)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip; see `Transcriber`."""
        with self._one_numeric_thread():
            return [self._one(clip, "transcribe") for clip in clips]

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip in English; see `Translates`."""
        with self._one_numeric_thread():
            return [self._one(clip, "translate") for clip in clips]

    def _one_numeric_thread(self) -> AbstractContextManager[Any]:
        """Make features with one thread: numpy's others would spin on, on the processors that the encoder waits for.

        On two cores, encoding takes 1.6 times as long with them.
        """
        limit: AbstractContextManager[Any] = self._numeric.limit(limits=1, user_api="blas")
        return limit

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode clip by clip with timestamps; see `Transcriber`."""
        return [timed_text(self.long_audio, clip) for clip in clips]

    def transcribe_words(self, clip: Clip) -> tuple[TimedWord, ...]:
        """Decode one clip, words with their times; see `Transcriber`."""
        hypothesis = self.long_audio(clip.samples, clip.language, word_timestamps=True)
        return tuple(word for segment in hypothesis.segments for word in segment.words)

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window by window, as faster-whisper moves on by timestamps."""
        return self.long_audio(samples, language).text

    @cached_property
    def _prompts(self) -> _whisper.FrontEnd:
        return _whisper.FrontEnd(self._directory)  # which imports torch: decoding does not need it

    def prepare(self, clip: Clip) -> "NDArray[np.float32]":
        """Return faster-whisper's own log-mel features; see `Staged`."""
        return self._padded(self._model.feature_extractor(clip.samples))

    def _padded(self, features: "NDArray[np.float32]") -> "NDArray[np.float32]":
        padded: NDArray[np.float32] = self._library.audio.pad_or_trim(features)
        return padded

    def encode(self, features: "NDArray[np.float32]") -> Any:
        """Run the encoder; see `Staged`."""
        return self._model.encode(features)

    def replay(self, encoded: Any, clip: Clip, tokens: Sequence[int]) -> None:
        """Run the decoder; see `Staged`."""
        end = self._model.hf_tokenizer.token_to_id("<|endoftext|>")
        prompt = self._prompts.prompt(clip.language)
        replay(self._model.model, encoded, prompt, len(tokens), [end, *self._timestamps])

    def long_audio(
        self,
        samples: "NDArray[np.float32]",
        language: str | None = None,
        *,
        beam_size: int = 1,
        vad_filter: bool = False,
        timestamps: bool = True,
        word_timestamps: bool = False,
        batch_size: int | None = None,
        task: Task = "transcribe",
    ) -> LongHypothesis:
        """Decode a recording of any length, shape (n,), with faster-whisper's own features.

        ``batch_size`` runs its batched pipeline, which cuts at the pauses that its voice activity detection finds;
        without it, windows follow each other by the ``timestamps``, and end where there are none. Times are in seconds
        from the start.
        """
        options: dict[str, Any] = {
            **self._repeatable,
            "task": task,
            "language": language,
            "beam_size": beam_size,
            "word_timestamps": word_timestamps,
            "without_timestamps": not timestamps,
        }
        if not timestamps:
            options["suppress_tokens"] = [*self._suppressed, *self._timestamps]
        if word_timestamps:
            _ctranslate2_file.check_heads(self._directory)
        with self._one_numeric_thread():
            if batch_size is None:
                segments, info = self._model.transcribe(samples, vad_filter=vad_filter, **options)
            else:
                pipeline = self._library.BatchedInferencePipeline(model=self._model)
                segments, info = pipeline.transcribe(samples, vad_filter=True, batch_size=batch_size, **options)
            decoded = list(segments)
        timed_segments = tuple(
            Segment(
                start=segment.start,
                end=segment.end,
                text=segment.text.strip(),
                words=tuple(
                    TimedWord(start=float(w.start), end=float(w.end), text=w.word.strip()) for w in segment.words or ()
                ),
            )
            for segment in decoded
        )
        return LongHypothesis(
            segments=timed_segments,
            language=info.language,
            probability=info.language_probability,
            tokens=tuple(token for segment in decoded for token in segment.tokens),
        )

    @property
    def _repeatable(self) -> dict[str, Any]:
        """The options without which a run could not be repeated, or be compared with the other backends."""
        return {
            "temperature": 0.0,
            "suppress_tokens": list(self._suppressed),  # it adds to the list
            "condition_on_previous_text": False,
            "compression_ratio_threshold": None,
            "log_prob_threshold": None,
            "no_speech_threshold": None,
        }

    @cached_property
    def _options(self) -> Any:
        """What its ``transcribe`` makes of the options: it decodes nothing until one asks for segments."""
        import numpy as np

        _, info = self._model.transcribe(
            np.zeros(0, np.float32),
            language="en",
            beam_size=1,
            without_timestamps=True,
            # No max_new_tokens: CTranslate2 would halve it; left alone, the limit is MAX_NEW_TOKENS as everywhere.
            **{**self._repeatable, "suppress_tokens": [*self._suppressed, *self._timestamps]},
        )
        return info.transcription_options

    def _one(self, clip: Clip, task: Task) -> Hypothesis:
        """Decode one clip as its ``transcribe`` does, which would encode it once more to detect the language."""
        model = self._model
        features = model.feature_extractor(clip.samples)
        encoded = self._encoded(features)
        detected = self._detect(encoded)
        tokenizer = self._library.tokenizer.Tokenizer(
            model.hf_tokenizer,
            self.is_multilingual,
            task=task,
            language=(clip.language or detected) if detected else "en",
        )
        segments = list(model.generate_segments(features, tokenizer, replace(self._options), False, encoded))
        text = " ".join(segment.text.strip() for segment in segments)
        tokens = tuple(token for segment in segments for token in segment.tokens)
        return Hypothesis(text=text.strip(), tokens=tokens, language=detected)

    def detect(self, samples: "NDArray[np.float32]") -> str | None:
        """Return the language of the first window of a recording; an English-only model detects none."""
        if not self.is_multilingual:
            return None
        with self._one_numeric_thread():
            return self._detect(self._encoded(self._model.feature_extractor(samples)))

    def _encoded(self, features: "NDArray[np.float32]") -> Any:
        return self._model.encode(self._padded(features[..., :-1]))  # the last frame is none of the clip's

    def _detect(self, encoded: Any) -> str | None:
        return str(self._model.model.detect_language(encoded)[0][0][0]).strip("<|>") if self.is_multilingual else None
