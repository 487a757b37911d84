"""What is kept, sorted or counted on the disk: a corpus may have more of it than there is room for in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from threading import Lock
from typing import IO, TYPE_CHECKING, cast
from weakref import finalize

from pytest_whisperq.system.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

HELD = 1 << 14
"""Entries that are held before they are written to a database together: most corpora have fewer of anything."""

_CACHE_KIB = 512
"""Of a database that are held: the rest is in the system's own cache of files, while there is room."""

_SMALL = 2**16
"""Bytes of a file that are held in memory: most have fewer."""


class ScratchFile:
    """Bytes without a name, beyond a few in the folder for temporary files. They go with the last who has them.

    Any thread may add and read. Raises `StoreError` where there is no room.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._file: IO[bytes] = BytesIO()
        self._place = self._end = 0
        """Where the file stands after a write, else -1; and where it ends."""

    def add(self, data: bytes) -> int:
        """Put bytes at the end, and return where they begin."""
        with errors_of_room(), self._lock:
            start = self._end
            self._write(start, data)
            return start

    def put(self, start: int, data: bytes) -> None:
        """Put bytes at a place, instead of those that are there."""
        with errors_of_room(), self._lock:
            self._write(start, data)

    def _write(self, start: int, data: bytes) -> None:
        if isinstance(self._file, BytesIO) and start + len(data) > _SMALL:
            self._move(self._file)
        if self._place != start:  # a change of place writes what is buffered
            self._file.seek(start)
        self._place = -1
        self._file.write(data)
        self._place = start + len(data)
        self._end = max(self._end, self._place)

    def _move(self, small: BytesIO) -> None:
        """Put on the disk what was held; where there is no room it stays."""
        file = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the last who has it
        finalize(self, _close, file)  # else Python warns, and a run may make errors of warnings
        file.write(small.getvalue())
        file.flush()
        self._file, self._place = file, -1

    def read(self, start: int, length: int) -> bytes:
        """Return so many bytes, or as many as there are, from a place on."""
        try:  # without `errors_of_room`, which would take as long as the rest: millions of times a few bytes are read
            with self._lock:
                self._place = -1
                self._file.seek(start)
                return self._file.read(length)
        except OSError as error:
            raise _unusable(error) from error


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # what found no room on the way out is wanted by nobody
        file.close()


def new_database() -> sqlite3.Connection:
    """Return an empty database without a name, in a transaction.

    Beyond half a MB it is in the folder for temporary files. It goes when it is closed, or with the last who has it.
    Any thread may use it, one at a time.
    """
    import sqlite3

    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    database.execute("BEGIN")
    return database


@contextmanager
def errors_of_room() -> Iterator[None]:
    """Raise `StoreError` that names the folder for temporary files where a database or a file there finds no room."""
    import sqlite3

    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> StoreError:
    return StoreError(
        f"a temporary file cannot be used: {error}",
        where=tempfile.tempdir or "",
        remedy="free some space there, or name another folder in the environment variable TMPDIR",
    )


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """Yield a `new_database`, which is closed afterwards; raise `StoreError` where it finds no room."""
    with errors_of_room(), closing(new_database()) as database:
        yield database
