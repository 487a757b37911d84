"""Whether the weights that were loaded are the checkpoint's: what a loader does not find it fills at random.

Baseline and candidate would share what is wrong with them, and agree.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.system.errors import BuildError
from pytest_whisperq.system.files import first_line

_SHOWN = 3
_EMBEDDING, _TIED = "model.decoder.embed_tokens.weight", "proj_out.weight"
_LAYERS = ("model.encoder.", "model.decoder.", "encoder.", "decoder.", _TIED)
"""How keys of a Whisper begin; the base class saves them without ``model.``."""
_FLOATS = ("F64", "F32", "F16", "BF16")
_ONE_FILE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_COPY = "copy or download the checkpoint again, all of its files"


def check_files(source: Path) -> None:
    """Raise `BuildError` naming a file of weights in ``source`` that is missing, cut, or holds quantized weights."""
    from safetensors import SafetensorError, safe_open

    for path in files(source):
        if not path.is_file():
            raise BuildError(f"{_INDEX} names {path.name}, which is not there", where=str(source), remedy=_COPY)
        try:
            with safe_open(path, "numpy") as file:  # type: ignore[no-untyped-call, unused-ignore]
                stored = {key: str(file.get_slice(key).get_dtype()) for key in file.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError) as error:
            raise BuildError(
                f"the file is cut or damaged ({first_line(error)})", where=str(path), remedy=_COPY
            ) from error
        integers = [f"{key} {kind}" for key, kind in stored.items() if key.startswith(_LAYERS) and kind not in _FLOATS]
        if integers:
            raise BuildError(
                f"weights are no floating-point numbers ({listed(integers)})",
                where=str(path),
                remedy="name the checkpoint that this quantized one was made of",
            )


def files(source: Path) -> list[Path]:
    """Return the files that the weights are in, as transformers chooses them: one, or those that an index names.

    Raises `BuildError` where there is neither.
    """
    if (source / _ONE_FILE).exists():
        return [source / _ONE_FILE]
    try:
        index = json.loads((source / _INDEX).read_text(encoding="utf-8"))
        return [source / name for name in sorted(set(index["weight_map"].values()))]
    except FileNotFoundError:
        raise BuildError(
            f"there is neither {_ONE_FILE} nor {_INDEX}", where=str(source), remedy="give the file its usual name"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(
            f"the index of the weights cannot be read ({type(error).__name__}: {first_line(error)})",
            where=str(source / _INDEX),
            remedy=_COPY,
        ) from error


def check_values(source: Path, model: Any) -> None:
    """Raise `BuildError` naming weights of a loaded model that are not finite, and matrices that are all zeros.

    A file that was cut in transfer and filled up has zeros where its end was. A last layer with other values than the
    embedding that it is tied to is refused, too: one library uses it, and the next does not.
    """
    lost, empty = list[str](), list[str]()
    for name, tensor in model.named_parameters():
        if not bool(tensor.isfinite().all()):
            lost.append(name)
        elif tensor.ndim > 1 and not bool(tensor.any()):
            empty.append(name)
    problems = [
        f"{what} ({listed(names)})"
        for what, names in (("some are NaN or infinite", lost), ("matrices are all zeros", empty))
        if names
    ]
    if problems:
        raise BuildError(f"the weights are damaged: {'; '.join(problems)}", where=str(source), remedy=_COPY)
    last, embedding = model.proj_out.weight, model.get_input_embeddings().weight
    if model.config.tie_word_embeddings and not bool((last == embedding).all()):
        raise BuildError(
            f"{_TIED} is not {_EMBEDDING}, and config.json ties the two",
            where=str(source),
            remedy="set tie_word_embeddings to false in config.json if the last layer is one of its own",
        )


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
        f"{what} ({listed(keys)})"
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
    return [f"weights of the checkpoint that are no part of a Whisper, and not used: {listed(extra)}"] if extra else []


def _prefix(missing: Sequence[str], extra: Sequence[str]) -> str:
    """Return what all keys have in front, as ``_orig_mod.`` of torch.compile and ``module.`` of data parallelism."""
    names = set(missing)
    for key in extra:
        tails = (key[index + 1 :] for index, letter in enumerate(key) if letter == ".")
        if tail := next((tail for tail in tails if tail in names), ""):
            return key.removesuffix(tail)
    return ""


def listed(keys: Sequence[str]) -> str:
    """Return the first few, escaped, for a key is anybody's text, and how many there are beside them."""
    shown = ", ".join(key.encode("unicode_escape").decode() for key in keys[:_SHOWN])
    return f"{shown} and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else shown
