"""Bad input ends in the right figure or in one clear error; `tests/benchmarks/fuzz.py` tries as many as one likes."""

from collections import Counter
from pathlib import Path

import families
import pytest
from world import End, Ending, World

from pytest_whisperq.speech.corpus import manifest as reading
from pytest_whisperq.system import sealed

BAD = (End.UNCLEAR, End.TRACEBACK, End.WRONG)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_bad_input_is_refused_or_does_no_harm(name: str, tmp_path: Path) -> None:
    ends = Counter[End]()
    bad = []
    for case, ending in families.tried(name, families.FAMILIES[name].cases, tmp_path, seed=0):
        ends[ending.end] += 1
        if ending.end in BAD:
            bad.append(f"{case.what}: {ending.end.value}: {ending.detail}")
    assert not bad, "\n".join(bad)
    assert ends[End.REFUSED] > 0 or name == "cache"  # or nothing bad was tried; what is bad in a cache is made again


def test_at_least_five_hundred_are_tried() -> None:
    assert sum(family.cases for family in families.FAMILIES.values()) >= 500


def test_a_reader_that_leaves_out_a_row_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reading.read_manifest
    monkeypatch.setattr(reading, "read_manifest", lambda *arguments: read(*arguments)[1:])
    ends = [ending.end for _, ending in families.tried("manifest", 12, tmp_path, seed=0)]
    assert End.WRONG in ends


def test_a_reader_that_stumbles_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "read_manifest", lambda *_: 1 / 0)
    assert [ending.end for _, ending in families.tried("manifest", 3, tmp_path, seed=0)] == [End.TRACEBACK] * 3


def test_a_cache_that_looks_at_no_digest_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_digest", lambda body, name: "0" * 64)
    assert {ending.end for _, ending in families.tried("cache", 80, tmp_path, seed=0)} >= {End.WRONG, End.TRACEBACK}


def test_a_second_opinion_agrees_on_what_is_sound(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    assert world.gate(world.figures(), []) == Ending(End.RIGHT)
    assert world.figures().candidate == pytest.approx(4 / 48)
