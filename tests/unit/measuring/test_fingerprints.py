"""Copies are found among fingerprints that are not held: none is missed, and each is told with its nearest."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_whisperq.measuring import fingerprints
from pytest_whisperq.measuring.fingerprints import Fingerprints, _Drawers, _Rows
from pytest_whisperq.system.errors import StoreError


def stored(prints: NDArray[np.float32], seconds: Sequence[float] = ()) -> Fingerprints:
    made = Fingerprints()
    for one, long in zip(prints, seconds or [1.0] * len(prints), strict=True):
        made.add(one, long)
    return made


@pytest.mark.parametrize("read_at_once", [7, 5000])
@pytest.mark.parametrize("dimensions", [40, 300])
def test_no_two_that_are_alike_are_missed(dimensions: int, read_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_READ", read_at_once)
    monkeypatch.setattr(fingerprints, "_AT_ONCE", 2 * read_at_once)
    random = np.random.default_rng(0)
    prints = random.normal(size=(1200, dimensions)).astype(np.float32)
    copies = {700: 3, 900: 3, 1100: 1099, 1199: 0}
    for copy, first in copies.items():
        prints[copy] = prints[first] + random.normal(size=dimensions) * 0.2
    prints[5] = prints[6] = 0
    prints[prints.any(axis=1)] /= np.linalg.norm(prints[prints.any(axis=1)], axis=1, keepdims=True)
    seconds = random.uniform(0.3, 20, len(prints))
    for copy, first in copies.items():
        seconds[copy] = seconds[first] * 1.09
    short, long = np.minimum.outer(seconds, seconds), np.maximum.outer(seconds, seconds)
    correlations = np.where(long <= 1.1 * short + 0.1, np.tril(prints @ prints.T, -1), -1)
    found = np.flatnonzero(correlations.max(axis=1) > 0.9)
    nearest = correlations[found].argmax(axis=1)
    told = list(stored(prints, seconds.tolist()).alike(0.9))
    assert told == list(zip(found, nearest, strict=True))
    assert dict(told).keys() == copies.keys()


def test_hardly_any_that_are_just_alike_enough_are_missed() -> None:
    """Of pairs that correlate by 0.95 and a little, among so many, one in a million is."""
    random = np.random.default_rng(0)
    first = random.normal(size=(2000, 300))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    other = random.normal(size=first.shape)
    other -= (other * first).sum(axis=1, keepdims=True) * first
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    angle = np.arccos(0.951)
    prints = np.concatenate([first, np.cos(angle) * first + np.sin(angle) * other]).astype(np.float32)
    assert dict(stored(prints).alike(0.95)) == {2000 + number: number for number in range(2000)}


def test_strangers_share_few_drawers() -> None:
    """Or time would grow with the pairs."""
    random = np.random.default_rng(0)
    prints = random.normal(size=(4000, 300)).astype(np.float32)
    rows = _Rows(300)
    for place, one in enumerate(prints):
        rows.write(place, one)
    drawers, everyone = _Drawers(rows, len(prints)), np.ones(len(prints), np.bool_)
    pairs = [pair for table in range(20, 28) for pair in drawers.pairs(table, everyone)]
    assert sum(len(later) for later, _ in pairs) / 8 < 2 * len(prints) ** 2 / 2 / 2**16
    assert all((later > earlier).all() for later, earlier in pairs)
    assert not any(drawers.seem_alike(*pair).any() for pair in pairs)


@pytest.mark.parametrize(("seconds", "found"), [([0.2, 0.31], True), ([9.0, 9.9], True), ([9.9, 8.8], False)])
def test_a_copy_lasts_about_as_long(seconds: list[float], found: bool) -> None:
    """An encoder pads; what is a tenth longer, and more, is other speech."""
    one = np.eye(1, 4, dtype=np.float32)
    for order in (seconds, seconds[::-1]):
        assert list(stored(np.repeat(one, 2, axis=0), order).alike(0.95)) == ([(1, 0)] if found else [])


def test_what_is_left_out_is_compared_with_nothing() -> None:
    """Nor is it the nearest one of another."""
    prints = np.eye(1, 4, dtype=np.float32).repeat(5, axis=0)
    among = np.array([False, True, True, False, True])
    assert list(stored(prints, [3.0, 2.0, 3.0, 3.0, 2.9]).alike(0.95, among)) == [(4, 2)]
    assert list(stored(prints).alike(0.95, among)) == [(2, 1), (4, 1)]
    assert list(stored(prints).alike(0.95, ~among)) == [(3, 0)]


def test_of_few_none_is_missed() -> None:
    one = np.eye(1, 4, dtype=np.float32)
    assert list(stored(one[:0]).alike(0.95)) == []
    assert list(stored(one).alike(0.95)) == []
    assert list(stored(np.repeat(one, 3, axis=0)).alike(0.95)) == [(1, 0), (2, 0)]


@pytest.mark.parametrize(("lengths", "most"), [("equal", 12 << 20), ("spread", 12 << 20)])
def test_what_is_held_does_not_grow_with_all_pairs(lengths: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3000 of one length all pairs would be 36 MB, and which drawers they are in is in files, too."""
    monkeypatch.setattr(fingerprints, "_READ", 100)
    random = np.random.default_rng(0)
    prints = random.normal(size=(3000, 300)).astype(np.float32)
    prints /= np.linalg.norm(prints, axis=1, keepdims=True)
    made = stored(prints, [1.0] * 3000 if lengths == "equal" else random.uniform(1, 30, 3000).tolist())
    del prints
    tracemalloc.start()
    assert list(made.alike(0.95)) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most


def test_no_room_for_temporary_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoreError):
        stored(np.eye(200, dtype=np.float32))
