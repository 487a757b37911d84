"""Whether the weights that were loaded are the checkpoint's: what a loader does not find it fills at random."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.system.errors import BuildError

_SHOWN = 3
_EMBEDDING, _TIED = "model.decoder.embed_tokens.weight", "proj_out.weight"
_LAYERS = ("model.encoder.", "model.decoder.", "encoder.", "decoder.", _TIED)
"""How keys of a Whisper begin; the base class saves them without ``model.``."""


def unused(source: Path, loading_info: Mapping[str, Collection[Any]], *, is_tied: bool) -> list[str]:
    """Return, in words, which weights of the checkpoint in ``source`` are no part of a Whisper, and were not used.

    ``loading_info`` is what transformers' ``from_pretrained`` says with ``output_loading_info=True``. Where the last
    layer ``is_tied`` to the embedding it need not be stored. Raises `BuildError`, naming the keys, where a weight is
    missing or has another shape than ``config.json`` says, and where one of an encoder or decoder is left over:
    baseline and candidate would share the random numbers, or the missing layer, and agree.
    """
    missing = sorted(map(str, loading_info["missing_keys"]))
    if is_tied and _EMBEDDING not in missing and _TIED in missing:
        missing.remove(_TIED)
    shapes = sorted((str(key), tuple(stored), tuple(told)) for key, stored, told in loading_info["mismatched_keys"])
    extra = sorted(map(str, loading_info["unexpected_keys"]))
    prefix = _prefix(missing, extra)
    left = [key for key in extra if key.startswith(_LAYERS) or prefix]
    problems = [
        f"{what} ({_listed(keys)})"
        for what, keys in (
            ("some are missing and would be filled with random numbers", missing),
            ("some have another shape", [f"{key} {stored} for {told}" for key, stored, told in shapes]),
            ("some have no place in the model", left),
        )
        if keys
    ]
    if problems:
        remedy = (
            f"keys begin with {prefix!r}: save the model without what it was wrapped in"
            if prefix
            else "correct config.json (encoder_layers, decoder_layers, d_model, vocab_size), or save the model again"
        )
        what = f"the weights are not those of its config.json: {'; '.join(problems)}"
        raise BuildError(what, where=str(source), remedy=remedy)
    return [f"weights of the checkpoint that are no part of a Whisper, and not used: {_listed(extra)}"] if extra else []


def _prefix(missing: Sequence[str], extra: Sequence[str]) -> str:
    """Return what all keys have in front, as ``_orig_mod.`` of torch.compile and ``module.`` of data parallelism."""
    names = set(missing)
    for key in extra:
        tails = (key[index + 1 :] for index, letter in enumerate(key) if letter == ".")
        if tail := next((tail for tail in tails if tail in names), ""):
            return key.removesuffix(tail)
    return ""


def _listed(keys: Sequence[str]) -> str:
    """Return the first few, escaped, for a key is anybody's text, and how many there are beside them."""
    shown = ", ".join(key.encode("unicode_escape").decode() for key in keys[:_SHOWN])
    return f"{shown} and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else shown
