"""What is in the cache directory, what of it is damaged, and what no run can use any more.

The command ``python -m pytest_whisperq cache`` prints what these functions return.
"""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from pytest_whisperq._files import cache_error
from pytest_whisperq.artifacts import SCHEMA, is_sound
from pytest_whisperq.environment import versions

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A built model in the cache, or what is left of one.

    ``name`` is what was built of which model, ``problem`` says why no run can use it (empty: it can), ``built`` is in
    seconds since the epoch.
    """

    path: Path
    name: str
    size: int
    built: float
    problem: str


def entries(root: Path, *, verify: bool = False) -> Iterator[Entry]:
    """Yield every entry of the cache in ``root``, oldest first; ``verify`` checks all files against their digests."""
    folder = root / "artifacts"
    try:
        paths = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda path: path.stat().st_mtime)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cache_error(root, error) from error
    for path in paths:
        name, problem = _inspect(path)
        if verify and not problem and not is_sound(path):
            problem = "damaged: a file does not have the digest it was published with"
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        yield Entry(path=path, name=name, size=size, built=path.stat().st_mtime, problem=problem)


def prune(root: Path, *, older_than: float | None = None) -> Iterator[Entry]:
    """Remove, and yield, what no run can use, and what was built more than ``older_than`` days ago.

    An entry that is being built at this moment stays: its lock is held.
    """
    for entry in entries(root, verify=True):
        old = older_than is not None and time.time() - entry.built > older_than * _DAY
        if not (entry.problem or old):
            continue
        key = entry.path.name.removeprefix(".build-").partition("-")[0]
        lock = FileLock(root / "locks" / f"{key}.lock", timeout=0)
        try:
            (root / "locks").mkdir(exist_ok=True)
            with lock:
                shutil.rmtree(entry.path)
        except TimeoutError:
            continue
        except OSError as error:
            raise cache_error(root, error) from error
        yield entry


def _inspect(path: Path) -> tuple[str, str]:
    """Return an entry's name and, unless a run could use it, the reason."""
    if path.name.startswith(".build-"):
        return "unfinished build", "left behind by a build that was killed"
    try:
        record = json.loads((path / "artifact.json").read_text(encoding="utf-8"))
        name = f"{record['backend']}:{record['precision']} of {record['source']}"
        schema, built_with = record["schema"], dict(record["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged entry", "damaged: its record cannot be read"
    installed = versions(tuple(built_with))
    changed = [f"{lib} {built_with[lib]} → {installed[lib]}" for lib in built_with if built_with[lib] != installed[lib]]
    if schema != SCHEMA:
        return name, "built by another version of pytest-whisperq"
    return name, f"built with other libraries than are installed: {', '.join(changed)}" if changed else ""
