"""Every name and lock of the cache, from one object."""

import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.errors import StoreError

Elsewhere = Callable[[str], AbstractContextManager["subprocess.Popen[str]"]]
KEY = "0123456789abcdef" * 2


@pytest.fixture
def layout(tmp_path: Path) -> CacheLayout:
    return CacheLayout(tmp_path)


@pytest.mark.parametrize(
    ("entry", "lock"),
    [
        (f"artifacts/{KEY}", f"{KEY}.lock"),
        (f"artifacts/.build-{KEY}-x1_y", f"{KEY}.lock"),
        (f"transcripts/{KEY}.jsonl", f"{KEY}.transcripts.lock"),
        ("random/whisper-tiny-2.13-0-1", "whisper-tiny-2.13-0-1.lock"),
        ("random/.build-whisper-tiny-2.13-0-1-x1", "whisper-tiny-2.13-0-1.lock"),
        ("audio-index.jsonl", "audio-index.lock"),
    ],
)
def test_what_is_made_and_what_is_left_of_it_share_a_lock(layout: CacheLayout, entry: str, lock: str) -> None:
    assert layout.lock_of(layout.root / entry) == layout.locks / lock


def test_an_entry_is_locked_in_folders_that_are_there_by_then(layout: CacheLayout) -> None:
    entry = layout.transcript_file(KEY)
    with layout.locked(entry):
        assert entry.parent.is_dir()
        with pytest.raises(Timeout):
            FileLock(layout.lock_of(entry), timeout=0).acquire()
        with pytest.raises(Timeout), layout.unused(entry):
            pass
    assert layout.is_ours(entry)


def test_no_file_is_unused_while_another_process_decodes_for_it(layout: CacheLayout, elsewhere: Elsewhere) -> None:
    entry = layout.transcript_file(KEY)
    with layout.unused(entry):
        pass
    there = f"CacheLayout(Path({str(layout.root)!r})).decoding(Path({str(entry)!r}))"
    with elsewhere(f"from pytest_whisperq.system.cache_layout import CacheLayout; hold({there})"):
        with layout.locked(entry), layout.decoding(entry):
            pass
        with pytest.raises(Timeout), layout.unused(entry):
            pass
    with layout.unused(entry):
        pass


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    layout = CacheLayout(tmp_path / "file" / "cache")
    problem = r"cannot write to the cache directory .*/file/cache"
    with pytest.raises(StoreError, match=problem), layout.locked(layout.artifacts / KEY):
        pass


@pytest.mark.skipif(os.name == "nt", reason="locks are of another kind there")
@pytest.mark.parametrize("refusal", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_file_system_without_locks_is_refused_and_nothing_waits(
    layout: CacheLayout, kind: str, refusal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    entry = layout.transcript_file(KEY)
    with monkeypatch.context() as patched:
        patched.setattr(f"fcntl.{kind}", refuse)
        for _ in range(2):  # it is not taken for one with locks the second time
            with (
                pytest.raises(StoreError, match=r"keeps no locks .*--whisperq-cache-dir, or mount this one with locks"),
                layout.locked(entry),
            ):
                pass
    assert not layout.lock_of(entry).exists()
    with layout.locked(entry):
        assert layout.lock_of(entry).exists()


def test_entries_are_those_with_names_of_ours_oldest_first(layout: CacheLayout) -> None:
    for age, name in enumerate((f"artifacts/{KEY}", f"artifacts/{KEY[::-1]}", "artifacts/notes", "elsewhere/x")):
        (layout.root / name).mkdir(parents=True)
        os.utime(layout.root / name, (1000 - age, 1000 - age))
    layout.audio_index.touch()
    assert [path.name for path in layout.entries()] == [KEY[::-1], KEY, "audio-index.jsonl"]
