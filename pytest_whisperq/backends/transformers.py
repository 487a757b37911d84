"""PyTorch through transformers: the default baseline, and the float32 checkpoint every other backend converts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_whisperq import _lazy
from pytest_whisperq.backends import Clip, Hypothesis, _whisper
from pytest_whisperq.errors import BuildError


class TransformersBackend:
    """``WhisperForConditionalGeneration`` on the CPU."""

    name = "transformers"
    extra = "torch"
    modules = ("torch", "transformers", "safetensors")
    distributions = ("torch", "transformers", "tokenizers")
    precisions: Mapping[str, str] = MappingProxyType({"float32": "float32"})
    recommended = "float32"
    weights = ("*.safetensors",)

    def base(self, precision: str) -> tuple[str, str] | None:
        """Start from the source checkpoint."""
        return None

    def build(self, precision: str, source: Path, directory: Path) -> None:
        """Save the checkpoint as float32 safetensors, whatever it was stored as: what size ratios compare to."""
        import torch

        model = _model_class().from_pretrained(source, dtype=torch.float32, use_safetensors=True, local_files_only=True)
        if model.config.model_type != "whisper":
            raise BuildError(f"{source} is a {model.config.model_type!r} checkpoint; only Whisper models can be gated")
        model.save_pretrained(directory)
        _check_generation(source, directory)
        _whisper.copy_front_end(source, directory)

    def load(self, precision: str, directory: Path, threads: int) -> "TransformersTranscriber":
        """Load the float32 model."""
        return TransformersTranscriber(directory, threads)


class TransformersTranscriber:
    """A float32 model and its front end."""

    def __init__(self, directory: Path, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._front_end = _whisper.FrontEnd(directory)
        self._model = _model_class().from_pretrained(directory, dtype=torch.float32, local_files_only=True).eval()
        self.compute_type = str(next(self._model.parameters()).dtype).removeprefix("torch.")

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Decode a batch; see `Transcriber`."""
        return generate(self._model, self._front_end, clips)


def generate(model: Any, front_end: _whisper.FrontEnd, clips: Sequence[Clip]) -> list[Hypothesis]:
    """Decode a batch with anything that has transformers' ``generate`` (optimum's OpenVINO models do too)."""
    import torch

    found: dict[int, Hypothesis] = {}
    for indices in _whisper.by_known_language(clips):
        part = [clips[i] for i in indices]
        features = torch.from_numpy(front_end.features(part))
        with torch.inference_mode():
            ids = model.generate(features, **_whisper.generate_options(front_end, part))
        found.update(zip(indices, front_end.hypotheses(ids.tolist()), strict=True))
    return [found[i] for i in range(len(clips))]


def _check_generation(source: Path, directory: Path) -> None:
    """Refuse a checkpoint that does not say how to prompt it: every runtime would guess differently."""
    found = json.loads((directory / "generation_config.json").read_text(encoding="utf-8"))
    multilingual = found.get("is_multilingual")
    if multilingual is None or (multilingual and not (found.get("lang_to_id") and found.get("task_to_id"))):
        raise BuildError(
            f"{source / 'generation_config.json'} lacks is_multilingual, lang_to_id or task_to_id, so nothing says how "
            "to prompt this model; take the file from the checkpoint it was fine-tuned from"
        )


def _model_class() -> Any:
    return _lazy.require_attribute(
        "transformers", "WhisperForConditionalGeneration", extra="torch", purpose="run Whisper in PyTorch"
    )
