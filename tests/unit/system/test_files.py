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


def fill(folder: Path, text: str) -> None:
    (folder / "part").mkdir()
    (folder / "part" / "file.txt").write_text(text, encoding="utf-8")


def test_a_folder_is_published_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    for text in ("one", "two"):
        with files.publish_folder(target) as aside:
            fill(aside, text)
            assert aside.parent == target.parent
            assert not target.exists() or (target / "part" / "file.txt").read_text() == "one"
        assert (target / "part" / "file.txt").read_text() == text
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_that_is_not_finished_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with files.publish_folder(target) as aside:
        fill(aside, "old")
    with pytest.raises(UnicodeEncodeError), files.publish_folder(target) as aside:
        fill(aside, "half \ud800")
    assert (target / "part" / "file.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("is_locked", [True, False])
def test_what_a_killed_process_left_goes_where_nobody_else_can_be_writing(tmp_path: Path, *, is_locked: bool) -> None:
    mine, others = tmp_path / ".build-model-killed", tmp_path / ".build-model2-killed"
    for left_over in (mine, others):
        left_over.mkdir()
    with files.publish_folder(tmp_path / "model", is_locked=is_locked) as aside:
        fill(aside, "whole")
    assert mine.exists() is not is_locked
    assert others.exists()


def test_a_folder_that_cannot_take_its_place_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    with files.publish_folder(target) as aside:
        fill(aside, "old")
    rename = Path.rename

    def once(self: Path, to: Path) -> Path:
        if to == target and self.name.startswith(files.BUILDING) and not self.name.endswith("_old"):
            raise PermissionError(13, "Permission denied")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(PermissionError), files.publish_folder(target) as aside:
        fill(aside, "new")
    assert (target / "part" / "file.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
