"""whisper.cpp through pywhispercpp: ggml files, its own features, and ``whisper_full`` as its users run it.

What would make a run unrepeatable, or no comparison, is switched off: sampling at rising temperatures, the text of the
window before as a prompt.
"""

import atexit
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
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
    _whisper,
    _whispercpp_checkpoint,
    _whispercpp_ggml,
    _windows,
    check_precision,
)
from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError, DecodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "run whisper.cpp"
_FILE = "ggml-model.bin"
_ERROR = 4
"""Level of what ggml logs as an error."""
_LEAST = SAMPLE_RATE // 5
"""Samples that a clip is padded to: whisper.cpp does not listen to less than a tenth of a second."""


class WhisperCppBackend(Backend):
    """``whisper_full`` on the CPU."""

    name = "whispercpp"
    extra = "whispercpp"
    modules = ("_pywhispercpp", "gguf", "torch", "transformers", "safetensors")
    distributions = ("pywhispercpp", "gguf", "torch", "transformers", "tokenizers")
    precisions: Mapping[str, str] = MappingProxyType(
        {name: name for name in ("float16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")}
    )
    recommended = "q8_0"
    original = "float16"
    weights = ("*.bin",)
    build_memory: Mapping[str, float] = MappingProxyType(dict.fromkeys(precisions, 0.8))
    is_one_file = True

    def refusal(self, source: Path) -> str:
        """Return why whisper.cpp cannot run a checkpoint; see `ChoosesCheckpoints`."""
        config = _whispercpp_checkpoint.config(source)
        known = _whispercpp_ggml.VOCABULARIES
        if not config:
            return ""  # whoever reads the weights says what is wrong with it
        if config.get("vocab_size") not in known:
            return (
                f"whisper.cpp counts where special tokens are, and knows vocabularies of {', '.join(map(str, known))} "
                f"tokens; this checkpoint has {config.get('vocab_size')}"
            )
        if any(config.get(f"{part}_ffn_dim") != 4 * config.get("d_model", 0) for part in ("encoder", "decoder")):
            return "whisper.cpp takes inner layers to be four times as wide as the model, and here they are not"
        if not config.get("tie_word_embeddings", True):
            return "whisper.cpp says words by the weights it reads them by, and this checkpoint has others (proj_out)"
        return ""

    def base(self, precision: str) -> tuple[str, str] | None:
        """Convert from float32."""
        return ("transformers", "float32")

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Write the ggml file, and tokenizer and configuration beside it.

        Raises `BuildError` for a checkpoint of another vocabulary than OpenAI's.
        """
        check_precision(self, precision)
        optional_imports.require("gguf", extra=self.extra, purpose=_PURPOSE)
        if reason := self.refusal(source):
            raise BuildError(reason, where=str(source))
        front_end = _whisper.FrontEnd(source)
        sizes = _whispercpp_checkpoint.sizes(_whispercpp_checkpoint.config(source), precision)
        _whispercpp_checkpoint.check_vocabulary(source, front_end, sizes.n_vocab)
        end = _whispercpp_ggml.VOCABULARIES[sizes.n_vocab].end
        _whispercpp_ggml.write(
            directory / _FILE,
            sizes,
            front_end.extractor.mel_filters.T,
            _whispercpp_checkpoint.text_tokens(front_end, end),
            _whispercpp_checkpoint.tensors(source, sizes),
        )
        _whisper.copy_front_end(source, directory)
        for name in ("config.json", "generation_config.json"):
            (directory / name).write_bytes((source / name).read_bytes())

    def look(self, directory: Path) -> ReadyMade | None:
        """Return the ggml file in a folder, or what a file is; see `RunsReadyMade`.

        Raises `BuildError` for a damaged file, and for a folder with several.
        """
        if not directory.is_dir():
            return _ready_made(directory) if _whispercpp_ggml.is_ggml(directory) else None
        found = [path for path in sorted(directory.glob("*.bin")) if _whispercpp_ggml.is_ggml(path)]
        if len(found) > 1:
            raise BuildError(
                f"there are several ggml files: {', '.join(path.name for path in found)}",
                where=str(directory),
                remedy="name one of them",
            )
        return _ready_made(found[0]) if found else None

    def load(self, precision: str, directory: Path, threads: int) -> "WhisperCppTranscriber":
        """Load a file, after every tensor in it has been found: whisper.cpp ends the process over a damaged one.

        Raises `BuildError` for what is no ggml file of this precision.
        """
        found = self.look(directory)
        if found is None or precision not in found.precisions:
            check_precision(self, precision)
            raise BuildError(f"there is no ggml file of {precision}", where=str(directory), remedy="build it again")
        return WhisperCppTranscriber(directory, directory / found.files[0], threads)


class WhisperCppTranscriber:
    """A ggml file in memory, and the tokenizer of its checkpoint."""

    torch_threads = 1

    def __init__(self, directory: Path, path: Path, threads: int) -> None:
        self._library = library = optional_imports.require("_pywhispercpp", extra="whispercpp", purpose=_PURPOSE)
        self._front_end = front_end = _whisper.FrontEnd(directory)
        self._path, self._threads = path, threads
        held = _whispercpp_ggml.read(path)
        _checkpoint.check(front_end, tokens=held.sizes.n_vocab, mels=held.sizes.n_mels)
        _whispercpp_checkpoint.check_vocabulary(directory, front_end, held.sizes.n_vocab)
        _whispercpp_checkpoint.check_tokens(directory, front_end, held)
        self._contexts: list[Any] = []
        self._free: list[Any] = []
        weakref.finalize(self, _free_all, library.whisper_free, self._contexts)
        self._context = self._load()
        self.compute_type, self.operations = _read_back(library, self._context, held)

    def _load(self) -> Any:
        """Return the file once more in memory; raise `DecodeError` where whisper.cpp does not take it."""
        library, errors = self._library, list[str]()
        parameters = library.whisper_context_default_params()
        parameters.use_gpu = False
        _listen(library, lambda level, text: errors.append(text.strip()) if level == _ERROR else None)
        context = library.whisper_init_from_file_with_params(str(self._path), parameters)
        _listen(library, _say_nothing)
        if errors:  # what it returns all the same is nothing to ask
            raise DecodeError(
                f"whisper.cpp cannot load it ({errors[0]})",
                where=str(self._path),
                remedy="build or download it again",
            )
        self._contexts.append(context)
        return context

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip; see `Transcriber`."""
        return [self._one(clip, "transcribe") for clip in clips]

    def translate(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode clip by clip in English; see `Translates`."""
        return [self._one(clip, "translate") for clip in clips]

    def _one(self, clip: Clip, task: Task) -> Hypothesis:
        samples = _padded(clip.samples)
        detected = self.detect(samples)
        self._hear(samples, clip.language or detected, timestamps=False, task=task)
        ids = [index for segment in self._segments() for index, *_ in segment]
        text = self._front_end.tokenizer.decode(ids).strip()
        return Hypothesis(text=text, tokens=tuple(ids), language=detected)

    def transcribe_timed(self, clips: Sequence[Clip]) -> list[TimedText]:
        """Decode clip by clip with timestamps; see `TellsTimes`."""
        return [self._timed(clip) for clip in clips]

    def transcribe_words(self, clip: Clip) -> tuple[TimedWord, ...]:
        """Decode one clip, words with their times; see `TellsWordTimes`."""
        return self._timed(clip).words

    def transcribe_long(self, samples: "NDArray[np.float32]", language: str | None) -> str:
        """Decode a recording of any length window by window, as whisper.cpp goes on; see `HearsLong`."""
        samples = _padded(samples)
        self._hear(samples, language or self.detect(samples), timestamps=True)
        ids = [index for segment in self._segments() for index, *_ in segment]
        text: str = self._front_end.tokenizer.decode(ids)
        return text.strip()

    def _timed(self, clip: Clip) -> TimedText:
        samples = _padded(clip.samples)
        language = clip.language or self.detect(samples)
        self._hear(samples, language, timestamps=True)
        segments, words = list[Segment](), list[TimedWord]()
        for number, tokens in enumerate(self._segments()):
            text = self._front_end.tokenizer.decode([index for index, *_ in tokens]).strip()
            if not text:
                continue
            begin, end = (
                ask(self._context, number) / 100
                for ask in (self._library.whisper_full_get_segment_t0, self._library.whisper_full_get_segment_t1)
            )
            segments.append(Segment(start=begin, end=end, text=text))
            ids, ends = [index for index, *_ in tokens], [last for *_, last in tokens]
            words += self._front_end.words(ids, ends, tokens[0][1], language)
        return TimedText(segments=tuple(segments), words=tuple(words))

    def detect(self, samples: "NDArray[np.float32]") -> str | None:
        """Return the language of the first window; an English-only model detects none.

        Raises `DecodeError` where whisper.cpp fails.
        """
        import numpy as np

        library = self._library
        if not library.whisper_is_multilingual(self._context):
            return None
        window = samples[: _windows.LENGTH]
        if library.whisper_pcm_to_mel(self._context, window, len(window), self._threads):
            raise DecodeError("whisper.cpp makes no features of a clip", remedy="check the clip")
        chances = np.zeros(library.whisper_lang_max_id() + 1, np.float32)
        number = library.whisper_lang_auto_detect(self._context, 0, self._threads, chances)
        if number < 0:
            raise DecodeError(f"whisper.cpp detects no language (error {number})", remedy="check the clip")
        return str(library.whisper_lang_str(number))

    def _hear(
        self,
        samples: "NDArray[np.float32]",
        language: str | None,
        *,
        timestamps: bool,
        task: Task = "transcribe",
    ) -> None:
        """Run ``whisper_full``, whose results stay in the context; raise `DecodeError` where it fails."""
        greedy = self._library.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY
        parameters = self._library.whisper_full_default_params(greedy)
        options = {
            "n_threads": self._threads,
            "language": language or "en",
            "translate": task == "translate",
            "no_timestamps": not timestamps,
            "single_segment": not timestamps,
            "token_timestamps": timestamps,
            "greedy": {"best_of": 1},
            "temperature": 0.0,
            "temperature_inc": 0.0,
            "no_context": True,
            "n_max_text_ctx": 0,
            "suppress_nst": True,
            "print_progress": False,
            # Windows of a long recording may be passed over as silent, a clip by itself may not.
            **({} if timestamps else {"no_speech_thold": 1.0}),
        }
        for name, value in options.items():
            setattr(parameters, name, value)
        code = self._library.whisper_full(self._context, parameters, samples, len(samples))
        if code:
            raise DecodeError(f"whisper.cpp failed (error {code})", remedy="gate another backend")

    def _segments(self) -> Iterator[list[tuple[int, float, float]]]:
        """Yield of each segment the tokens of text: id, and when it begins and ends in seconds."""
        library, context = self._library, self._context
        end = library.whisper_token_eot(context)
        for number in range(library.whisper_full_n_segments(context)):
            tokens = [
                library.whisper_full_get_token_data(context, number, place)
                for place in range(library.whisper_full_n_tokens(context, number))
            ]
            yield [(one.id, one.t0 / 100, one.t1 / 100) for one in tokens if one.id < end]

    def prepare(self, clip: Clip) -> "NDArray[np.float32]":
        """Return log-mel features, shape (1, mels, 3000); see `Staged`. Those of ``transcribe`` are whisper.cpp's."""
        return self._front_end.features([clip])

    def encode(self, features: "NDArray[np.float32]") -> "_Window":
        """Run the encoder; see `Staged`.

        whisper.cpp keeps its output in the context of the model, so that each window that is kept has one of its own.
        Raises `DecodeError` where it fails.
        """
        context = self._free.pop() if self._free else self._load()
        window = _Window(self, context)
        weakref.finalize(window, self._free.append, context)
        mels, frames = features.shape[1:]
        library = self._library
        if library.whisper_set_mel(context, features[0], frames, mels) or library.whisper_encode(
            context, 0, self._threads
        ):
            raise DecodeError("whisper.cpp cannot encode a window", remedy="gate another backend")
        return window

    def replay(self, encoded: "_Window", clip: Clip, tokens: Sequence[int]) -> None:
        """Let the decoder read ``tokens``, one after the other; see `Staged`.

        Raises `DecodeError` where whisper.cpp fails.
        """
        for place, token in enumerate((*self._front_end.prompt(clip.language), *tokens[:-1])):
            if self._library.whisper_decode(encoded.context, int(token), 1, place, self._threads):
                raise DecodeError("whisper.cpp cannot decode a token", remedy="gate another backend")


class _Window:
    """What the encoder made of one window, in a context that is given back when nobody needs it any longer."""

    def __init__(self, transcriber: WhisperCppTranscriber, context: Any) -> None:
        self.transcriber = transcriber  # which frees the context in the end
        self.context = context


def _free_all(free: Callable[[Any], None], contexts: list[Any]) -> None:
    while contexts:
        free(contexts.pop())


def _listen(library: Any, hear: Callable[[int, str], None]) -> None:
    """Have whisper.cpp tell ``hear`` (level, text) what it would print; not beyond the end of the interpreter."""
    atexit.unregister(library.whisper_log_set)
    atexit.register(library.whisper_log_set, None)
    library.whisper_log_set(hear)


def _say_nothing(level: int, text: str) -> None:
    """Keep what whisper.cpp tells of itself off the terminal."""


def _padded(samples: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    padded = np.pad(samples, (0, max(0, _LEAST - len(samples))))
    return np.ascontiguousarray(padded, np.float32)


def _read_back(library: Any, context: Any, held: _whispercpp_ggml.File) -> tuple[str, str]:
    """Return (compute type, operations): what most matrices of the file are stored in, and what the library is made of.

    Raises `DecodeError` where the library has loaded another type than the file says.
    """
    names = {kind.tensor: name for name, kind in _whispercpp_ggml.KINDS.items()}
    total = sum(held.types.values())
    loaded = library.whisper_model_ftype(context)
    if loaded % 1000 != held.sizes.ftype % 1000:
        raise DecodeError(
            f"whisper.cpp says that it loaded type {loaded}, and the file is of type {held.sizes.ftype}",
            remedy="build it again",
        )
    most = max(held.types, key=lambda kind: held.types[kind])
    features = [
        one.partition(" = ")[0].rpartition(" : ")[2].strip()
        for one in library.whisper_print_system_info().split("|")
        if one.strip().endswith("= 1")
    ]
    shares = [f"{count} of {total} weight matrices in {names[kind]}" for kind, count in held.types.items()]
    return names[most], f"{', '.join(shares)}; the library uses {', '.join(features)}"


def _ready_made(path: Path) -> ReadyMade:
    held = _whispercpp_ggml.read(path)
    sizes, precision = held.sizes, held.sizes.precision
    return ReadyMade(
        directory=path.parent,
        precisions={precision: precision},
        files=(path.name,),
        lacks=_whisper.FRONT_END,
        sizes={
            "vocab_size": sizes.n_vocab,
            "d_model": sizes.n_audio_state,
            "num_mel_bins": sizes.n_mels,
            "encoder_layers": sizes.n_audio_layer,
            "decoder_layers": sizes.n_text_layer,
        },
    )
