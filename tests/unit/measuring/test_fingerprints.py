"""Copies are found among fingerprints that are not held: none is missed, and each is told with its nearest."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_whisperq.measuring import fingerprints
from pytest_whisperq.measuring.fingerprints import Fingerprints
from pytest_whisperq.system.errors import StoreError


def stored(prints: NDArray[np.float32]) -> Fingerprints:
    made = Fingerprints()
    for one in prints:
        made.add(one)
    return made


@pytest.mark.parametrize("read_at_once", [7, 5000])
@pytest.mark.parametrize("dimensions", [40, 300])
def test_no_two_that_are_alike_are_missed(dimensions: int, read_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_READ", read_at_once)
    random = np.random.default_rng(0)
    prints = random.normal(size=(1200, dimensions)).astype(np.float32)
    copies = {700: 3, 1100: 1099, 1199: 0}
    for copy, first in copies.items():
        prints[copy] = prints[first] + random.normal(size=dimensions) * 0.2
    prints[5] = 0
    prints[prints.any(axis=1)] /= np.linalg.norm(prints[prints.any(axis=1)], axis=1, keepdims=True)
    correlations = np.tril(prints @ prints.T, -1)
    for least in (0.3, 0.95):
        found = np.flatnonzero(correlations.max(axis=1) > least)
        nearest = correlations[found].argmax(axis=1)
        assert list(stored(prints).alike(least)) == list(zip(found, nearest, strict=True))
    assert dict(stored(prints).alike(0.95)) == copies


def test_of_few_none_is_missed() -> None:
    one = np.eye(1, 4, dtype=np.float32)
    assert list(stored(one[:0]).alike(0.95)) == []
    assert list(stored(one).alike(0.95)) == []
    assert list(stored(np.repeat(one, 3, axis=0)).alike(0.95)) == [(1, 0), (2, 0)]


def test_no_room_for_temporary_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoreError):
        Fingerprints()
