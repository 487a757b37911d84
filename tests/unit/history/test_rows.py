"""Rows of a document on disk: they are a sequence like any other."""

import tempfile
from pathlib import Path

import pytest

from pytest_whisperq.history.rows import Rows
from pytest_whisperq.system.errors import StoreError

ROWS = [{"id": "né", "errors": None}, {"id": "b", "errors": {"int8": 1}, "seconds": 0.1}, {"id": ""}]


def test_rows_are_read_in_any_order() -> None:
    rows = Rows(iter(ROWS))
    assert [*rows] == ROWS
    assert (len(rows), rows[-1], rows[1], rows[1:]) == (3, ROWS[2], ROWS[1], ROWS[1:])
    assert [(one, other) for one in rows for other in rows] == [(one, other) for one in ROWS for other in ROWS]
    with pytest.raises(IndexError):
        rows[3]
    assert not Rows([])


def test_a_folder_that_takes_no_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StoreError, match=r"gone.*No such file or directory"):
        Rows(ROWS)
