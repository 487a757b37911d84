"""Whether tokenizer, generation config and features are those of the weights: with another model's, words are wrong.

Baseline and candidate share these files, so that both would be wrong alike, and agree.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import _whisper
from pytest_whisperq.backends._weights import listed
from pytest_whisperq.speech.audio import SAMPLE_RATE, WINDOW_SECONDS
from pytest_whisperq.system.errors import BuildError, DecodeError
from pytest_whisperq.system.files import first_line

_END, _START, _NO_TIMESTAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
_PADDED_TO = 8
"""Embeddings of more rows than the tokenizer has tokens are padded ones, if their number is a multiple of this."""
_FRAMES_PER_SECOND = 100
_STATED = {"no_timestamps_token_id": _NO_TIMESTAMPS, "decoder_start_token_id": _START, "eos_token_id": _END}
"""Field of a generation config → the token whose id it states."""
_LISTS = ("suppress_tokens", "begin_suppress_tokens")
_DEFAULT = -1
"""Stands for the default in a list of tokens to suppress."""
_REMEDY = "take {} from the checkpoint that these weights were made of"
_TOKENIZER = "tokenizer.json and tokenizer_config.json"


def check(front_end: _whisper.FrontEnd, *, tokens: int, mels: int) -> None:
    """Raise `BuildError` unless a front end is that of a model with so many ``tokens`` and ``mels``.

    ``tokens`` are the rows of the embedding, ``mels`` the bands that the encoder takes.
    """
    check_tokenizer(front_end.directory, front_end.vocabulary, tokens)
    check_generation(front_end.directory, front_end.generation, front_end.vocabulary, tokens)
    check_features(front_end.directory, front_end.extractor, int(front_end.extractor.feature_size), mels)


def check_tokenizer(directory: Path, vocabulary: Mapping[str, int], tokens: int) -> None:
    """Raise `BuildError` for a tokenizer that is blank, no Whisper's, or of another number of tokens.

    The timestamps count whether it lists them or not: older ones leave them out.
    """
    remedy = _REMEDY.format(_TOKENIZER)
    lacking = [token for token in (_END, _START, _NO_TIMESTAMPS) if token not in vocabulary]
    if lacking:
        raise BuildError(
            f"the tokenizer lacks {', '.join(lacking)}: it is blank, or not a Whisper's",
            where=str(directory),
            remedy=remedy,
        )
    gaps = vocabulary[_END] - len(set(vocabulary.values()) & set(range(vocabulary[_END])))
    if gaps > 1:  # the empty token of multilingual ones may go unlisted
        raise BuildError(
            f"the tokenizer lacks {gaps} of the {vocabulary[_END]} tokens of text", where=str(directory), remedy=remedy
        )
    known = max(max(vocabulary.values()) + 1, _whisper.timestamps_after(vocabulary[_NO_TIMESTAMPS]).stop)
    if known > tokens or (known < tokens and tokens % _PADDED_TO):
        raise BuildError(
            f"the tokenizer is another model's: it has {known} tokens, timestamps included, and the weights {tokens}",
            where=str(directory),
            remedy=remedy,
        )


def check_generation(
    directory: Path, generation: Mapping[str, Any], vocabulary: Mapping[str, int], tokens: int
) -> None:
    """Raise `BuildError` for a generation config with other ids than the tokenizer, or ids that the weights lack.

    It must say how to prompt the model, too: every runtime would guess differently.
    """
    where, remedy = str(directory / "generation_config.json"), _REMEDY.format("the file")
    multilingual = generation.get("is_multilingual")
    tables = {name: generation.get(name) or {} for name in ("lang_to_id", "task_to_id")}
    if multilingual is None or (multilingual and not all(tables.values())):
        raise BuildError(
            "it lacks is_multilingual, lang_to_id or task_to_id, so nothing says how to prompt this model",
            where=where,
            remedy=remedy,
        )
    for name, table in tables.items():
        if not isinstance(table, Mapping) or not all(isinstance(index, int) for index in table.values()):
            raise BuildError(f"{name} is not a table of token ids", where=where, remedy=remedy)
    stated = {
        **{token: _ids(generation.get(field)) for field, token in _STATED.items()},
        **{token: [index] for token, index in tables["lang_to_id"].items()},
        **{f"<|{task}|>": [index] for task, index in tables["task_to_id"].items()},
    }
    others = [
        f"{token} {', '.join(map(str, ids))} for {vocabulary.get(token, 'none')}"
        for token, ids in stated.items()
        if ids and vocabulary.get(token) not in ids
    ]
    if others:
        raise BuildError(f"its ids are not those of the tokenizer: {listed(others)}", where=where, remedy=remedy)
    for field in _LISTS:
        strangers = [str(i) for i in _ids(generation.get(field)) if i != _DEFAULT and i not in range(tokens)]
        if strangers:
            raise BuildError(
                f"{field} names {listed(strangers)}, and the weights have {tokens} tokens", where=where, remedy=remedy
            )


def outdated(directory: Path, generation: Mapping[str, Any]) -> str:
    """Return, in words, which tokens ``config.json`` suppresses in vain; "" where there are none.

    It was the place for them once. Where there is a ``generation_config.json``, every runtime reads that alone.
    """
    path = directory / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    fields = [field for field in _LISTS if config.get(field) and field not in generation]
    return f"not used, as generation_config.json does not have it: {', '.join(fields)} of config.json" if fields else ""


def check_features(directory: Path, extractor: Any, bands: int, mels: int) -> None:
    """Raise `BuildError` where features have other ``bands`` than the ``mels`` of the model, or another rate or window.

    ``extractor`` is transformers' or faster-whisper's.
    """
    needed = {
        "feature_size": (bands, mels),
        "sampling_rate": (int(extractor.sampling_rate), SAMPLE_RATE),
        "frames": (int(extractor.nb_max_frames), int(_FRAMES_PER_SECOND * WINDOW_SECONDS)),
    }
    if wrong := [f"{field} {given} for {needs}" for field, (given, needs) in needed.items() if given != needs]:
        raise BuildError(
            f"the features are another model's: {', '.join(wrong)}",
            where=str(directory / "preprocessor_config.json"),
            remedy=_REMEDY.format("the file"),
        )


def check_heads(directory: Path, heads: Any, layers: int) -> None:
    """Raise `DecodeError` where ``alignment_heads`` name layers that a decoder of so many ``layers`` does not have.

    A distilled model has fewer than its teacher, whose heads it may still state. Word times need them, texts do not;
    CTranslate2 ends the process over them.
    """
    beyond = sorted({int(layer) for layer, *_ in heads or () if int(layer) >= layers})
    if beyond:
        raise DecodeError(
            f"alignment_heads name layer {', '.join(map(str, beyond))}, and the decoder's are 0 to {layers - 1}: they "
            "are another model's, and nobody can tell when words are said",
            where=str(directory),
            remedy="state its own in generation_config.json, or convert it without any; gates without word times need "
            "none",
        )


def check_converted(directory: Path, vocabulary: Mapping[str, int], generation: Mapping[str, Any]) -> None:
    """Raise `BuildError` where CTranslate2's ``vocabulary.json`` or ``.txt`` is not that of tokenizer and config.

    Both list the tokens of the converted weights by their ids.
    """
    stored = _converted_vocabulary(directory)
    check_tokenizer(directory, vocabulary, len(stored))
    check_generation(directory, generation, vocabulary, len(stored))
    others = [
        f"token {index} is {token} there"
        for index, token in enumerate(stored)
        if index <= vocabulary[_END] and vocabulary.get(token, index) != index
    ]
    if others:
        raise BuildError(
            f"the tokenizer is another model's: its tokens are not those of the vocabulary ({listed(others)})",
            where=str(directory),
            remedy=_REMEDY.format(_TOKENIZER),
        )


def _converted_vocabulary(directory: Path) -> list[str]:
    listing, lines = directory / "vocabulary.json", directory / "vocabulary.txt"
    try:
        if listing.is_file():
            return list(map(str, json.loads(listing.read_text(encoding="utf-8"))))
        return lines.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(
            f"the vocabulary of the converted model cannot be read ({type(error).__name__}: {first_line(error)})",
            where=str(listing),
            remedy="convert the model again",
        ) from error


def _ids(value: Any) -> list[Any]:
    """Return one id, a list of them or nothing as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
