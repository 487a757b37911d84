"""Work that several processes share: each claims what it does next, and what it holds ends with it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from pytest_whisperq.system.keys import key_of

try:
    import fcntl
except ImportError:  # Windows, where who claims anything claims all
    fcntl = None  # type: ignore[assignment]

_ALL = 0, 0
"""How many bytes of a file, and from where: 0 is to its end, wherever that will be."""

_TOGETHER = 1, 0
"""The byte that all who claim anything hold together."""


class Claims:
    """Names that this process holds: a lock on one byte each, of a ``file`` that nobody else here has open.

    Such locks (POSIX, ``fcntl``) are kept between processes, on network file systems too, and go with the process
    that holds them. Two names of one byte, one in 10¹⁸ pairs, merely wait for each other. Without a file all names are
    this process's.
    """

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file

    def take(self, name: str) -> bool:
        """Hold a name, and return whether that is so: not where another process has it."""
        return not self._file or _lock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, (1, _byte(name)))

    def give_back(self, names: Iterable[str]) -> None:
        """Let others have names that were taken."""
        if self._file:
            for name in names:
                _lock(self._file, fcntl.LOCK_UN, (1, _byte(name)))

    def is_free(self, name: str) -> bool:
        """Whether no other process has a name at this moment."""
        is_free = self.take(name)
        if is_free:
            self.give_back([name])
        return is_free

    def hold(self, name: str) -> None:
        """Wait until no other process has a name, and take it. Who waits should hold nothing that others wait for."""
        if self._file:
            _lock(self._file, fcntl.LOCK_EX, (1, _byte(name)))

    def wait(self, name: str) -> None:
        """Wait until no other process has a name, and leave it."""
        self.hold(name)
        self.give_back([name])


@contextmanager
def claims(path: Path) -> Iterator[Claims]:
    """Share the work of a file with whoever else does so at this moment; what is claimed is given back at the end."""
    if fcntl is None:
        with FileLock(path):
            yield Claims(None)
    else:
        with path.open("a+b") as file:
            _lock(file, fcntl.LOCK_SH, _TOGETHER)
            yield Claims(file)


@contextmanager
def nobody_claims(path: Path) -> Iterator[None]:
    """Keep others from claiming anything; raise `filelock.Timeout` where somebody does."""
    if fcntl is None:
        with FileLock(path, timeout=0):
            yield
    else:
        with path.open("a+b") as file:
            if not _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _ALL):
                raise Timeout(str(path))
            yield


def _lock(file: BinaryIO, how: int, place: tuple[int, int]) -> bool:
    length, start = place
    try:
        fcntl.lockf(file, how, length, start)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as POSIX has it
        if not how & fcntl.LOCK_NB:
            raise
        return False
    return True


def _byte(name: str) -> int:
    return 1 + (key_of(name) >> 2)  # an offset has a sign
