"""The store of built models: content-addressed, built once, published whole or not at all.

``artifacts/KEY/model/`` holds the files, ``artifacts/KEY/artifact.json`` what they are, in one sealed line
(`system.cache_layout`). A build that is killed at any moment leaves nothing that looks finished. Of a ready-made model
the entry holds links to the files in its folder. Of a model that was built elsewhere, for a shard of a run, there may
be the record alone: it is built when somebody needs its files.
"""

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import (
    Backend,
    Calibration,
    MixesBlocks,
    _whisper,
    check_installed,
    code_digest,
    distributions,
    get_backend,
    refusal,
)
from pytest_whisperq.models.ready_made import take
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.errors import BuildError, StoreError, WhisperqError
from pytest_whisperq.system.files import cache_error, publish_folder, remove, replace_text, sha256, to_disk
from pytest_whisperq.system.machine import cpu_features, peak_memory, reset_peak_memory, versions
from pytest_whisperq.system.sealed import seal, unseal

SCHEMA = 7
"""Raised when the layout or the way of building changes, which retires every older entry."""

_ENOUGH_BYTES = 16 * 2**20  # less free space than this, and a failed build is a full disk whatever the library says


ELSEWHERE = "elsewhere"
"""The field of a record that says that the model was built on another machine."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A built model. ``identity`` digests the weights, ``size`` counts all bytes, ``calibration`` says what it saw.

    ``build_memory`` is the peak resident memory of the building process in bytes, None where the system hides it. A
    ready-made model has neither that nor ``build_seconds``.
    ``notes`` are what its build and that of its base had to say, see `Backend.build`.
    """

    spec: ModelSpec
    key: str
    directory: Path
    identity: str
    size: int
    build_seconds: float | None
    build_memory: int | None = None
    calibration: str = ""
    notes: tuple[str, ...] = ()
    is_elsewhere: bool = False
    """Whether there are no files of it here, but only the record of another machine."""


class ArtifactStore:
    """Builds models into a cache directory and finds them again.

    ``on_repair`` is told in a sentence what was damaged and is built again.
    """

    def __init__(
        self,
        root: Path,
        on_build: Callable[[ModelSpec], None],
        on_repair: Callable[[str], None],
        calibration: Callable[[], Calibration] | None = None,
    ) -> None:
        self._layout = CacheLayout(root)
        self._on_build = on_build
        self._on_repair = on_repair
        self._calibrate = calibration

    def key(self, spec: ModelSpec) -> str:
        """Return the address of a model: all that decides its bytes, down to library versions and its base.

        And to the processor: what calibration hears, and how weights are rounded, is up to its kernels.
        """
        backend = get_backend(spec.backend)
        base = self._base(backend, spec)
        calibration = self._calibration(backend, spec)
        recipe = {
            "schema": SCHEMA,
            "source": spec.source.identity,
            "backend": spec.backend,
            "precision": spec.precision,
            "ignored": spec.ignored,
            "calibration": calibration.identity if calibration else None,
            "measure": calibration.measure.identity if calibration and calibration.measure else None,
            "versions": versions(distributions(backend, spec.precision)),
            "cpu": cpu_features(),
            "code": code_digest(backend),
            "ready_made": spec.folder.identity if spec.folder else "",
            "base": self.key(base) if base else None,
        }
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]

    def get(self, spec: ModelSpec) -> Artifact:
        """Return the built model, building it (and what it is built from) first if need be.

        Processes that ask at the same time build once. Raises `BuildError`, `MissingDependency` or `StoreError`.
        """
        key = self.key(spec)
        if (artifact := self._read(spec, key)) and not artifact.is_elsewhere:
            return artifact
        backend = get_backend(spec.backend)
        check_installed(backend, spec.precision)
        refuse_unfit(spec)
        of_base = self._base(backend, spec)
        base = self.intact(of_base) if of_base else None
        with self._layout.locked(self._layout.artifacts / key):
            found = self._read(spec, key)
            return self._build(backend, spec, key, base) if found is None or found.is_elsewhere else found

    def built(self, spec: ModelSpec) -> Artifact | None:
        """Return the model if it has been built already, here or elsewhere."""
        return self._read(spec, self.key(spec))

    def record(self, artifact: Artifact) -> Mapping[str, Any]:
        """Return what the cache knows of a built model; raise `StoreError` for a record that is damaged, or gone."""
        return _sound_record(artifact)

    def borrow(self, spec: ModelSpec, record: Mapping[str, Any]) -> None:
        """Know a model by the record of another machine, which built it; a model that is here already stays."""
        key = self.key(spec)
        entry = self._layout.artifacts / key
        with self._layout.locked(entry):
            if self._read(spec, key) is None:
                with publish_folder(entry, is_locked=True) as aside:
                    replace_text(aside / "artifact.json", seal({**record, ELSEWHERE: True}, key))

    def intact(self, spec: ModelSpec) -> Artifact:
        """Return a model as `get` does, every file checked against the digest it was published with.

        A damaged entry is removed and built again; nothing runs, or is built from, weights that have rotted.
        """
        artifact = self.get(spec)
        self.discard_damaged(artifact)
        return self.get(spec)

    def discard_damaged(self, artifact: Artifact) -> bool:
        """Remove a model whose files are not those it was published with, and say whether it had to be.

        Raises `StoreError` where it cannot be removed: nobody may take it for sound.
        """
        entry = self._layout.artifacts / artifact.key
        with self._layout.locked(entry):
            if is_sound(entry):
                return False
            self._on_repair(f"{artifact.spec} in the cache: its files are damaged; built again")
            remove(entry)  # within `locked`, which turns an `OSError` into one of ours
        return True

    def lineage(self, spec: ModelSpec) -> list[ModelSpec]:
        """Return a model and all that it is built from, one from the other."""
        base = self._base(get_backend(spec.backend), spec)
        return [spec, *(self.lineage(base) if base else [])]

    def _base(self, backend: Backend, spec: ModelSpec) -> ModelSpec | None:
        base = None if spec.folder else backend.base(spec.precision)
        return ModelSpec(backend=base[0], precision=base[1], source=spec.source) if base else None

    def _calibration(self, backend: Backend, spec: ModelSpec) -> Calibration | None:
        if spec.folder or spec.precision not in backend.calibrated:
            return None
        if self._calibrate is None:
            raise BuildError("needs a calibration set", where=str(spec), remedy="name one with --whisperq-calibration")
        calibration = self._calibrate()
        return calibration if spec.precision in backend.controlled else replace(calibration, measure=None)

    def _read(self, spec: ModelSpec, key: str) -> Artifact | None:
        entry = self._layout.artifacts / key
        record = record_of(entry)
        if record is None:  # absent, or damaged: build it again
            return None
        sizes = {name: size for name, (size, _) in record["files"].items()}
        is_elsewhere = bool(record.get(ELSEWHERE))
        try:
            if not is_elsewhere and any(
                (entry / "model" / name).stat().st_size != size for name, size in sizes.items()
            ):
                return None
        except OSError:
            return None
        return Artifact(
            spec=spec,
            key=key,
            directory=entry / "model",
            identity=record["identity"],
            size=sum(sizes.values()),
            build_seconds=record["build_seconds"],
            build_memory=record["build_memory"],
            calibration=record["calibration"],
            notes=tuple(record["notes"]),
            is_elsewhere=is_elsewhere,
        )

    def _build(self, backend: Backend, spec: ModelSpec, key: str, base: Artifact | None) -> Artifact:
        if not spec.folder:
            self._on_build(spec)
        entry = self._layout.artifacts / key
        if entry.exists() and not (record_of(entry) or {}).get(ELSEWHERE):  # and could not be read
            self._on_repair(f"{spec} in the cache: its record or a file of it is damaged; built again")
        with publish_folder(entry, is_locked=True) as aside:
            (aside / "model").mkdir()
            calibration = self._calibration(backend, spec)
            source = base.directory if base else spec.source.directory
            is_measured, begin = reset_peak_memory(), time.perf_counter()
            notes = self._run(backend, spec, source, aside / "model", calibration)
            figures = {
                "build_seconds": None if spec.folder else round(time.perf_counter() - begin, 6),
                "build_memory": peak_memory() if is_measured and not spec.folder else None,
                "calibration": calibration.summary if calibration else "",
                "notes": [*(base.notes if base else ()), *notes],
            }
            record = {**_record(backend, spec, aside / "model"), **figures}
            replace_text(aside / "artifact.json", seal(record, key))
        built = self._read(spec, key)
        if built is None:
            raise BuildError(
                f"the finished build in {entry} cannot be read back", where=str(spec), remedy="delete it and retry"
            )
        return built

    def _run(
        self, backend: Backend, spec: ModelSpec, source: Path, directory: Path, calibration: Calibration | None
    ) -> Sequence[str]:
        try:
            with _whisper.quiet_libraries():
                if spec.folder:
                    return take(spec, spec.folder, directory)
                if spec.ignored and isinstance(backend, MixesBlocks):
                    notes = backend.build_without(spec.ignored, spec.precision, source, directory, calibration)
                    notes = [f"left in float32 by --whisperq-ignored-blocks: {', '.join(spec.ignored)}", *(notes or ())]
                else:
                    notes = backend.build(spec.precision, source, directory, calibration)
        except WhisperqError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise cache_error(self._layout.root, error) from error
            if shutil.disk_usage(directory).free < _ENOUGH_BYTES:
                raise cache_error(self._layout.root, OSError(errno.ENOSPC, "No space left on device")) from error
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BuildError(f"building it from {spec.source.name} failed: {reason}", where=str(spec)) from error
        if notes is None:
            return []
        if not isinstance(notes, list | tuple) or not all(isinstance(note, str) for note in notes):
            raise BuildError(
                f"what build returns must be a list of sentences, or None (got {notes!r:.80})",
                where=str(spec),
                remedy=f"mend the backend {spec.backend!r}",
            )
        return notes


def refuse_unfit(spec: ModelSpec) -> None:
    """Raise `BuildError` for a checkpoint that its backend cannot be built of, before anything is."""
    reason = "" if spec.folder else refusal(get_backend(spec.backend), spec.source.directory)
    if reason:
        raise BuildError(reason, where=str(spec), remedy="gate another backend, or another checkpoint")


def record_of(entry: Path) -> Mapping[str, Any] | None:
    """Return the record of a published entry; None where there is none that is as it was written."""
    try:
        lines = unseal((entry / "artifact.json").read_bytes(), entry.name)
    except OSError:
        return None
    return lines.records[0] if len(lines.records) == 1 and not lines.damaged else None


def digests_of(artifact: Artifact) -> dict[str, str]:
    """Return the digest of every file of a model as it was published, by name; raise `StoreError` without a record."""
    return {name: digest for name, (_, digest) in _sound_record(artifact)["files"].items()}


def _sound_record(artifact: Artifact) -> Mapping[str, Any]:
    entry = artifact.directory.parent
    record = record_of(entry)
    if record is None:
        raise StoreError("the record of a model is damaged, or gone", where=str(entry), remedy="run again")
    return record


def is_sound(entry: Path) -> bool:
    """Whether every file of a published entry has the digest in its record; one without files is as sound as that."""
    record = record_of(entry)
    if record is not None and record.get(ELSEWHERE):
        return True
    try:
        return record is not None and all(
            sha256(entry / "model" / name) == digest for name, (_, digest) in record["files"].items()
        )
    except OSError:
        return False


def _record(backend: Backend, spec: ModelSpec, directory: Path) -> dict[str, Any]:
    """Digest a finished build, and get every byte of it to disk before it is published."""
    files = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        to_disk(path)
        files[path.relative_to(directory).as_posix()] = (path.stat().st_size, sha256(path))
    weights = sorted(
        p.relative_to(directory).as_posix() for pattern in backend.weights for p in directory.glob(pattern)
    )
    if not weights:
        raise BuildError(
            f"building it wrote no weights ({', '.join(backend.weights)})",
            where=str(spec),
            remedy=f"mend the backend {spec.backend!r}",
        )
    identity = hashlib.sha256(json.dumps([(name, files[name][1]) for name in weights]).encode()).hexdigest()
    return {
        "schema": SCHEMA,
        "backend": spec.backend,
        "precision": spec.precision,
        "ignored": list(spec.ignored),
        "folder": spec.folder.name if spec.folder else "",
        "source": spec.source.name,
        "source_identity": spec.source.identity,
        "versions": versions(distributions(backend, spec.precision)),
        "cpu": cpu_features(),
        "identity": identity,
        "files": files,
    }
