"""What a file or folder is that is taken for a checkpoint and is none: for errors that say what to do with it."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import runners

_ADAPTER = "adapter_config.json"
_GGUF = b"GGUF"
_NO_BACKEND = "no backend here runs it; one of your own may (docs/own-backend.md)"
_MERGE = (
    "from peft import PeftModel; from transformers import WhisperForConditionalGeneration, WhisperProcessor; "
    "base = WhisperForConditionalGeneration.from_pretrained({base!r}); "
    "PeftModel.from_pretrained(base, {adapter!r}).merge_and_unload().save_pretrained({merged!r}); "
    "WhisperProcessor.from_pretrained({base!r}).save_pretrained({merged!r})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What something is, such as "a LoRA adapter of openai/whisper-small", and what to do with it."""

    what: str
    remedy: str


def kind_of(path: Path) -> Kind | None:
    """Return what a file or folder is that cannot be a checkpoint; None for a checkpoint, and for what nobody knows."""
    if path.is_file():
        return next(_run_as_it_is(path), None) or _file(path)
    if (path / _ADAPTER).is_file():
        return _adapter(path)
    if any(path.glob("*.safetensors")):
        return None
    for kind in _run_as_it_is(path):
        return kind
    files = (file for pattern in ("*.bin", "*.gguf", "*.onnx", "onnx/*.onnx") for file in sorted(path.glob(pattern)))
    return next(filter(None, map(_file, files)), None)


def _run_as_it_is(path: Path) -> Iterator[Kind]:
    for name, found in runners(path):
        yield Kind(
            what=f"a model that {name} runs, in {found.stored}",
            remedy=f"gate it with --whisperq-candidate {name}@{path}, and name the checkpoint that it was made of",
        )


def _adapter(folder: Path) -> Kind:
    base = str(_json(folder / _ADAPTER).get("base_model_name_or_path") or "BASE")
    script = _MERGE.format(base=base, adapter=str(folder), merged=f"{folder}-merged")
    beside = ", beside weights that would be judged without it" if (folder / "model.safetensors").is_file() else ""
    return Kind(what=f"a LoRA adapter of {base}{beside}", remedy=f"merge first: python -c {shlex.quote(script)}")


def _file(path: Path) -> Kind | None:
    with path.open("rb") as file:
        head = file.read(48)
    if head.startswith(_GGUF):
        return Kind(what="a GGUF file", remedy=_NO_BACKEND)
    if path.suffix == ".onnx":
        return Kind(what="an ONNX model", remedy=_NO_BACKEND)
    if path.suffix == ".pt":
        return Kind(
            what="weights as openai/whisper saves them", remedy="name the checkpoint on the hub, openai/whisper-…"
        )
    return None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
