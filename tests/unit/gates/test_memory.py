"""The memory gate: peaks of fresh processes, and what a process that dies says."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_whisperq import load_corpus
from pytest_whisperq.backends import Clip
from pytest_whisperq.gates.memory import judge_memory
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.memory import MemoryMeasurement, measure_memory
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech import audio
from pytest_whisperq.system.errors import DecodeError, StoreError

Artifacts = Callable[..., Artifact]


@pytest.mark.parametrize(
    ("own", "limit", "expected"),
    [
        ([60, 61, 62], 0.7, Verdict.PASS),
        ([60, 61, 66], 0.7, Verdict.INCONCLUSIVE),  # 66 of 94 is more than 0.7
        ([80, 81, 85], 0.7, Verdict.FAIL),
    ],
)
def test_memory_is_bounded_by_the_extremes_of_the_processes(
    artifact: Artifacts, own: list[int], limit: float, expected: Verdict
) -> None:
    base, mine = (
        MemoryMeasurement(compute_type=kind, device="cpu", peaks=tuple(p))
        for kind, p in (("float32", [100, 94, 98]), ("int8", own))
    )
    outcome = judge_memory(artifact("float32"), artifact("int8"), (base, mine), max_ratio=limit)
    (check,) = outcome.judgement.checks
    assert check.verdict is expected
    assert (check.lower, check.upper) == (min(own) / 100, max(own) / 94)
    assert check.confidence is None
    assert (outcome.judgement.detail("peak_memory"), outcome.judgement.detail("baseline_peak_memory")) == (own[1], 98)


def test_memory_is_that_of_a_fresh_process(
    artifact: Artifacts, tmp_path: Path, make_corpus: object, make_script: object
) -> None:
    folder = make_corpus(tmp_path / "calls", ["one"])  # type: ignore[operator]
    model = make_script(tmp_path / "model", folder, {"int8": None})  # type: ignore[operator]
    (item,) = load_corpus(folder).utterances
    clips = [Clip(samples=audio.load(item.audio), language="en")]
    found = measure_memory(artifact("int8", directory=model), clips, threads=1, repeats=2)
    assert found.compute_type == "int8"
    assert len(found.peaks) == 2
    assert all(10e6 < peak < 1e9 for peak in found.peaks)


def test_a_process_that_fails_says_why(artifact: Artifacts, tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"scripted:int8: failed in the process .*scripted\.json"):
        measure_memory(artifact("int8", directory=tmp_path), [], threads=1, repeats=1)


def test_a_process_that_is_killed_says_by_what(artifact: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="Loading weights: 100%")
    monkeypatch.setattr("pytest_whisperq.measuring.memory.subprocess.run", lambda *_, **__: killed)
    with pytest.raises(DecodeError, match="ended by SIGKILL, probably because memory ran out"):
        measure_memory(artifact("int8"), [], threads=1, repeats=1)


def test_a_folder_for_temporary_files_without_room_is_one_message(
    artifact: Artifacts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clips = [Clip(samples=np.zeros(16_000, np.float32), language=None)]

    def full(path: Path, **arrays: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(StoreError, match=r"^TMPDIR: the recordings .*, 0\.1 MB, cannot be written: No space left"):
            measure_memory(artifact("float32"), clips, threads=1, repeats=1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StoreError, match=r"^TMPDIR: .*: No such file or directory; let it name a folder"):
        measure_memory(artifact("float32"), clips, threads=1, repeats=1)
