"""What is sorted or counted on the disk: a corpus may have more of it than there is room for in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pytest_whisperq.system.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

HELD = 1 << 14
"""Entries that are held before they are written to a database together: most corpora have fewer of anything."""


def new_database() -> sqlite3.Connection:
    """Return an empty database without a name, in a transaction; beyond 2 MB it is in the folder for temporary files.

    It goes when it is closed, or with the last who has it. Any thread may use it, one at a time.
    """
    import sqlite3

    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("BEGIN")
    return database


@contextmanager
def errors_of_room() -> Iterator[None]:
    """Raise `StoreError` that names the folder for temporary files where a database or a file there finds no room."""
    import sqlite3

    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise StoreError(
            f"a temporary file cannot be used: {error}",
            where=tempfile.tempdir or "",
            remedy="free some space there, or name another folder in the environment variable TMPDIR",
        ) from error


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """Yield a `new_database`, which is closed afterwards; raise `StoreError` where it finds no room."""
    with errors_of_room(), closing(new_database()) as database:
        yield database
