"""Models that were converted elsewhere, taken as they are: what is gated is what lies in the folder, or nothing is."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_whisperq.system.errors import BuildError, WhisperqError
from pytest_whisperq.system.files import sha256

if TYPE_CHECKING:
    from pytest_whisperq.backends import Backend


def take_ready_made(backend: "Backend", precision: str, directory: Path) -> list[str]:
    """Put the files of a precision in `Backend.ready_made` over what `Backend.build` wrote into ``directory``.

    Returns, in words, what its folder lacks and the checkpoint gave. Raises `BuildError` where it lacks any of the
    weights: those that were converted here would be judged in their place. Nothing is done for other precisions.
    """
    if precision not in backend.ready_made:
        return []
    folder = _folder(backend, precision)
    built = {path.relative_to(directory).as_posix() for path in _files(directory)}
    given = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    weights = {path.relative_to(directory).as_posix() for glob in backend.weights for path in directory.glob(glob)}
    stems = {name.rpartition(".")[0] for name in weights}  # the graph of an OpenVINO model lies beside its weights
    if lacking := sorted(name for name in built - given.keys() if name.rpartition(".")[0] in stems):
        names = {Path(name).name for name in lacking}
        deeper = sorted(str(path.parent) for path in given.values() if path.name in names)
        raise BuildError(
            f"the model in {folder} lacks {', '.join(lacking)}, and what was converted here would be judged instead",
            where=f"{backend.name}:{precision}",
            remedy=f"name {deeper[0]}" if deeper else "convert the whole model into that folder",
        )
    for name, path in given.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # it may be a link to a file of another model
        shutil.copyfile(path, target)
    others = sorted(built - given.keys())
    return [f"not in the folder of the model, and taken from the checkpoint: {', '.join(others)}"] if others else []


@contextmanager
def names_ready_made(backend: "Backend", precision: str) -> Iterator[None]:
    """Name the folder of a precision in `Backend.ready_made` in whatever is raised while the model is loaded."""
    folder = backend.ready_made.get(precision)
    if folder is None:
        yield
        return
    where = f"{backend.name}:{precision} of {folder}"
    try:
        yield
    except WhisperqError as error:
        raise error.within(where) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BuildError(
            f"the model cannot be loaded ({reason:.200})",
            where=where,
            remedy="its files are cut, or of two models: copy or convert all of them again",
        ) from error


def ready_made_digest(backend: "Backend", precision: str) -> str:
    """Return a digest over the files that a precision is taken from; empty for one that is built."""
    if precision not in backend.ready_made:
        return ""
    folder = _folder(backend, precision)
    stats = [(path, path.stat()) for path in _files(folder)]
    return _digest(folder, tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats))


@cache
def _digest(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    """Return a digest over files, read anew only when size or time of one changes: a run asks often."""
    listing = [(path.relative_to(folder).as_posix(), sha256(path)) for path, _, _ in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _folder(backend: "Backend", precision: str) -> Path:
    folder = Path(backend.ready_made[precision]).expanduser().resolve()
    if not folder.is_dir():
        raise BuildError(
            f"there is no folder {folder}",
            where=f"{backend.name}:{precision}",
            remedy="correct ready_made of the backend; a relative path begins where pytest was called",
        )
    return folder
