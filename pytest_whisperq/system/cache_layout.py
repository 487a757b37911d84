"""Where everything in the cache directory lies, under which names and locks.

::

    artifacts/KEY/                a built model: model/ and artifact.json
    transcripts/KEY.jsonl         what a model said, one line a clip
    random/NAME/                  a checkpoint of random weights
    audio-index.jsonl             digests and durations of recordings, one line each
    locks/KEY.lock                held while an artifact or a checkpoint is made
    locks/KEY.transcripts.lock    held while transcripts are added
    locks/audio-index.lock        held while recordings are added

Every line of text that is read back is sealed (`system.sealed`): transcripts, recordings, ``artifact.json``.

What is being made lies beside its place, as ``.build-NAME-…`` (`files.publish_folder`).
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pytest_whisperq.system.files import BUILDING, cache_error

_MADE = {
    "artifacts": re.compile(r"[0-9a-f]{32}|\.build-[0-9a-f]{32}-\w+"),
    "transcripts": re.compile(r"[0-9a-f]{32}\.jsonl"),
    "random": re.compile(r"(\.build-)?(whisper|distil)-[\w.-]+-\d+\.\d+[^-]*-\d+-\d+(-\w+)?"),
}
"""How what we make is called, by folder: any directory may be named as a cache, and others have such folders too.

What bears such a name, and does not say itself what it is, is ours if the lock that we made for it is there.
"""


class CacheLayout:
    """The names and locks of one cache directory, ``root``; nothing is made before something is locked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"
        self.transcripts = root / "transcripts"
        self.random = root / "random"
        self.locks = root / "locks"
        self.audio_index = root / "audio-index.jsonl"

    def transcript_file(self, key: str) -> Path:
        """Return the file of the transcripts with that key."""
        return self.transcripts / f"{key}.jsonl"

    def is_random(self, entry: Path) -> bool:
        """Whether an entry is a checkpoint of random weights, or what is left of one."""
        return entry.parent == self.random

    def lock_of(self, entry: Path) -> Path:
        """Return the lock under which an entry is written."""
        if entry == self.audio_index:
            return self.locks / "audio-index.lock"
        stem = entry.name.removeprefix(BUILDING)
        if not self.is_random(entry):  # whose names have hyphens
            stem = stem.partition("-")[0].removesuffix(".jsonl")
        elif entry.name.startswith(BUILDING):
            stem = stem.rpartition("-")[0]
        return self.locks / f"{stem}{'.transcripts.lock' if entry.suffix == '.jsonl' else '.lock'}"

    @contextmanager
    def locked(self, entry: Path, timeout: float = -1) -> Iterator[None]:
        """Hold the lock of an entry, its folder made; raise `StoreError` for a cache that cannot be used.

        Raises `filelock.Timeout` after so many seconds; by default it waits as long as it takes.
        """
        try:
            for folder in (entry.parent, self.locks):
                folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.lock_of(entry), timeout=timeout):
                yield
        except TimeoutError:
            raise
        except OSError as error:
            raise cache_error(self.root, error) from error

    def entries(self) -> Iterator[Path]:
        """Yield what lies under names of ours: artifacts, transcripts, checkpoints, oldest first; audio index."""
        for folder, made in _MADE.items():
            times: list[tuple[float, Path]] = []
            for path in (self.root / folder).glob("*"):
                if made.fullmatch(path.name):
                    try:
                        times.append((path.stat().st_mtime, path))
                    except FileNotFoundError:
                        continue
            yield from (path for _, path in sorted(times))
        if self.audio_index.exists():
            yield self.audio_index

    def is_ours(self, entry: Path) -> bool:
        """Whether we made an entry: its lock is there. Where locks do not outlast who holds them, their folder is."""
        return self.lock_of(entry).exists() or (os.name == "nt" and self.locks.is_dir())
