"""Where everything in the cache directory lies, under which names and locks.

::

    artifacts/KEY/                a built model: model/ and artifact.json
    transcripts/KEY.jsonl         what a model said, one line a clip
    places/KEY.jsonl              where in a large one of these each clip is
    random/NAME/                  a checkpoint of random weights
    audio-index.jsonl             digests and durations of recordings, one line each
    audio-files.jsonl             digests of the bytes of recordings, by path, size and times
    locks/KEY.lock                held while an artifact or a checkpoint is made
    locks/KEY.transcripts.lock    held while transcripts are added
    locks/KEY.decoding.lock       claims of clips that a model decodes at this moment
    locks/audio-index.lock        held while recordings are added; audio-files.lock

Every line of text that is read back is sealed (`system.sealed`): transcripts, recordings, ``artifact.json``.

What is being made lies beside its place, as ``.build-NAME-…`` (`files.publish_folder`).
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from pytest_whisperq.system.claims import Claims, claims, nobody_claims
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.files import BUILDING, cache_error

_MADE = {
    "artifacts": re.compile(r"[0-9a-f]{32}|\.build-[0-9a-f]{32}-\w+"),
    "transcripts": re.compile(r"[0-9a-f]{32}\.jsonl"),
    "places": re.compile(r"[0-9a-f]{32}\.jsonl"),
    "random": re.compile(r"(\.build-)?(whisper|distil)-[\w.-]+-\d+\.\d+[^-]*-\d+-\d+(-\w+)?"),
}
"""How what we make is called, by folder: any directory may be named as a cache, and others have such folders too.

What bears such a name, and does not say itself what it is, is ours if the lock that we made for it is there.
"""


_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""What a file system answers that keeps no locks, as a network's may."""


def default_root() -> Path:
    """Return the platform's cache directory, where nobody has named another one."""
    from platformdirs import user_cache_path

    return user_cache_path("pytest-whisperq", appauthor=False)


def places_of(transcripts: Path) -> Path:
    """Return the file that says where in a file of transcripts each clip is."""
    return transcripts.parents[1] / "places" / transcripts.name


class CacheLayout:
    """The names and locks of one cache directory, ``root``; nothing is made before something is locked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"
        self.transcripts = root / "transcripts"
        self.random = root / "random"
        self.locks = root / "locks"
        self.audio_index = root / "audio-index.jsonl"
        self.audio_files = root / "audio-files.jsonl"

    def transcript_file(self, key: str) -> Path:
        """Return the file of the transcripts with that key."""
        return self.transcripts / f"{key}.jsonl"

    def is_places(self, entry: Path) -> bool:
        """Whether an entry says where in a file of transcripts each clip is."""
        return entry.parent == self.root / "places"

    def is_random(self, entry: Path) -> bool:
        """Whether an entry is a checkpoint of random weights, or what is left of one."""
        return entry.parent == self.random

    def lock_of(self, entry: Path) -> Path:
        """Return the lock under which an entry is written."""
        if entry in (self.audio_index, self.audio_files):
            return self.locks / f"{entry.stem}.lock"
        stem = entry.name.removeprefix(BUILDING)
        if not self.is_random(entry):  # whose names have hyphens
            stem = stem.partition("-")[0].removesuffix(".jsonl")
        elif entry.name.startswith(BUILDING):
            stem = stem.rpartition("-")[0]
        return self.locks / f"{stem}{'.transcripts.lock' if entry.suffix == '.jsonl' else '.lock'}"

    @contextmanager
    def locked(self, entry: Path) -> Iterator[None]:
        """Hold the lock of an entry, its folder made; raise `StoreError` for a cache that cannot be used."""
        with self._held(entry, [self.lock_of(entry)]):
            yield

    @contextmanager
    def decoding(self, transcripts: Path) -> Iterator[Claims]:
        """Share the clips that a model decodes with whoever decodes for the same file of transcripts."""
        with self._held(transcripts, []), claims(self._claims_of(transcripts)) as shared:
            yield shared

    @contextmanager
    def unused(self, entry: Path) -> Iterator[None]:
        """Hold every lock of an entry; raises `filelock.Timeout` where somebody writes, or decodes for, it."""
        claimed = self._claims_of(entry)
        with self._held(entry, [self.lock_of(entry)], 0), nobody_claims(claimed) if claimed.exists() else nullcontext():
            yield

    def _claims_of(self, transcripts: Path) -> Path:
        return self.locks / f"{transcripts.stem}.decoding.lock"

    @contextmanager
    def _held(self, entry: Path, locks: list[Path], timeout: float = -1) -> Iterator[None]:
        try:
            for folder in (entry.parent, self.locks):
                folder.mkdir(parents=True, exist_ok=True)
            _keeps_locks(self.locks)
            with ExitStack() as stack:
                for lock in locks:
                    stack.enter_context(FileLock(lock, timeout=timeout))
                yield
        except TimeoutError:
            raise
        except OSError as error:
            raise cache_error(self.root, error) from error

    def entries(self) -> Iterator[Path]:
        """Yield what lies under names of ours: artifacts, transcripts, checkpoints, oldest first; the indexes."""
        for folder, made in _MADE.items():
            times: list[tuple[float, Path]] = []
            for path in (self.root / folder).glob("*"):
                if made.fullmatch(path.name):
                    try:
                        times.append((path.stat().st_mtime, path))
                    except FileNotFoundError:
                        continue
            yield from (path for _, path in sorted(times))
        yield from (index for index in (self.audio_index, self.audio_files) if index.exists())

    def is_ours(self, entry: Path) -> bool:
        """Whether we made an entry: its lock is there. Where locks do not outlast who holds them, their folder is."""
        return self.lock_of(entry).exists() or (os.name == "nt" and self.locks.is_dir())


@lru_cache
def _keeps_locks(folder: Path) -> None:
    """Raise `StoreError` where the file system of a folder keeps no locks; the lock files of others would stay there.

    `FileLock` falls back on files that are there or not. Those of a killed run would make every later one wait.
    """
    try:
        import fcntl
    except ImportError:  # Windows, whose locks are of another kind
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            for lock in (fcntl.flock, fcntl.lockf):  # of whole files, and of claims
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock(file, fcntl.LOCK_UN)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise StoreError(
                f"the file system of {folder.parent} keeps no locks ({error.strerror}), and runs that share this cache "
                "directory would write over each other",
                remedy="name one on another disk with --whisperq-cache-dir, or mount this one with locks",
            ) from error
