"""What is sorted or counted on the disk: a corpus may have more of it than there is room for in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pytest_whisperq.system.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

HELD = 1 << 14
"""Entries that are held before they are written to a database together: most corpora have fewer of anything."""


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """Yield an empty database without a name; beyond 2 MB it lies in the folder for temporary files.

    Raises `StoreError` where that has no room.
    """
    import sqlite3

    try:
        with closing(sqlite3.connect("", isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("BEGIN")
            yield database
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"a temporary database cannot be written: {error}",
            remedy="free some space, or name a folder that has some in TMPDIR",
        ) from error
