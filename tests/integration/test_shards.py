"""Three shards of real models, decoded apart, are judged as one run judges all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_whisperq.backends.ctranslate2 import CTranslate2Backend
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.history.shards import Merged, save_shard
from pytest_whisperq.judging.verdict import Judgement

GATES = ("parity", "accuracy", "catastrophe", "size")


def judged(run: GateRunner) -> list[Judgement]:
    """Return what a run concludes, less what building took."""
    times = ("build_seconds", "build_memory")
    judgements = [run.judge(gate, run.config.candidates[0]).judgement for gate in GATES]
    return [replace(one, details=tuple(row for row in one.details if row[0] not in times)) for one in judgements]


@pytest.mark.matrix
def test_three_shards_say_what_one_run_says(
    tmp_path: Path, gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for number in (1, 2, 3):
        run = gate_run(candidate="ctranslate2:int8", shard=f"{number}/3", cache_dir=str(tmp_path / f"machine{number}"))
        files.append(tmp_path / f"run-{number}.json")
        save_shard(run.session, run.decode_share("accuracy", run.config.candidates[0]), [], files[-1])
    whole = gate_run(candidate="ctranslate2:int8", cache_dir=str(tmp_path / "whole"))
    expected = judged(whole)

    def load(*_: object) -> None:
        raise AssertionError("a model was loaded, or built")

    for name in ("load", "build"):
        monkeypatch.setattr(CTranslate2Backend, name, load)
    merge = ",".join(map(str, files))
    merged = gate_run(candidate="ctranslate2:int8", cache_dir=str(tmp_path / "judging"), merge=merge)
    merged.session.once(Merged)
    assert judged(merged) == expected
