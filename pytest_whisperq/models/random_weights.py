"""Checkpoints of Whisper's true shapes with random weights: ``random:whisper-tiny`` and the like, without any download.

What such a model says is noise, but it takes the time of a real one. The tokenizer is a placeholder of the true size
and order, in which every id stands for itself. Shapes: ``config.json`` of openai/whisper-* and distil-whisper/*.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_whisperq.backends._whisper import quiet_libraries
from pytest_whisperq.models.source import RANDOM, SourceModel, resolve_source, source_in
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.errors import unknown
from pytest_whisperq.system.files import publish_folder
from pytest_whisperq.system.machine import versions

SEED = 0
REVISION = 1
"""Raised when the checkpoints change, which retires every older one."""

_PURPOSE = "make a model of random weights"


class Shape(NamedTuple):
    """Width, heads, layers of encoder and decoder, mel bands; the languages a large-v3 knows are 100, not 99."""

    width: int
    heads: int
    encoder: int
    decoder: int
    mels: int = 80
    multilingual: bool = True
    languages: int = 99


def _sizes() -> dict[str, Shape]:
    plain = {
        "tiny": Shape(384, 6, 4, 4),
        "base": Shape(512, 8, 6, 6),
        "small": Shape(768, 12, 12, 12),
        "medium": Shape(1024, 16, 24, 24),
    }
    english = {f"{name}.en": shape._replace(multilingual=False) for name, shape in plain.items()}
    large = Shape(1280, 20, 32, 32)
    newer = large._replace(mels=128, languages=100)
    whisper = {
        **plain,
        **english,
        "large-v2": large,
        "large-v3": newer,
        "large-v3-turbo": newer._replace(decoder=4),
    }
    distilled = {
        "small.en": english["small.en"]._replace(decoder=4),
        "medium.en": english["medium.en"]._replace(decoder=2),
        "large-v2": large._replace(decoder=2),
        "large-v3": newer._replace(decoder=2),
    }
    return {
        **{f"{RANDOM}whisper-{name}": shape for name, shape in whisper.items()},
        **{f"{RANDOM}distil-{name}": shape for name, shape in distilled.items()},
    }


SIZES: Mapping[str, Shape] = MappingProxyType(_sizes())
"""Every name there is → its shape."""


def find_source(name: str, option: str, cache: Path) -> SourceModel:
    """Find the checkpoint a user named, as `resolve_source` does, or make one of random weights in ``cache``."""
    return random_source(name, cache, option) if name.startswith(RANDOM) else resolve_source(name, option)


def random_source(name: str, cache: Path, option: str) -> SourceModel:
    """Return a checkpoint that is kept in ``cache``, made if it is not there yet.

    Raises `ConfigError` naming ``option`` for a size that does not exist, `StoreError` when the cache cannot be used.
    """
    if name not in SIZES:
        raise unknown("unknown size", name, SIZES, where=option)
    optional_imports.require("torch", extra="torch", purpose=_PURPOSE)
    layout = CacheLayout(cache)
    target = layout.random / f"{name.removeprefix(RANDOM)}{made_here()}"
    with layout.locked(target):
        if not target.is_dir():
            with publish_folder(target, is_locked=True) as aside, quiet_libraries():
                _write(SIZES[name], aside)
        return source_in(target, name)


def made_here() -> str:
    """Return how the name of a checkpoint ends that is made here: torch decides what a seed gives."""
    return f"-{versions(('torch',))['torch'].partition('+')[0]}-{SEED}-{REVISION}"


def _write(shape: Shape, directory: Path) -> None:
    """Write everything a checkpoint has: weights as float16 safetensors, configurations, tokenizer, front end."""
    import torch

    transformers = optional_imports.require("transformers", extra="torch", purpose=_PURPOSE)
    tokenizer = _tokenizer(shape)
    vocabulary = tokenizer.get_vocab()
    end, start = vocabulary["<|endoftext|>"], vocabulary["<|startoftranscript|>"]
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=shape.mels,
        d_model=shape.width,
        encoder_layers=shape.encoder,
        decoder_layers=shape.decoder,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        suppress_tokens=[start],
        begin_suppress_tokens=[],
        **ends,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(**_generation(shape, vocabulary), **ends)
    model.half().save_pretrained(directory)
    transformers.WhisperFeatureExtractor(feature_size=shape.mels).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    tokenizer._tokenizer.model.save(str(directory))  # vocab.json and merges.txt, which other runtimes read


def _generation(shape: Shape, vocabulary: Mapping[str, int]) -> dict[str, Any]:
    start = vocabulary["<|startoftranscript|>"]
    common: dict[str, Any] = {
        "max_length": 448,
        "is_multilingual": shape.multilingual,
        "no_timestamps_token_id": vocabulary["<|notimestamps|>"],
        "suppress_tokens": [start],
        "begin_suppress_tokens": [],
        "alignment_heads": [[shape.decoder - 1, head] for head in range(shape.heads)],
    }
    if not shape.multilingual:
        return common
    return {
        **common,
        "lang_to_id": {f"<|{code}|>": vocabulary[f"<|{code}|>"] for code in _languages(shape)},
        "task_to_id": {task: vocabulary[f"<|{task}|>"] for task in ("translate", "transcribe")},
    }


def _languages(shape: Shape) -> list[str]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return list(LANGUAGES)[: shape.languages]


def _tokenizer(shape: Shape) -> Any:
    """Return a tokenizer with Whisper's 50,257 text tokens (less the empty one in English), then its special tokens."""
    transformers = optional_imports.require("transformers", extra="torch", purpose=_PURPOSE)
    from tokenizers import AddedToken, pre_tokenizers

    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces += [f"Ġw{number}" for number in range(len(pieces), 50_256)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    if shape.multilingual:
        vocabulary[""] = len(vocabulary)  # by which CTranslate2 knows a multilingual model
    vocabulary["<|endoftext|>"] = len(vocabulary)
    names = ["startoftranscript", *_languages(shape), "translate", "transcribe", "startoflm", "startofprev"]
    special = [f"<|{name}|>" for name in (*names, "nospeech", "notimestamps")]
    pad = {"pad_token": "<|endoftext|>"}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[], extra_special_tokens=special, **pad)
    times = [f"<|{0.02 * step:.2f}|>" for step in range(1501)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    return tokenizer
