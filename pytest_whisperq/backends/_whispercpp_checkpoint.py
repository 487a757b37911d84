"""What whisper.cpp takes of a checkpoint: sizes, tokens as bytes, and weights under OpenAI's names."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_whisperq.backends import _weights, _whisper, _whispercpp_ggml
from pytest_whisperq.system.errors import BuildError

_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "self_attn.q_proj": "attn.query",
        "self_attn.k_proj": "attn.key",
        "self_attn.v_proj": "attn.value",
        "self_attn.out_proj": "attn.out",
        "self_attn_layer_norm": "attn_ln",
        "encoder_attn.q_proj": "cross_attn.query",
        "encoder_attn.k_proj": "cross_attn.key",
        "encoder_attn.v_proj": "cross_attn.value",
        "encoder_attn.out_proj": "cross_attn.out",
        "encoder_attn_layer_norm": "cross_attn_ln",
        "fc1": "mlp.0",
        "fc2": "mlp.2",
        "final_layer_norm": "mlp_ln",
    }
)
"""What transformers calls a part of a layer → what openai/whisper does."""

_WHOLE: Mapping[str, str] = MappingProxyType(
    {
        "encoder.embed_positions.weight": "encoder.positional_embedding",
        "encoder.layer_norm": "encoder.ln_post",
        "decoder.embed_positions.weight": "decoder.positional_embedding",
        "decoder.embed_tokens": "decoder.token_embedding",
        "decoder.layer_norm": "decoder.ln",
    }
)


def config(source: Path) -> Mapping[str, Any]:
    """Return the configuration of a checkpoint; empty where there is none that can be read."""
    try:
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def sizes(config: Mapping[str, Any], precision: str) -> _whispercpp_ggml.Sizes:
    """Return the head of a ggml file for a configuration and a precision."""
    kind = _whispercpp_ggml.KINDS[precision]
    return _whispercpp_ggml.Sizes(
        n_vocab=config["vocab_size"],
        n_audio_ctx=config["max_source_positions"],
        n_audio_state=config["d_model"],
        n_audio_head=config["encoder_attention_heads"],
        n_audio_layer=config["encoder_layers"],
        n_text_ctx=config["max_target_positions"],
        n_text_state=config["d_model"],
        n_text_head=config["decoder_attention_heads"],
        n_text_layer=config["decoder_layers"],
        n_mels=config["num_mel_bins"],
        ftype=kind.file + (_whispercpp_ggml.QUANTIZATION if kind.weights > 1 else 0),
    )


def check_vocabulary(directory: Path, front_end: _whisper.FrontEnd, count: int) -> None:
    """Raise `BuildError` where special tokens are not where whisper.cpp counts them to be."""
    known = _whispercpp_ggml.VOCABULARIES[count]
    wanted = {"<|endoftext|>": known.end, "<|notimestamps|>": known.no_timestamps}
    others = [
        f"{name} is {front_end.vocabulary.get(name, 'none')}, not {index}"
        for name, index in wanted.items()
        if front_end.vocabulary.get(name) != index
    ]
    if others:
        raise BuildError(
            f"special tokens are not where whisper.cpp looks for them: {', '.join(others)}",
            where=str(directory),
            remedy="gate another backend",
        )


def text_tokens(front_end: _whisper.FrontEnd, end: int) -> tuple[bytes, ...]:
    """Return the tokens of text as bytes, in order: tokenizers write each byte as a letter."""
    known = letters()
    found = [b""] * end
    for token, index in front_end.vocabulary.items():
        if index < end:
            found[index] = b"".join(known.get(letter) or letter.encode() for letter in token)
    return tuple(found)


def letters() -> dict[str, bytes]:
    """Return which byte each letter of a byte-level tokenizer stands for (Radford et al. 2019).

    Printable ones stand for themselves, the others for what follows the last byte.
    """
    plain = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): bytes([byte]) for byte in plain} | {
        chr(256 + number): bytes([byte]) for number, byte in enumerate(others)
    }


def check_tokens(directory: Path, front_end: _whisper.FrontEnd, held: _whispercpp_ggml.File) -> None:
    """Raise `BuildError` where the tokenizer has other tokens of text than the file."""
    end = _whispercpp_ggml.VOCABULARIES[held.sizes.n_vocab].end
    ours, others = text_tokens(front_end, end), list[str]()
    for index, (own, theirs) in enumerate(zip(ours, held.tokens, strict=False)):
        if own and own != theirs:
            others.append(f"token {index} is {theirs!r} there")
    if others:
        raise BuildError(
            f"the tokenizer is another model's: its tokens are not those of the ggml file ({_weights.listed(others)})",
            where=str(directory),
            remedy="name the checkpoint that the file was made of",
        )


def tensors(source: Path, sizes: _whispercpp_ggml.Sizes) -> Iterator[tuple[str, Any]]:
    """Yield the weights of a float32 checkpoint as float32 arrays, by the names and in the order that the file has.

    Raises `BuildError` where one is missing.
    """
    import numpy as np
    from safetensors import safe_open

    places: dict[str, tuple[Path, str]] = {}
    for path in _weights.files(source):
        with safe_open(path, "numpy") as file:  # type: ignore[no-untyped-call, unused-ignore]
            places |= {openai_name(key): (path, key) for key in file.keys()}  # noqa: SIM118 - no mapping
    for name, shape in _whispercpp_ggml.shapes(sizes).items():
        if name not in places:
            raise BuildError(f"the weights lack {name}", where=str(source), remedy="save the checkpoint again")
        path, key = places[name]
        with safe_open(path, "numpy") as file:  # type: ignore[no-untyped-call, unused-ignore]
            yield name, np.asarray(file.get_tensor(key), np.float32).reshape(shape)


def openai_name(key: str) -> str:
    """Return what openai/whisper calls a weight of transformers.

    >>> openai_name("model.decoder.layers.3.encoder_attn.q_proj.weight")
    'decoder.blocks.3.cross_attn.query.weight'
    """
    name = key.removeprefix("model.")
    part, _, rest = name.partition(".layers.")
    if rest:
        number, _, inner = rest.partition(".")
        module, _, last = inner.rpartition(".")
        return f"{part}.blocks.{number}.{_PARTS.get(module, module)}.{last}"
    if name in _WHOLE:
        return _WHOLE[name]
    module, _, last = name.rpartition(".")
    return f"{_WHOLE.get(module, module)}.{last}"
