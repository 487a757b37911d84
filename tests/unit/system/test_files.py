"""Files are replaced whole or not at all."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.system import files
from pytest_whisperq.system.errors import ConfigError, StoreError


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


def test_of_a_link_the_file_that_it_leads_to_is_replaced(tmp_path: Path) -> None:
    """Else the link would be gone, and its target still say what the last run found."""
    real, link = tmp_path / "runs" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    for before in (True, False):  # also where the target is not there yet
        if before:
            real.write_text("old")
        link.unlink(missing_ok=True)
        link.symlink_to(real)
        files.replace_text(link, "new", "--option")
        assert link.is_symlink()
        assert real.read_text() == "new"
        assert list(real.parent.iterdir()) == [real]
        real.unlink()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)  # a socket's path must be short
        one.bind(path.name)


def make_circle(path: Path) -> None:
    path.symlink_to(path.name)


def make_link_to_pipe(path: Path) -> None:
    pipe = path.parent.parent / "pipe"
    os.mkfifo(pipe)
    path.symlink_to(pipe)


@pytest.mark.parametrize("make", [make_pipe, make_socket, make_circle, make_link_to_pipe])
def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "runs" / "out.json"
    path.parent.mkdir()
    make(path)
    before = path.lstat().st_mode
    with pytest.raises(ConfigError, match=f"^--option: {path} is no regular file; name one"):
        files.replace_text(path, "text", "--option")
    assert path.lstat().st_mode == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    """Somebody hid it: transcripts are private."""
    path = tmp_path / "run.json"
    path.touch(0o600)
    files.replace_text(path, "text", "--option")
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_a_link_to_a_folder_the_folder_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    (real / "old").touch()
    link.symlink_to(real)
    with files.publish_folder(link) as aside:
        fill(aside, "new")
    assert link.is_symlink()
    assert [path.name for path in real.iterdir()] == ["part"]
    assert sorted(tmp_path.iterdir()) == [link, real]


@pytest.mark.parametrize("kind", ["file", "folder", "link", "nothing"])
def test_what_is_removed_is_what_was_named(tmp_path: Path, kind: str) -> None:
    path, kept = tmp_path / "x", tmp_path / "kept"
    kept.mkdir()
    if kind == "file":
        path.touch()
    elif kind == "folder":
        (path / "deep").mkdir(parents=True)
    elif kind == "link":
        path.symlink_to(kept)
    files.remove(path)
    assert list(tmp_path.iterdir()) == [kept]


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


def test_what_the_system_refuses_is_told_with_the_file_if_there_is_one() -> None:
    told = str(files.system_error(PermissionError(13, "Permission denied", "model/config.json")))
    assert told.startswith("model/config.json: Permission denied; check the name, the permissions of the file")
    assert str(files.system_error(TimeoutError("too slow"))) == "TimeoutError: too slow"


@pytest.mark.skipif(not hasattr(files.os, "geteuid"), reason="names of any length")
def test_a_name_that_no_file_can_have_is_blamed_on_its_option() -> None:
    with pytest.raises(ConfigError, match=r"^--whisperq-corpus: 'x+' cannot be looked at: .*; name another place$"):
        files.user_path("x" * 300, "--whisperq-corpus")
    with pytest.raises(ConfigError, match=r"--whisperq-corpus: 'a\\x00b' cannot be a file name; correct the path"):
        files.user_path("a\0b", "--whisperq-corpus")
