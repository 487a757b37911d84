"""What is in the cache directory, what of it is damaged, and what this environment can use no more.

The command ``whisperq cache`` prints what these functions return. Runs may build at the same time:
what vanishes while one looks is passed over, and nothing is removed that was not looked at again under its lock.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from pytest_whisperq.models.random_weights import made_here
from pytest_whisperq.models.store import SCHEMA, is_sound
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.files import BUILDING, cache_error
from pytest_whisperq.system.machine import versions

_DAY = 86_400.0
_UNFINISHED, _UNREADABLE = "unfinished build", "damaged entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A built model or a file of transcripts in the cache, or what is left of one.

    ``name`` is what was built of which model, ``problem`` says why this environment cannot use it (empty: it can),
    ``changed`` is when it last changed, in seconds since the epoch.
    """

    path: Path
    name: str
    size: int
    changed: float
    problem: str


def entries(root: Path, *, verify: bool = False) -> Iterator[Entry]:
    """Yield models, oldest first, then transcripts and random checkpoints; ``verify`` checks models' files.

    A model that is being built at this moment is left out.
    """
    layout = CacheLayout(root)
    for path in layout.entries():
        is_ours = layout.is_ours(path)
        if is_ours and path.name.startswith(BUILDING):
            with _unused(root, path) as free:
                entry = _look(root, path, verify=verify) if free else None
        else:
            entry = _look(root, path, verify=verify)
        if entry and (is_ours or entry.name not in (_UNFINISHED, _UNREADABLE)):
            yield entry


def prune(root: Path, *, older_than: float | None = None) -> Iterator[Entry]:
    """Remove, and yield, what this environment cannot use, and what is more than ``older_than`` days old."""
    for entry in entries(root, verify=True):
        if not _is_due(entry, older_than):
            continue
        with _unused(root, entry.path) as free:
            current = _look(root, entry.path, verify=True) if free else None  # it may have been built again meanwhile
            if current and _is_due(current, older_than):
                try:
                    _remove(current.path)
                except OSError as error:
                    raise cache_error(root, error) from error
                yield current


def _is_due(entry: Entry, older_than: float | None) -> bool:
    return bool(entry.problem) or (older_than is not None and time.time() - entry.changed > older_than * _DAY)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _unused(root: Path, path: Path) -> Iterator[bool]:
    """Hold the lock of an entry; False when a run holds it."""
    try:
        with CacheLayout(root).locked(path, timeout=0):
            yield True
    except Timeout:
        yield False


def _look(root: Path, path: Path, *, verify: bool) -> Entry | None:
    """Return what an entry is; None where it has vanished."""
    try:
        if path.suffix == ".jsonl":
            (name, problem), files = _inspect_transcripts(root, path), [path]
        else:
            is_random = CacheLayout(root).is_random(path)
            name, problem = _inspect_random(path) if is_random else _inspect_model(path)
            if verify and not problem and not is_random and not is_sound(path):
                problem = "damaged: a file does not have the digest it was published with"
            files = [file for file in path.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        return Entry(path=path, name=name, size=size, changed=path.stat().st_mtime, problem=problem)
    except FileNotFoundError:
        return None


def _inspect_random(path: Path) -> tuple[str, str]:
    """Return the name of a checkpoint of random weights and, unless a run would use it, the reason."""
    if path.name.startswith(BUILDING):
        return _UNFINISHED, "left behind by a build that was killed"
    name, here = f"random checkpoint {path.name}", made_here()
    if versions(("torch",))["torch"] == "absent":  # it may be used from another environment, whatever torch made it
        here = here.removeprefix("-absent")
    return name, "" if path.name.endswith(here) else "made by another version of torch or pytest-whisperq"


def _inspect_model(path: Path) -> tuple[str, str]:
    """Return a model's name and, unless a run could use it, the reason."""
    if path.name.startswith(BUILDING):
        return _UNFINISHED, "left behind by a build that was killed"
    try:
        record = json.loads((path / "artifact.json").read_text(encoding="utf-8"))
        name = f"{record['backend']}:{record['precision']} of {record['source']}"
        schema, built_with = record["schema"], dict(record["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        return _UNREADABLE, "damaged: its record cannot be read"
    here = versions(tuple(built_with))
    # What is not installed here may be used from another environment.
    changed = [
        f"{lib} {built_with[lib]} → {here[lib]}" for lib in built_with if here[lib] not in (built_with[lib], "absent")
    ]
    if schema != SCHEMA:
        return name, "built by another version of pytest-whisperq"
    return name, f"built with other libraries than are installed: {', '.join(changed)}" if changed else ""


def _inspect_transcripts(root: Path, path: Path) -> tuple[str, str]:
    """Return whose transcripts a file holds and, when that model is gone, the reason to let them go too."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    try:
        header = json.loads(first)
        name, artifact = f"transcripts of {header['model']}", str(header["artifact"])
    except (ValueError, KeyError, TypeError):
        return _UNREADABLE, "damaged: it does not say of which model these transcripts are"
    return name, "" if (CacheLayout(root).artifacts / artifact).is_dir() else "their model is no longer in the cache"
