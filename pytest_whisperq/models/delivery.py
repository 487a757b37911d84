"""A built model on its way to another machine: found there under the same path, or handed over in pieces.

What arrives becomes an entry of that machine's cache like any other, under a key that digests its files, so that it is
listed, verified and pruned as they are (`system.cache_layout`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_whisperq.models.store import Artifact, is_sound
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.files import publish_folder, replace_text, sha256, to_disk
from pytest_whisperq.system.sealed import seal

PIECE = 64 * 2**20
"""So many bytes of a file are handed over at once."""


def pieces_of(artifact: Artifact, record: Mapping[str, Any]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield every file of a model by name, and its bytes in pieces; ``record`` is that of `ArtifactStore.record`."""
    for name in record["files"]:
        yield name, _pieces(artifact.directory / name)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def is_there(directory: Path, record: Mapping[str, Any]) -> bool:
    """Whether a folder of this machine holds every file of a model, each with the digest in its record."""
    try:
        return all(
            (directory / name).stat().st_size == size and sha256(directory / name) == digest
            for name, (size, digest) in record["files"].items()
        )
    except OSError:
        return False


def received(root: Path, record: Mapping[str, Any]) -> Path | None:
    """Return the folder of a model that was received into a cache before; None for one that was not, or is damaged."""
    entry = CacheLayout(root).artifacts / _key(record)
    return entry / "model" if (entry / "artifact.json").is_file() and is_sound(entry) else None


def receive(root: Path, record: Mapping[str, Any], files: Iterable[tuple[str, Iterable[bytes]]]) -> Path:
    """Write the files of a model into a cache, whole or not at all, and return their folder.

    Processes that receive the same model at the same time write it once. Raises `StoreError` where the cache cannot be
    written, for a name that leads out of the folder, and for bytes that are not those of the record.
    """
    layout, key = CacheLayout(root), _key(record)
    for name in record["files"]:
        _refuse_outside(name)
    with layout.locked(layout.artifacts / key):
        if there := received(root, record):
            return there
        with publish_folder(layout.artifacts / key, is_locked=True) as aside:
            for name, pieces in files:
                if name in record["files"]:
                    _write(aside / "model" / name, pieces)
            if not is_there(aside / "model", record):
                raise StoreError(
                    "a model that was sent here arrived damaged", where=str(layout.artifacts / key), remedy="run again"
                )
            replace_text(aside / "artifact.json", seal(record, key))
    return layout.artifacts / key / "model"


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    to_disk(path)


def _refuse_outside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise StoreError(
            f"a model that was sent here has a file {name!r}, which leads out of its folder",
            remedy="trust whoever sends models to this machine, or leave the cluster",
        )


def _key(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(["received", record["files"]], sort_keys=True).encode()).hexdigest()[:32]
