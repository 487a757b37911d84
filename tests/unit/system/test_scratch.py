"""A database that is nobody's."""

import sqlite3

import pytest

from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.scratch import scratch


def test_what_cannot_be_written_is_told() -> None:
    with pytest.raises(StoreError, match="disk is full"):
        fill(pages=3, rows=100)
    fill(pages=300, rows=100)


def fill(pages: int, rows: int) -> None:
    with scratch() as database:
        database.execute(f"PRAGMA max_page_count = {pages}")
        database.execute("CREATE TABLE rows (text BLOB)")
        database.executemany("INSERT INTO rows VALUES (?)", ((bytes(1000),) for _ in range(rows)))


def test_two_databases_are_two() -> None:
    with scratch() as one, scratch() as other:
        one.execute("CREATE TABLE rows (number INTEGER)")
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            other.execute("SELECT * FROM rows")
