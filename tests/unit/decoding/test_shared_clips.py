"""Processes that decode with one model share its clips: none is decoded twice, and none is forgotten."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.decoding import transcript_cache
from pytest_whisperq.decoding.engine import InProcess
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.claims import Claims
from pytest_whisperq.system.sealed import SealedFile, seal

StartRun = Callable[..., GateRunner]
Elsewhere = Callable[[str], AbstractContextManager["subprocess.Popen[str]"]]
TEXTS = ("one", "two three", "four", "five six", "seven")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a process has all clips or none there")


def texts(run: GateRunner) -> tuple[str, ...]:
    return tuple(run.session.model(run.config.candidates[0]).transcripts.texts)


class Transcripts:
    """A file of transcripts of all texts, of which only the first line is left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header, *self._rows = SealedFile(path)
        self.clips = [row["clip"] for row in self._rows]
        path.write_text(seal(self._header, path.name), encoding="utf-8")

    def add(self, *places: int) -> None:
        """Add what is said in the clips at some places, as another process does."""
        with CacheLayout(self.path.parents[1]).locked(self.path), self.path.open("a", encoding="utf-8") as file:
            file.writelines(seal(self._rows[place], self.path.name) for place in places)

    def taking(self, *places: int) -> str:
        """Return the code with which a process claims the clips at some places."""
        names = [self.clips[place] for place in places]
        decoding = f"CacheLayout(Path({str(self.path.parents[1])!r})).decoding(Path({str(self.path)!r}))"
        imports = "from pytest_whisperq.system.cache_layout import CacheLayout"
        return f"{imports}; shared = hold({decoding}); assert all([shared.take(name) for name in {names!r}])"


@pytest.fixture
def transcripts(tmp_path: Path, start_run: StartRun, decoded: list[int]) -> Transcripts:
    assert texts(start_run()) == TEXTS
    decoded.clear()
    (path,) = (tmp_path / "cache" / "transcripts").glob("*.jsonl")
    return Transcripts(path)


class Deciding(threading.Thread):
    """Decodes in a thread, which may have to wait."""

    def __init__(self, run: GateRunner) -> None:
        super().__init__(daemon=True)
        self._gate_run = run
        self.texts: tuple[str, ...] = ()
        self.start()

    def run(self) -> None:
        self.texts = texts(self._gate_run)

    def finished(self) -> tuple[str, ...]:
        self.join(60)
        return self.texts


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_clip_of_a_killed_process_is_decoded_when_nothing_else_is_left(
    transcripts: Transcripts, start_run: StartRun, decoded: list[int], elsewhere: Elsewhere
) -> None:
    with elsewhere(transcripts.taking(0, 3)) as process:
        here = Deciding(start_run(decode_batch="2"))
        wait_until(lambda: decoded == [2, 1])
        here.join(0.2)
        assert here.is_alive()  # it waits
        process.kill()
        assert here.finished() == TEXTS
    assert decoded == [2, 1, 2]


def test_what_another_process_decodes_is_not_decoded_again(
    transcripts: Transcripts, start_run: StartRun, decoded: list[int], elsewhere: Elsewhere
) -> None:
    told: list[tuple[int, int]] = []
    with elsewhere(transcripts.taking(0, 3)) as process:
        here = Deciding(start_run(lambda _, done, count: told.append((done, count)), decode_batch="2"))
        wait_until(lambda: told[-1:] == [(3, 5)])
        transcripts.add(0, 3)
        assert process.stdin is not None
        process.stdin.close()
        assert here.finished() == TEXTS
    assert decoded == [2, 1]
    assert told[-3:] == [(2, 5), (3, 5), (5, 5)]
    assert len({row["clip"] for row in list(SealedFile(transcripts.path))[1:]}) == 5


def test_what_was_added_before_a_claim_is_looked_up(
    transcripts: Transcripts, start_run: StartRun, decoded: list[int]
) -> None:
    told: list[tuple[int, int]] = []

    def progress(_: str, done: int, count: int) -> None:
        if not told:
            transcripts.add(2)  # by a process that has given it back by now
        told.append((done, count))

    assert texts(start_run(progress, decode_batch="2")) == TEXTS
    assert decoded == [2, 1, 1]
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_no_model_is_loaded_where_another_process_decodes_all_while_this_one_looks(
    transcripts: Transcripts, start_run: StartRun, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_free = Claims.is_free

    def late(self: Claims, name: str) -> bool:
        transcripts.add(0, 1, 2, 3, 4)
        return is_free(self, name)

    monkeypatch.setattr(Claims, "is_free", late)
    monkeypatch.setattr(ScriptedBackend, "load", refuse_to_load)
    assert texts(start_run()) == TEXTS
    assert decoded == []


def test_a_file_that_always_changes_is_not_read_for_ever(
    transcripts: Transcripts, start_run: StartRun, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(20))
    monkeypatch.setattr(transcript_cache, "state_of", lambda _: (0, 0, next(times)))
    assert texts(start_run()) == TEXTS
    assert sum(decoded) == 5


def test_an_engine_that_takes_all_processors_waits_for_the_other_run(
    transcripts: Transcripts, start_run: StartRun, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InProcess, "is_exclusive", True)
    decoding = transcripts.taking().partition("; assert")[0]
    with elsewhere(f"{decoding}; shared.hold('engine')") as process:
        here = Deciding(start_run())
        here.join(0.3)
        assert here.is_alive()
        process.kill()
        assert here.finished() == TEXTS


def refuse_to_load(*_: object) -> None:
    raise AssertionError("a model is loaded")


def test_no_model_is_loaded_where_others_decode_all(
    transcripts: Transcripts,
    start_run: StartRun,
    decoded: list[int],
    elsewhere: Elsewhere,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScriptedBackend, "load", refuse_to_load)
    with elsewhere(transcripts.taking(0, 1, 2, 3, 4)) as process:
        here = Deciding(start_run())
        here.join(0.3)
        assert here.is_alive()
        transcripts.add(0, 1, 2, 3, 4)
        assert process.stdin is not None
        process.stdin.close()
        assert here.finished() == TEXTS
    assert decoded == []
