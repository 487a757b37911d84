"""Names are held by one process at a time, and by nobody when it is gone."""

import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from filelock import Timeout

from pytest_whisperq.system.claims import claims, nobody_claims

Elsewhere = Callable[[str], AbstractContextManager["subprocess.Popen[str]"]]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="who claims anything claims all there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.lock"


def taking(path: Path, *names: str) -> str:
    there = f"shared = hold(claims(Path({str(path)!r}))); assert all(map(shared.take, {names!r}))"
    return f"from pytest_whisperq.system.claims import claims; {there}"


def test_a_name_is_one_process_s_and_others_are_free(path: Path, elsewhere: Elsewhere) -> None:
    with elsewhere(taking(path, "a", "b")), claims(path) as shared:
        assert [name for name in "abcd" if shared.take(name)] == ["c", "d"]
        assert not shared.is_free("a")
        with elsewhere(f"{taking(path, 'e')}; assert not shared.take('c')"):
            pass
        shared.give_back(["c"])
        with elsewhere(f"{taking(path, 'c')}; assert not shared.is_free('d')"):
            assert not shared.is_free("c")


def test_what_a_killed_process_had_is_free(path: Path, elsewhere: Elsewhere) -> None:
    with claims(path) as shared, elsewhere(taking(path, "a")) as process:
        assert not shared.take("a")
        process.kill()
        process.wait()
        assert shared.take("a")


def test_who_waits_goes_on_when_a_name_is_given_back(path: Path, elsewhere: Elsewhere) -> None:
    with claims(path) as shared, elsewhere(taking(path, "a")) as process:
        waits = threading.Thread(target=shared.wait, args=("a",), daemon=True)
        waits.start()
        waits.join(0.2)
        assert waits.is_alive()
        assert process.stdin is not None
        process.stdin.close()
        waits.join(60)
        assert not waits.is_alive()
        assert shared.is_free("a")  # who has waited does not have it


def test_a_file_is_nobody_s_only_while_nobody_shares_it(path: Path, elsewhere: Elsewhere) -> None:
    with elsewhere(taking(path, "a")), pytest.raises(Timeout, match=r"work\.lock"), nobody_claims(path):
        pass
    there = f"hold(nobody_claims(Path({str(path)!r})))"
    there = f"from pytest_whisperq.system.claims import nobody_claims; {there}"
    with elsewhere(there), pytest.raises(Timeout), nobody_claims(path):
        pass
    with nobody_claims(path):
        pass
