"""Values that come one after another and are asked for meanwhile: held while they are few, else in a database."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import finalize

from pytest_whisperq.system import on_disk
from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.keys import as_bytes
from pytest_whisperq.system.on_disk import AS_IT_IS, Form
from pytest_whisperq.system.scratch import errors_of_room, new_database

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_AT_HAND = 2**10
"""Texts that are not looked up on the disk: those of the last utterances."""


class Growing(Generic[T]):
    """Values by their names, which come one after another: a dictionary of few, else a database without a name.

    They are listed in the order in which they came. Raises `StoreError` where the folder for temporary files has no
    room.
    """

    def __init__(self, form: Form[T]) -> None:
        self._form = form
        self._few: dict[str, T] = {}
        self._many: sqlite3.Connection | None = None

    def __len__(self) -> int:
        if self._many is None:
            return len(self._few)
        with errors_of_room():
            return int(self._many.execute("SELECT count(*) FROM kept").fetchone()[0])

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def get(self, name: str) -> T | None:
        """Return the value of a name; None where there is none."""
        if self._many is None:
            return self._few.get(name)
        with errors_of_room():
            found = self._many.execute("SELECT value FROM kept WHERE name = ?", (as_bytes(name),)).fetchone()
        return self._form.make(marshal.loads(found[0])) if found else None  # noqa: S302 - of this object

    def add(self, name: str, value: T) -> None:
        """Keep the value of a name, instead of one that it has."""
        if self._many is None:
            self._few[name] = value
            if len(self._few) <= on_disk.FEW:
                return
        try:
            with errors_of_room():
                self._many = self._many or self._moved()
                self._many.execute(_PUT, (as_bytes(name), marshal.dumps(self._form.plain(value))))
        except StoreError:  # a database that found no room is not to be read any more
            self._few, self._many = {}, None
            raise

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield names and values in the order in which they came."""
        if self._many is None:
            yield from self._few.items()
            return
        with errors_of_room():
            for name, value in self._many.execute("SELECT name, value FROM kept ORDER BY rowid"):
                yield name.decode("utf-8", "surrogatepass"), self._form.make(marshal.loads(value))  # noqa: S302

    def _moved(self) -> sqlite3.Connection:
        """Return a database with what was held until now."""
        database = new_database()
        finalize(self, database.close)  # else Python 3.13 warns
        database.execute("CREATE TABLE kept (name BLOB UNIQUE, value BLOB)")
        rows = ((as_bytes(name), marshal.dumps(self._form.plain(value))) for name, value in self._few.items())
        database.executemany(_PUT, rows)
        self._few = {}
        return database


_PUT = "INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def once(make: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that makes something of a text once, however often it is asked: beyond a few, from the disk."""
    made: Growing[str] = Growing(AS_IT_IS)
    lock = Lock()

    @lru_cache(maxsize=_AT_HAND)
    def found(text: str) -> str:
        with lock:
            value = made.get(text)
            if value is None:
                value = make(text)
                made.add(text, value)
            return value

    return found
