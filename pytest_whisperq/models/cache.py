"""What is in the cache directory, what of it is damaged, and what this environment can use no more.

The command ``whisperq cache`` prints what these functions return. Runs may build at the same time:
what vanishes while one looks is passed over, and nothing is removed that was not looked at again under its lock.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import Timeout

from pytest_whisperq.models.random_weights import made_here
from pytest_whisperq.models.store import SCHEMA, is_sound, record_of
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.files import BUILDING, cache_error, remove
from pytest_whisperq.system.machine import versions
from pytest_whisperq.system.sealed import read_sealed

_DAY = 86_400.0
_UNFINISHED, _UNREADABLE = "unfinished entry", "damaged entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A built model or a file of transcripts in the cache, or what is left of one.

    ``name`` is what was built of which model, ``problem`` says why this environment cannot use it (empty: it can),
    ``is_damaged`` that this is because bytes are not what was written, ``changed`` is when it last changed, in seconds
    since the epoch.
    """

    path: Path
    name: str
    size: int
    changed: float
    problem: str
    is_damaged: bool


def entries(root: Path, *, verify: bool = False) -> Iterator[Entry]:
    """Yield models, transcripts, random checkpoints and the audio index; ``verify`` checks models' files.

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
                    remove(current.path)
                except OSError as error:
                    raise cache_error(root, error) from error
                yield current


def _is_due(entry: Entry, older_than: float | None) -> bool:
    return bool(entry.problem) or (older_than is not None and time.time() - entry.changed > older_than * _DAY)


@contextmanager
def _unused(root: Path, path: Path) -> Iterator[bool]:
    """Hold the locks of an entry; False when a run holds one."""
    try:
        with CacheLayout(root).unused(path):
            yield True
    except Timeout:
        yield False


class _State(NamedTuple):
    name: str
    problem: str = ""
    is_damaged: bool = False


def _look(root: Path, path: Path, *, verify: bool) -> Entry | None:
    """Return what an entry is; None where it has vanished."""
    layout = CacheLayout(root)
    try:
        if path == layout.audio_index:
            state = _inspect_index(path, "audio index")
        elif path == layout.audio_files:
            state = _inspect_index(path, "digests of audio files")
        elif layout.is_places(path):
            state = _inspect_places(layout, path)
        elif path.suffix == ".jsonl":
            state = _inspect_transcripts(layout, path)
        elif layout.is_random(path):
            state = _inspect_random(path)
        else:
            state = _inspect_model(path)
            if verify and not state.problem and not is_sound(path):
                is_linked = any(file.is_symlink() for file in path.glob("model/*"))
                moved = "the folder it links to has changed, or is gone"
                damage = "damaged: a file does not have the digest it was published with"
                state = state._replace(problem=moved if is_linked else damage, is_damaged=not is_linked)
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        size = sum(file.lstat().st_size for file in files)  # what a link leads to lies elsewhere
        return Entry(path=path, size=size, changed=path.stat().st_mtime, **state._asdict())
    except FileNotFoundError:
        return None


def _inspect_random(path: Path) -> _State:
    """Return the name of a checkpoint of random weights and, unless a run would use it, the reason."""
    if path.name.startswith(BUILDING):
        return _State(_UNFINISHED, "left behind by a build that was killed")
    name, here = f"random checkpoint {path.name}", made_here()
    if versions(("torch",))["torch"] == "absent":  # it may be used from another environment, whatever torch made it
        here = here.removeprefix("-absent")
    is_ours = path.name.endswith(here)
    return _State(name, "" if is_ours else "made by another version of torch or pytest-whisperq")


def _inspect_model(path: Path) -> _State:
    """Return a model's name and, unless a run could use it, the reason."""
    if path.name.startswith(BUILDING):
        return _State(_UNFINISHED, "left behind by a build that was killed")
    record = record_of(path)
    if record is None:
        return _State(_UNREADABLE, "damaged: its record cannot be read", is_damaged=True)
    folder = f"@{record['folder']}" if record.get("folder") else ""
    name = f"{record.get('backend')}:{record.get('precision')}{folder} of {record.get('source')}"
    if record.get("schema") != SCHEMA:
        return _State(name, "built by another version of pytest-whisperq")
    built_with = record["versions"]
    here = versions(tuple(built_with))
    # What is not installed here may be used from another environment.
    changed = [
        f"{lib} {built_with[lib]} → {here[lib]}" for lib in built_with if here[lib] not in (built_with[lib], "absent")
    ]
    return _State(name, f"built with other libraries than are installed: {', '.join(changed)}" if changed else "")


def _inspect_transcripts(layout: CacheLayout, path: Path) -> _State:
    """Return whose transcripts a file holds and, when any is damaged or that model is gone, the reason to let it go.

    A last line without its end is being written, or was when a run was killed: the next one writes it again.
    """
    lines = read_sealed(path)
    if not lines.records and not lines.damaged:
        return _State(_UNFINISHED, "left behind by a run that was killed before it decoded anything")
    header = lines.records[0] if lines.records else {}
    if "model" not in header:
        return _State(_UNREADABLE, "damaged: it does not say of which model these transcripts are", is_damaged=True)
    name = f"transcripts of {header['model']}"
    if lines.damaged:
        return _State(name, f"damaged: {lines.damage}; the next run decodes them again", is_damaged=True)
    is_used = (layout.artifacts / header["artifact"]).is_dir()
    return _State(name, "" if is_used else "their model is no longer in the cache")


def _inspect_places(layout: CacheLayout, path: Path) -> _State:
    """Return what places are of, and the reason to let them go where that is gone or nobody could find a clip."""
    if not read_sealed(path).records:
        return _State(_UNREADABLE, "damaged: the next run reads all transcripts instead", is_damaged=True)
    is_used = layout.transcript_file(path.stem).exists()
    return _State(f"places in {path.stem}", "" if is_used else "their transcripts are no longer in the cache")


def _inspect_index(path: Path, name: str) -> _State:
    """Return the ``name`` of an index and, where it is damaged, how much of it is."""
    lines = read_sealed(path)
    if not lines.records and (lines.damaged or lines.is_cut):
        return _State(_UNREADABLE, "damaged: no line of it is sound", is_damaged=True)
    damage = f"damaged: {lines.damage}; the next run reads those recordings again" if lines.damaged else ""
    return _State(name, damage, is_damaged=bool(damage))
