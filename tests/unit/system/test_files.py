"""Files are replaced whole or not at all."""

import hashlib
from pathlib import Path

import pytest

from pytest_whisperq.system import files
from pytest_whisperq.system.errors import StoreError


def test_text_is_written_into_new_folders_and_over_old_files(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    for text in ("one", "zwölf"):
        files.replace_text(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "write"])
def test_what_goes_wrong_leaves_the_old_file_and_no_litter(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.json"
    files.replace_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(StoreError, match=f"cannot write to the cache directory {tmp_path}: No space left"):
            files.replace_text(path, "new")
    else:
        with pytest.raises(UnicodeEncodeError):
            files.replace_text(path, "half \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        files.replace_text(tmp_path / "file" / "b.json", "x")


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
