"""``inspect``: what a folder is that is taken for a model, what it runs as here, and what it lacks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import ReadyMade, check_installed, get_backend, runners
from pytest_whisperq.commands import add, say
from pytest_whisperq.models.kinds import kind_of
from pytest_whisperq.models.source import resolve_source
from pytest_whisperq.system.errors import BuildError, MissingDependency

_SIZES = {
    "d_model": "width {}",
    "encoder_layers": "{} encoder layers",
    "decoder_layers": "{} decoder layers",
    "num_mel_bins": "{} mel bands",
    "vocab_size": "{} tokens",
}


def register(commands: Any) -> None:
    """Add the command."""
    text = "say what a folder is (a checkpoint, a converted model, an adapter …), what it runs as here, what it lacks"
    parser = add(commands, "inspect", text, _run)
    parser.add_argument("path", metavar="DIR", type=Path, help="a folder, or a file of weights")


def _run(options: argparse.Namespace) -> int:
    for line in inspect(options.path):
        say(line)
    return 0


def inspect(path: Path) -> Iterator[str]:
    """Yield what a file or folder is, a line each; raise `BuildError` for what is nothing that a gate can have."""
    if not path.exists():
        raise BuildError("is not there", where=str(path), remedy="correct the name")
    models = list(runners(path))
    for name, found in models:
        yield from _ready_made(path, name, found)
    if models and not (path / "model.safetensors").is_file():
        return
    if kind := kind_of(path):
        yield f"{path}: {kind.what}"
        yield f"  {kind.remedy}"
        return
    source = resolve_source(str(path), "whisperq inspect")
    config = json.loads((source.directory / "config.json").read_text(encoding="utf-8"))
    yield f"{path}: a checkpoint{_sizes(config)}"
    yield f"  gate what is built of it: pytest --whisperq-backend openvino --whisperq-model {path}"


def _ready_made(path: Path, name: str, found: ReadyMade) -> Iterator[str]:
    size = sum((found.directory / file).stat().st_size for file in found.files)
    yield f"{path}: a model that {name} runs, stored in {found.stored}, {size / 1e6:.1f} MB{_sizes(found.sizes)}"
    backend = get_backend(name)
    try:
        check_installed(backend)
    except MissingDependency as error:
        yield f"  {error}"
    else:
        unfit = backend.falls_back()
        runs = [one for one in found.precisions if one not in unfit]
        not_here = [one for one in found.precisions if one in unfit]
        told = [f"{one} ({found.precisions[one]})" for one in runs]
        yield f"  runs here as {', '.join(told) or 'nothing'}" + (f"; not as {', '.join(not_here)}" if not_here else "")
        if found.stored in unfit:
            other = f", unless another precision is named: {name}:{runs[0]}@{path}" if runs else ""
            yield f"  {unfit[found.stored]}: it falls back{other}"
    if found.lacks:
        yield f"  lacks {', '.join(found.lacks)}: the checkpoint lends them, and the report says so"
    yield f"  gate it: pytest --whisperq-candidate {name}@{path} --whisperq-model THE_CHECKPOINT_IT_WAS_MADE_OF"


def _sizes(sizes: Any) -> str:
    told = [text.format(sizes[name]) for name, text in _SIZES.items() if isinstance(sizes.get(name), int)]
    return f"; {', '.join(told)}" if told else ""
