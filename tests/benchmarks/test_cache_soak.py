"""A small soak of the cache, and that it would notice a cache without digests. All of it: ``cache_soak.py``."""

from pathlib import Path

import pytest
from cache_soak import WrongError, soak

from pytest_whisperq.models import store
from pytest_whisperq.system import sealed


def test_no_flipped_bit_is_read_and_every_run_heals(tmp_path: Path) -> None:
    results = soak(tmp_path, flips=600, seed=1, every=20)
    kinds = {"artifact.json", "audio-index.jsonl", "transcripts", "weights"}
    assert {kind for kind, way in results if way == "not read"} == kinds
    assert {kind for kind, way in results if way == "healed by a run"} == kinds
    assert sum(count for (_, way), count in results.items() if way == "not read") == 600


@pytest.mark.parametrize(("module", "name"), [(sealed, "_digest"), (store, "sha256")])
def test_a_digest_that_is_always_the_same_is_noticed(
    tmp_path: Path, module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, lambda *of: "0" * 64)
    with pytest.raises((WrongError, ValueError)):  # a line that is no JSON any more is read as little
        soak(tmp_path, flips=600, seed=1, every=1)
