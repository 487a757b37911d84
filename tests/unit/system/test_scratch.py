"""Files and databases that are nobody's."""

import gc
import sqlite3
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.system.errors import StoreError
from pytest_whisperq.system.scratch import ScratchFile, _close, scratch

SMALL = 2**16
PARTS = st.builds(
    lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 50) | st.just(SMALL // 2)
)


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


@given(st.lists(st.tuples(st.sampled_from(["add", "put", "read"]), st.integers(0, 10**5), PARTS), max_size=12))
def test_a_file_holds_what_was_put_there(steps: list[tuple[str, int, bytes]]) -> None:
    """In whatever order, in memory and beyond it."""
    file, model = ScratchFile(), bytearray()
    for step, place, data in steps:
        start = place % (len(model) + 1)
        if step == "add":
            assert file.add(data) == len(model)
            model += data
        elif step == "put":
            file.put(start, data)
            model[start : start + len(data)] = data
        else:
            assert file.read(start, len(data)) == model[start : start + len(data)]
    assert file.read(0, len(model) + 1) == model


def test_a_file_is_shared_by_threads() -> None:
    file = ScratchFile()

    def add(number: int) -> tuple[int, bytes]:
        data = bytes([number]) * (1000 + number)
        return file.add(data), data

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(add, range(200)))
        assert list(pool.map(lambda one: file.read(one[0], len(one[1])), added)) == [data for _, data in added]


@pytest.mark.parametrize("size", [1, 2 * SMALL])
def test_a_file_goes_without_a_warning(size: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        file = ScratchFile()
        file.add(bytes(size))
        del file
        gc.collect()
    assert caught == []


def test_what_finds_no_room_leaves_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that all recordings of a table share is used by the tests that come next, too."""

    class Full(BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(28, "No space left on device")

    file = ScratchFile()
    file.add(b"first")
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", Full)
        for _ in range(2):
            with pytest.raises(StoreError, match="No space left"):
                file.add(bytes(SMALL))
    assert file.add(bytes(SMALL)) == 5
    assert file.read(0, 6) == b"first\0"


def test_what_finds_no_room_when_it_goes_is_not_told() -> None:
    class Full(BytesIO):
        def close(self) -> None:
            super().close()
            raise OSError(28, "No space left on device")

    file = Full()
    _close(file)
    assert file.closed


def test_a_folder_that_takes_no_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    file = ScratchFile()
    file.add(b"little")
    with pytest.raises(StoreError, match=r"gone.*No such file or directory"):
        file.add(bytes(SMALL))
