"""What every Whisper runtime shares: one feature extractor, one tokenizer, one set of decoding rules.

With the same features, prompt and length limit everywhere, a difference between two transcripts is a difference between
two models, not between two front ends.
"""

import contextlib
import io
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import Clip, Hypothesis, Segment, Task, TimedWord
from pytest_whisperq.speech.corpus.spacing import is_spaced
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import BuildError
from pytest_whisperq.system.files import first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_NEW_TOKENS = 224
"""Half of Whisper's text context, as in openai/whisper's ``sample_len`` and CTranslate2's ``max_length=448``."""

SECONDS_PER_STEP = 0.02
"""What one timestamp, and one frame of the encoder, stands for."""

_TIMESTAMPS = 1501
_TOKENIZER_FILES = (
    *("added_tokens.json", "merges.txt", "normalizer.json", "preprocessor_config.json", "special_tokens_map.json"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.json"),
)
_EXTRACTOR, _TOKENIZER, _GENERATION = "preprocessor_config.json", "tokenizer.json", "generation_config.json"
_ALTERNATIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {_EXTRACTOR: ("processor_config.json",), _TOKENIZER: ("vocab.json", "merges.txt")}
)
"""File of a front end → the files in which older or newer tools write the same."""

FRONT_END = (_EXTRACTOR, _TOKENIZER, _GENERATION)
"""Files without which nothing can be transcribed: features, tokenizer, generation config."""

FILES = frozenset({*_TOKENIZER_FILES, _GENERATION, "config.json", "processor_config.json"})
"""Files that lie beside the weights of a Whisper and belong to it."""


class FrontEnd:
    """Features in, prompts in, text out, for the model in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        purpose = "prepare audio and text for Whisper models"
        for attribute in ("WhisperFeatureExtractor", "WhisperTokenizer"):
            optional_imports.require_attribute("transformers", attribute, extra="torch", purpose=purpose)

    @cached_property
    def extractor(self) -> Any:
        """The log-mel feature extractor."""
        from transformers import WhisperFeatureExtractor

        path = self.directory / "preprocessor_config.json"
        with _readable(path, "the feature extractor", "the file"):
            if path.is_file():  # transformers prefers processor_config.json, which other runtimes do not read
                return WhisperFeatureExtractor.from_json_file(path)
            return WhisperFeatureExtractor.from_pretrained(self.directory, local_files_only=True)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        from transformers import WhisperTokenizer

        with _readable(self.directory, "the tokenizer", "tokenizer.json and tokenizer_config.json"):
            return WhisperTokenizer.from_pretrained(self.directory, local_files_only=True)

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Token → id, of all that the tokenizer lists."""
        vocabulary: dict[str, int] = self.tokenizer.get_vocab()
        return vocabulary

    @cached_property
    def generation(self) -> dict[str, Any]:
        """See `generation_config`."""
        return generation_config(self.directory)

    @property
    def is_multilingual(self) -> bool:
        """Whether the prompt names a language and a task."""
        return bool(self.generation.get("is_multilingual", True))

    def features(self, clips: Sequence[Clip]) -> "NDArray[np.float32]":
        """Return log-mel features, shape (clips, mels, 3000), each clip padded to the model's 30 s window."""
        import numpy as np

        from pytest_whisperq.backends._features import log_mel

        return np.stack([log_mel(self.extractor, clip.samples) for clip in clips])

    def attention_mask(self, clips: Sequence[Clip]) -> "NDArray[np.int64]":
        """Return which frames of `features` are not padding, shape (clips, 3000)."""
        import numpy as np

        frames = np.arange(self.extractor.nb_max_frames)
        lengths = [self.frames(clip) for clip in clips]
        return (frames < np.array(lengths)[:, np.newaxis]).astype(np.int64)

    def frames(self, clip: Clip) -> int:
        """Return how many frames of `features` a clip fills, before the padding."""
        return len(clip.samples) // int(self.extractor.hop_length)

    def prompt(self, language: str | None, *, timestamps: bool = False, task: Task = "transcribe") -> list[int]:
        """Return the start-of-transcript ids of one clip; language and task are ignored by English-only models.

        Raises `BuildError` for a language or task that the vocabulary lacks.
        """
        names = ["<|startoftranscript|>"]
        if self.is_multilingual:
            names += [f"<|{language}|>", f"<|{task}|>"]
        if not timestamps:
            names.append("<|notimestamps|>")
        vocabulary = self.vocabulary  # asked for a token it lacks, the tokenizer answers with another
        unknown = [name for name in names if name not in vocabulary]
        if unknown:
            raise BuildError(
                f"the tokenizer lacks {', '.join(unknown)}: not a Whisper checkpoint, or a language it was "
                "not made for",
                where=str(self.directory),
            )
        return [vocabulary[name] for name in names]

    @property
    def timestamps(self) -> range:
        """See `timestamps_after`."""
        return timestamps_after(self.vocabulary["<|notimestamps|>"])

    @property
    def silenced(self) -> list[int]:
        """End of text and all timestamps: what must not be said in a text of a length that is given."""
        return [int(self.tokenizer.eos_token_id), *self.timestamps]

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special)

    def is_text(self, token: int) -> bool:
        """Whether a token is text: one of the vocabulary, or one that was added to it, behind the timestamps."""
        is_added = token >= self.timestamps.stop and token not in self._special
        return is_added or token < self.tokenizer.eos_token_id

    def language_of(self, token: int) -> str:
        """Return the code that a language token stands for, for example ``en``."""
        return str(self.tokenizer.convert_ids_to_tokens(token)).strip("<|>")

    def spell(self, text: str) -> list[int]:
        """Return the ids of a text as a model says it, after a space."""
        ids: list[int] = self.tokenizer(f" {text.strip()}", add_special_tokens=False).input_ids
        return ids

    def segments(self, sequence: Sequence[int]) -> tuple[Segment, ...]:
        """Cut generated ids at their timestamps; a text that none ends lasts to the end of the window."""
        segments: list[Segment] = []
        start, ids = 0.0, list[int]()
        for index in (*sequence, self.timestamps.stop - 1):
            if index not in self.timestamps:
                ids.append(index)
                continue
            time = SECONDS_PER_STEP * (index - self.timestamps.start)
            text = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
            if text:
                segments.append(Segment(start=start, end=time, text=text))
            start, ids = time, []
        return tuple(segments)

    def words(
        self, ids: Sequence[int], ends: Sequence[float], start: float, language: str | None
    ) -> tuple[TimedWord, ...]:
        """Join tokens, and when each ends, into words; the first begins at ``start``.

        Spaces part them, or, in a language written without, every character; those of one token share its time evenly.
        """
        text_ids = [index for index in ids if self.is_text(index)]
        spaced = is_spaced(language, self.tokenizer.decode(text_ids))
        groups: list[tuple[float, float, list[int]]] = []
        for index, end in zip(ids, ends, strict=True):
            if self.is_text(index):
                # An added token is written as it is, where one of the vocabulary has this letter for a space.
                begins = not groups or self.tokenizer.convert_ids_to_tokens(index).startswith(("Ġ", " "))
                if not (begins or spaced):  # the bytes of one character may be several tokens
                    begins = "\ufffd" not in self.tokenizer.decode(groups[-1][2])
                began, _, group = (start, end, []) if begins else groups.pop()
                groups.append((began, end, [*group, index]))
            start = end
        words: list[TimedWord] = []
        for begun, end, group in groups:
            word = TimedWord(start=begun, end=end, text=self.tokenizer.decode(group).strip())
            words += ([word] if word.text else []) if spaced else characters(word)
        return tuple(words)

    def hypotheses(self, sequences: Sequence[Sequence[int]], detected: Sequence[str | None]) -> list[Hypothesis]:
        """Turn generated ids into text; everything from the first end-of-text on is padding."""
        end = self.tokenizer.eos_token_id
        hypotheses = []
        for sequence, language in zip(sequences, detected, strict=True):
            ids = [int(index) for index in sequence]
            ids = ids[: ids.index(end)] if end in ids else ids
            text = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
            hypotheses.append(Hypothesis(text=text, tokens=tuple(ids), language=language))
        return hypotheses


@contextmanager
def _readable(path: Path, what: str, files: str) -> Iterator[None]:
    """Raise one `BuildError` for whatever a library raises over files that it cannot make sense of."""
    try:
        yield
    except Exception as error:
        raise BuildError(
            f"{what} cannot be read ({type(error).__name__}: {first_line(error)})",
            where=str(path),
            remedy=f"take {files} from the checkpoint that these weights were made of",
        ) from error


def generation_config(directory: Path) -> dict[str, Any]:
    """Return a checkpoint's ``generation_config.json``; empty for one that has none.

    Raises `BuildError` for one that is no JSON object, or whose ``lang_to_id`` is none.
    """
    path = directory / "generation_config.json"
    if not path.is_file():
        return {}
    with _readable(path, "it", "the file"):
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    is_object = isinstance(loaded, dict)
    if not is_object or not isinstance(loaded.get("lang_to_id") or {}, dict):
        raise BuildError(
            f"{'lang_to_id' if is_object else 'it'} must be a JSON object",
            where=str(path),
            remedy="take the file from the checkpoint that these weights were made of",
        )
    return loaded


def copy_front_end(source: Path, directory: Path) -> None:
    """Copy tokenizer and feature extractor files byte by byte, and write the ones that newer checkpoints leave out.

    transformers 5 saves a processor without ``preprocessor_config.json``, which CTranslate2 and faster-whisper read.
    """
    from transformers import WhisperProcessor, WhisperTokenizer

    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, directory / name)
    if not (directory / "preprocessor_config.json").is_file():
        WhisperProcessor.from_pretrained(source).feature_extractor.save_pretrained(directory)
    if not (directory / "tokenizer.json").is_file():
        WhisperTokenizer.from_pretrained(source).save_pretrained(directory)


def lacking(directory: Path) -> tuple[str, ...]:
    """Return which files of a front end a folder lacks, each in any form: features, tokenizer, generation config."""
    return tuple(
        name
        for name in FRONT_END
        if not (directory / name).is_file()
        and not (name in _ALTERNATIVES and all((directory / other).is_file() for other in _ALTERNATIVES[name]))
    )


def lend_front_end(source: Path, directory: Path, lacks: Collection[str]) -> list[str]:
    """Copy what a folder ``lacks`` of a front end from the checkpoint in ``source``; return the names of the files.

    What belongs to one tokenizer is lent together.
    """
    if not lacks:
        return []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder)
        copy_front_end(source, whole)
        if (source / _GENERATION).is_file():
            shutil.copyfile(source / _GENERATION, whole / _GENERATION)
        lent = [
            path
            for path in sorted(whole.iterdir())
            if (path.name if path.name in (_EXTRACTOR, _GENERATION) else _TOKENIZER) in lacks
        ]
        for path in lent:
            shutil.copyfile(path, directory / path.name)
        return [path.name for path in lent]


def characters(word: TimedWord) -> list[TimedWord]:
    """Part a word into its characters, which share its time evenly; one in Latin letters stays whole, "" is none."""
    # A name in Latin letters is one word in any language.
    parts = [word.text] if word.text.isascii() else list("".join(word.text.split()))
    share = (word.end - word.start) / max(len(parts), 1)
    return [
        TimedWord(start=word.start + share * number, end=word.start + share * (number + 1), text=part)
        for number, part in enumerate(parts)
        if part
    ]


def timestamps_after(no_timestamps: int) -> range:
    """Return the ids of the 1,501 timestamps, 0.00 to 30.00 s, which follow ``<|notimestamps|>``."""
    return range(no_timestamps + 1, no_timestamps + 1 + _TIMESTAMPS)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the libraries' advice, tables and bars off the terminal; errors still raise."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(level)
