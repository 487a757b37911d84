"""Models that somebody else has converted: found in a folder or on the hub, and taken as they lie there.

What is gated is linked into the cache, never converted or copied. Only small files that the folder lacks are lent by
the checkpoint, and named.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pytest_whisperq.backends import Backend, ReadyMade, RunsFiles, RunsReadyMade, _whisper, get_backend, names, runners
from pytest_whisperq.models.source import Folder, ModelSpec, download, is_hub_id
from pytest_whisperq.system.errors import BuildError, ConfigError, WhisperqError
from pytest_whisperq.system.files import link, sha256, user_path


def find(backend: Backend, location: str, option: str) -> ReadyMade:
    """Return the model of a backend that lies at a location, a folder or a hub id (``OWNER/NAME[@REVISION]``).

    For a backend whose models are files (`RunsFiles`) that may be a file, and on the hub it is (``OWNER/NAME/FILE``).

    Raises `ConfigError` or `BuildError` naming ``option`` where there is none that the backend runs.
    """
    if not isinstance(backend, RunsReadyMade):
        able = [name for name in names() if isinstance(get_backend(name), RunsReadyMade)]
        raise ConfigError(
            f"{backend.name} takes no model from a folder", where=option, remedy=f"those that do: {', '.join(able)}"
        )
    path = _locate(backend, location, option)
    try:
        found = backend.look(path)
    except WhisperqError as error:
        raise error.within(option) from error
    if found is None:
        others = [f"gate it as {name}@{location}" for name, _ in runners(path)]
        raise BuildError(
            f"{location} holds no model that {backend.name} runs",
            where=option,
            remedy=next(iter(others), f"whisperq inspect {location} says what it holds"),
        )
    return found


def name_of(location: str) -> str:
    """Return what to call the model at a location: the last part of it.

    >>> name_of("converted/calls-v3/"), name_of("Systran/faster-whisper-base")
    ('calls-v3', 'faster-whisper-base')
    """
    return Path(os.path.abspath(location)).name  # a link has its own name


def folder_of(backend: Backend, precision: str, location: str, option: str, *, is_asked: bool = True) -> Folder:
    """Return where the model at a location lies, with the digest of its files as they are now."""
    found = find(backend, location, option)
    return Folder(
        name=name_of(location),
        directory=_place(backend, found),
        executes=found.precisions[precision],
        is_asked=is_asked,
        identity=_identity(found),
    )


def take(spec: ModelSpec, folder: Folder, directory: Path) -> list[str]:
    """Link the files of a ready-made model into ``directory``, and lend what it lacks.

    Returns, in words, what was lent. Raises `BuildError` for a folder that has changed, and for a checkpoint that is
    none that the model was made of: what it lent would change what is heard, and the comparison would mean nothing.
    """
    backend = get_backend(spec.backend)
    found = backend.look(folder.directory) if isinstance(backend, RunsReadyMade) else None
    if found is None or _identity(found) != folder.identity:
        raise BuildError(f"{folder.directory} has changed since the run began", where=str(spec), remedy="run again")
    _refuse_other_checkpoint(spec, found)
    for name in found.files:
        link(found.directory / name, directory / name)
    if lent := _whisper.lend_front_end(spec.source.directory, directory, found.lacks):
        return [f"not in {folder.name}, and taken from the checkpoint (--whisperq-model): {', '.join(lent)}"]
    return []


def _refuse_other_checkpoint(spec: ModelSpec, found: ReadyMade) -> None:
    path = spec.source.directory / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if other := [
        f"{name} {size} for {config[name]}"
        for name, size in found.sizes.items()
        if isinstance(config.get(name), int) and config[name] != size
    ]:
        raise BuildError(
            f"it was not made of {spec.source.name}: {', '.join(other)}",
            where=str(spec),
            remedy="name the checkpoint that it was made of with --whisperq-model, and another one to compare it with, "
            "if that is meant, with --whisperq-baseline",
        )


@contextmanager
def names_folder(folder: Folder | None) -> Iterator[None]:
    """Name the folder of a ready-made model in whatever is raised while it is loaded."""
    if folder is None:
        yield
        return
    where = str(folder.directory)
    try:
        yield
    except WhisperqError as error:
        raise error.within(where) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BuildError(
            f"the model cannot be loaded ({reason:.200})",
            where=where,
            remedy="copy or convert all of its files again, unless that says what else to do",
        ) from error


def _place(backend: Backend, found: ReadyMade) -> Path:
    return found.directory / found.files[0] if isinstance(backend, RunsFiles) else found.directory


def _identity(found: ReadyMade) -> str:
    stats = [(name, (found.directory / name).stat()) for name in found.files]
    return _digest(found.directory, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


@cache
def _digest(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    """Return a digest over files, read anew only when size or time of one changes: a run asks often."""
    listing = [(name, sha256(folder / name)) for name, _, _ in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _locate(backend: Backend, location: str, option: str) -> Path:
    path = user_path(location, option)
    if path.is_dir() or (path.is_file() and isinstance(backend, RunsFiles)):
        return Path(os.path.abspath(path))
    if path.exists():
        raise BuildError(f"{location} is a file", where=option, remedy=f"name its folder, {path.parent}")
    if isinstance(backend, RunsFiles):
        owner, _, file = location.rpartition("/")
        if is_hub_id(owner):
            return download(owner, option, (file,)) / file
        raise BuildError(
            f"{location!r} is neither a file, a folder nor a file on the hub (OWNER/NAME/FILE)",
            where=option,
            remedy="correct what follows the @",
        )
    if is_hub_id(location):
        return download(location, option, ("*.json", "*.txt", "*.xml", *backend.weights))
    raise BuildError(
        f"{location!r} is neither a folder nor a hub id (OWNER/NAME)", where=option, remedy="correct what follows the @"
    )
