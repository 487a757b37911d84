"""What is to be built: precision ids, candidates, and the identity of a source model."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_whisperq.backends import get_backend
from pytest_whisperq.models.kinds import kind_of
from pytest_whisperq.system import optional_imports, package_data
from pytest_whisperq.system.devices import CPU, on
from pytest_whisperq.system.errors import BuildError
from pytest_whisperq.system.files import first_line, sha256, user_path
from pytest_whisperq.system.hub import hub_remedy

RANDOM = "random:"
"""What the name of a checkpoint with random weights begins with."""


_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""Files of which a tokenizer can be read, either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """A full-precision Whisper checkpoint on disk: what the user typed, where it is, and which bytes it has.

    ``identity`` is a hub commit or a digest over the files that decide what the model says.
    """

    name: str
    directory: Path
    identity: str

    @property
    def is_random(self) -> bool:
        """Whether its weights are random ones, so that nothing it says means anything."""
        return self.name.startswith(RANDOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where a ready-made model lies: the name people know it by, and what is expected to execute.

    Where no precision was asked for (``is_asked``), the runtime decides what it makes of the stored one. ``identity``
    is a digest over its files.
    """

    name: str
    directory: Path
    executes: str
    is_asked: bool
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model to run, at a precision on a backend: built of a source, or made of it before and found in a folder.

    ``ignored`` are blocks that its build leaves in float32, see `MixesBlocks`. ``device`` is where it computes. Nothing
    that is built depends on that.
    """

    backend: str
    precision: str
    source: SourceModel
    folder: Folder | None = None
    ignored: tuple[str, ...] = ()
    device: str = CPU

    def __str__(self) -> str:
        folder = f"@{self.folder.name}" if self.folder else ""
        return f"{self.backend}:{self.precision}{folder}{without(self.ignored)}{on(self.device)}"

    @property
    def promised(self) -> str:
        """The compute type that its precision stands for."""
        return self.folder.executes if self.folder else get_backend(self.backend).precisions[self.precision]


def without(ignored: Sequence[str]) -> str:
    """Return what the name of a model ends in of which blocks are left in float32.

    >>> f"openvino:int8{without(['encoder.layers.3'])}"
    'openvino:int8 without encoder.layers.3'
    """
    return f" without {' '.join(ignored)}" if ignored else ""


def resolve_source(name: str, option: str = "--whisperq-model") -> SourceModel:
    """Find the checkpoint a user named: an embedded model, a directory, or a hub id (``OWNER/NAME[@REVISION]``).

    Raises `BuildError` naming ``option`` when there is no such model.
    """
    if name in package_data.MODELS:
        directory = package_data.model_directory(name)
        return SourceModel(name=name, directory=directory, identity=_content_digest(directory))
    path = user_path(name, option)
    if path.is_dir():
        return source_in(path, name, option)
    if path.exists():
        if kind := kind_of(path):
            raise BuildError(f"{name!r} is {kind.what}", where=option, remedy=kind.remedy)
        raise BuildError(
            f"{name!r} is a file, and a checkpoint is a directory", where=option, remedy=f"name {str(path.parent)!r}"
        )
    if is_hub_id(name):
        return _from_hub(name, option)
    raise BuildError(
        f"{name!r} is neither a directory, a hub id (OWNER/NAME) nor an embedded model "
        f"({', '.join(package_data.MODELS)})",
        where=option,
        remedy=f"random weights are {RANDOM}whisper-tiny and the like",
    )


def folder_of_checkpoint(name: str) -> Path | None:
    """Return where an embedded model or a directory lies that a user named; None for what is elsewhere, or nowhere."""
    path = package_data.model_directory(name) if name in package_data.MODELS else Path(name).expanduser()
    try:
        return path if (path / "config.json").is_file() else None
    except OSError:  # a name that no file can have: whoever reads the model says so
        return None


def source_in(directory: Path, name: str, option: str = "") -> SourceModel:
    """Return the checkpoint in a directory, under the name a user knows it by.

    Raises `BuildError` where it is none; ``option`` is what named it.
    """
    directory = directory.resolve()  # optimum-intel takes a relative path for a hub id
    _refuse_unusable(directory, str(directory), option)
    return SourceModel(name=name, directory=directory, identity=_content_digest(directory))


def is_hub_id(name: str) -> bool:
    """Whether a name may be one of the hub, ``OWNER/NAME``."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def download(name: str, option: str, patterns: Sequence[str]) -> Path:
    """Return the folder of a hub id, with its files of these patterns; raise `BuildError` naming ``option``."""
    purpose = "find a model on the hub"
    hub = optional_imports.require("huggingface_hub", extra="torch", purpose=purpose)
    repository, _, revision = name.partition("@")
    try:
        return Path(hub.snapshot_download(repository, revision=revision or None, allow_patterns=list(patterns)))
    except Exception as error:  # of the hub's library, or of what carries its requests, as a proxy that refuses them
        raise BuildError(
            f"no directory {name!r}, and the hub could not provide it: {first_line(error).rstrip('.')}",
            where=option,
            remedy=hub_remedy(error, repository),
        ) from error


def _from_hub(name: str, option: str) -> SourceModel:
    # Not the variants beside them (model.fp16.safetensors …), which nothing here reads.
    directory = download(name, option, ("*.json", "*.txt", "model.safetensors", "model-*.safetensors"))
    repository = name.partition("@")[0]
    _refuse_unusable(directory, repr(name), option)
    return SourceModel(name=name, directory=directory, identity=f"{repository}@{directory.name}")


def _refuse_unusable(directory: Path, name: str, option: str = "") -> None:
    """Raise `BuildError` for a folder from which nothing can be built, by what is missing or what it is instead."""
    if (directory / "scripted.json").is_file():
        return
    if kind := kind_of(directory):
        raise BuildError(f"{name} is {kind.what}", where=option, remedy=kind.remedy)
    if not (directory / "config.json").is_file():
        raise BuildError(
            f"{name} is not a model directory: it has no config.json",
            where=option,
            remedy="name one that holds a checkpoint",
        )
    if not any(directory.glob("*.safetensors")):  # other weights would not count in the digest
        raise BuildError(
            f"{name} has no safetensors weights",
            where=option,
            remedy="convert them first (pickled weights are refused)",
        )
    if not any(all((directory / file).is_file() for file in files) for files in _TOKENIZERS):
        raise BuildError(
            f"{name} has no tokenizer: neither {' nor '.join(' and '.join(files) for files in _TOKENIZERS)}",
            where=option,
            remedy="copy the files from the checkpoint that it was trained from",
        )


def _content_digest(directory: Path) -> str:
    """Return a digest of every file a conversion reads; a README or a licence does not change a model."""
    files = sorted(p for p in directory.iterdir() if p.is_file() and p.suffix in {".json", ".safetensors", ".txt"})
    listing = [(p.name, sha256(p)) for p in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
