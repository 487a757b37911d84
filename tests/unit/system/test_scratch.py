"""A database that is nobody's, and numbers that stand for texts."""

import sqlite3

import pytest

from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.scratch import as_bytes, key, scratch


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


def test_the_key_of_a_text_is_the_same_on_every_machine() -> None:
    assert key("anna") == 10109037774674085072
    assert len({key(text) for text in ("anna", "Anna", "", "\udc80", "\0")}) == 5


def test_texts_sort_as_bytes_as_they_do_as_texts() -> None:
    texts = ["", "a", "ä", "\ud800", "\uffff", "\U0001f600", "b", "a\0"]
    assert sorted(texts, key=as_bytes) == sorted(texts)
