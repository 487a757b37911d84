"""Tokenizer, generation config and features that are not those of the weights are refused, with file and remedy."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.backends import _checkpoint
from pytest_whisperq.backends._whisper import generation_config
from pytest_whisperq.system.errors import BuildError, DecodeError

HERE = Path("checkpoint")
TEXT = [f"w{number}" for number in range(10)]
SPECIAL = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "notimestamps"]
LISTED = [*TEXT, *(f"<|{name}|>" for name in SPECIAL)]
TIMES = [f"<|{0.02 * step:.2f}|>" for step in range(1501)]
VOCABULARY = {token: number for number, token in enumerate(LISTED)}
TOKENS = len(LISTED) + len(TIMES)
GENERATION: dict[str, Any] = {
    "is_multilingual": True,
    "lang_to_id": {"<|en|>": 12, "<|de|>": 13},
    "task_to_id": {"translate": 14, "transcribe": 15},
    "no_timestamps_token_id": 16,
    "decoder_start_token_id": 11,
    "eos_token_id": 10,
    "suppress_tokens": [0, 11, -1],
    "begin_suppress_tokens": [3, 10],
}


def tokenizer(vocabulary: dict[str, int], tokens: int = TOKENS) -> None:
    _checkpoint.check_tokenizer(HERE, vocabulary, tokens)


def generation(**fields: Any) -> None:
    _checkpoint.check_generation(HERE, {**GENERATION, **fields}, VOCABULARY, TOKENS)


def shifted(by: int) -> dict[str, int]:
    """The special tokens moved, as in a tokenizer of a language more, or without the empty token."""
    return {token: number + by * (number >= 10) for token, number in VOCABULARY.items()}


def test_a_tokenizer_of_the_weights_is_sound_with_and_without_its_timestamps() -> None:
    tokenizer(VOCABULARY)
    tokenizer({**VOCABULARY, **{token: len(LISTED) + number for number, token in enumerate(TIMES)}})


def test_an_empty_token_that_is_not_listed_and_padded_weights_are_sound() -> None:
    tokenizer({token: number for token, number in VOCABULARY.items() if token != "w9"})
    tokenizer(VOCABULARY, tokens=1520)  # 1518, padded to a multiple of 8
    tokenizer({**VOCABULARY, "<|mine|>": TOKENS}, tokens=TOKENS + 1)  # a token added, and the embedding with it


@pytest.mark.parametrize(
    ("vocabulary", "tokens", "says"),
    [
        ({}, TOKENS, r"lacks <\|endoftext\|>, <\|startoftranscript\|>, <\|notimestamps\|>: it is blank"),
        ({"<|endoftext|>": 0}, TOKENS, r"lacks <\|startoftranscript\|>, <\|notimestamps\|>: it is blank"),
        ({t: n for t, n in VOCABULARY.items() if n > 4}, TOKENS, "lacks 5 of the 10 tokens of text"),
        (shifted(-1), TOKENS, "it has 1517 tokens, timestamps included, and the weights 1518"),
        (shifted(1), TOKENS, "it has 1519 tokens, timestamps included, and the weights 1518"),
        ({**VOCABULARY, "<|mine|>": TOKENS}, TOKENS, "it has 1519 tokens, timestamps included, and the weights 1518"),
    ],
    ids=["blank", "nearly blank", "half", "English-only", "a language more", "a token that the weights lack"],
)
def test_a_tokenizer_of_another_model_is_refused(vocabulary: dict[str, int], tokens: int, says: str) -> None:
    with pytest.raises(BuildError, match=f"^checkpoint: the tokenizer .*{says}.*; take tokenizer.json and "):
        tokenizer(vocabulary, tokens)


def test_a_generation_config_of_the_weights_is_sound() -> None:
    generation()
    generation(suppress_tokens=None, begin_suppress_tokens=None, eos_token_id=[10, 3], alignment_heads=[[99, 99]])
    english = {"is_multilingual": False, "suppress_tokens": []}
    _checkpoint.check_generation(HERE, english, VOCABULARY, TOKENS)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"lang_to_id": {"<|en|>": 50259}}, r"ids are not those of the tokenizer: <\|en\|> 50259 for 12"),
        ({"lang_to_id": {"<|en|>": 13, "<|de|>": 12}}, r"<\|en\|> 13 for 12, <\|de\|> 12 for 13"),
        ({"lang_to_id": {"<|yue|>": 13}}, r"<\|yue\|> 13 for none"),
        ({"task_to_id": {"transcribe": 16}}, r"<\|transcribe\|> 16 for 15"),
        ({"no_timestamps_token_id": 50363}, r"<\|notimestamps\|> 50363 for 16"),
        ({"decoder_start_token_id": 50258}, r"<\|startoftranscript\|> 50258 for 11"),
        ({"eos_token_id": 9}, r"<\|endoftext\|> 9 for 10"),
        ({"eos_token_id": [8, 9]}, r"<\|endoftext\|> 8, 9 for 10"),
        ({"begin_suppress_tokens": [220, 50257]}, "begin_suppress_tokens names 50257, and the weights have 1518"),
        ({"suppress_tokens": [1, 50362]}, "suppress_tokens names 50362, and the weights have 1518 tokens"),
        ({"lang_to_id": [12]}, "lang_to_id is not a table of token ids"),
        ({"task_to_id": {"transcribe": "15"}}, "task_to_id is not a table of token ids"),
        ({"lang_to_id": None}, "lacks is_multilingual, lang_to_id or task_to_id"),
        ({"is_multilingual": None}, "lacks is_multilingual, lang_to_id or task_to_id"),
    ],
)
def test_a_generation_config_of_another_model_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BuildError, match=rf"^checkpoint.generation_config\.json: .*{says}.*; take the file from "):
        generation(**fields)


@pytest.mark.parametrize("text", ["{", "[]", "", "\x00"])
def test_a_generation_config_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "generation_config.json").write_text(text)
    with pytest.raises(BuildError, match=r"_config\.json: it (cannot be read \(|must be a JSON object).*; take "):
        generation_config(tmp_path)


@pytest.mark.parametrize(
    ("bands", "rate", "frames", "says"),
    [
        (128, 16_000, 3000, "feature_size 128 for 80"),
        (80, 8000, 3000, "sampling_rate 8000 for 16000"),
        (80, 16_000, 4800, "frames 4800 for 3000"),
    ],
)
def test_features_of_another_model_are_refused(bands: int, rate: int, frames: int, says: str) -> None:
    _checkpoint.check_features(HERE, SimpleNamespace(sampling_rate=16_000, nb_max_frames=3000), 80, 80)
    extractor = SimpleNamespace(sampling_rate=rate, nb_max_frames=frames)
    with pytest.raises(BuildError, match=rf"preprocessor_config\.json: the features are another model's: {says}; take"):
        _checkpoint.check_features(HERE, extractor, bands, 80)


def test_the_vocabulary_of_a_converted_model_is_the_tokenizers(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_text(json.dumps([*LISTED, *TIMES]))
    _checkpoint.check_converted(tmp_path, VOCABULARY, GENERATION)
    swapped = {**VOCABULARY, "w1": 2, "w2": 1}
    with pytest.raises(BuildError, match=r"not those of the vocabulary \(token 1 is w1 there, token 2 is w2 there\)"):
        _checkpoint.check_converted(tmp_path, swapped, GENERATION)
    (tmp_path / "vocabulary.json").write_text(json.dumps(LISTED))
    with pytest.raises(BuildError, match="it has 1518 tokens, timestamps included, and the weights 17"):
        _checkpoint.check_converted(tmp_path, VOCABULARY, GENERATION)
    (tmp_path / "vocabulary.json").write_text("{")
    with pytest.raises(BuildError, match=r"vocabulary\.json: .*cannot be read .*; convert the model again"):
        _checkpoint.check_converted(tmp_path, VOCABULARY, GENERATION)


def test_older_conversions_list_their_vocabulary_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.txt").write_text("\n".join([*LISTED, *TIMES]) + "\n")
    _checkpoint.check_converted(tmp_path, VOCABULARY, GENERATION)


@pytest.mark.parametrize("heads", [None, [], [[1, 0], [0, 5]]])
def test_heads_in_layers_that_there_are_are_no_error(tmp_path: Path, heads: Any) -> None:
    _checkpoint.check_heads(tmp_path, heads, 2)


def test_heads_of_a_teacher_are_named_by_their_layers(tmp_path: Path) -> None:
    told = f"^{tmp_path}: alignment_heads name layer 2, 25, and the decoder's are 0 to 1: they are another model's"
    with pytest.raises(DecodeError, match=told):
        _checkpoint.check_heads(tmp_path, [[25, 1], [2, 0], [2, 1], [1, 0]], 2)


def test_tokens_that_only_config_json_suppresses_are_told(tmp_path: Path) -> None:
    assert _checkpoint.outdated(tmp_path, {}) == ""
    (tmp_path / "config.json").write_text('{"suppress_tokens": [1], "begin_suppress_tokens": []}')
    told = "not used, as generation_config.json does not have it: suppress_tokens of config.json"
    assert _checkpoint.outdated(tmp_path, {}) == told
    assert _checkpoint.outdated(tmp_path, {"suppress_tokens": []}) == ""
