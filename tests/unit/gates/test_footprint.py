"""Gates on size, memory and repetition: what is counted, and when it passes."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_whisperq import load_corpus
from pytest_whisperq.backends import Clip, Hypothesis
from pytest_whisperq.gates.determinism import judge_determinism
from pytest_whisperq.gates.memory import judge_memory
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.size import is_short, judge_size
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.memory import MemoryMeasurement, measure_memory
from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.system.errors import DecodeError

SOURCE = SourceModel(name="made", directory=Path("nowhere"), identity="made")


def artifact(precision: str, size: int = 1000, directory: Path = SOURCE.directory) -> Artifact:
    spec = ModelSpec(backend="scripted", precision=precision, source=SOURCE)
    return Artifact(spec=spec, key="", directory=directory, identity="", size=size, build_seconds=1.0)


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [(300, 0.5, Verdict.PASS), (500, 0.5, Verdict.INCONCLUSIVE), (501, 0.5, Verdict.FAIL), (1000, 1.1, Verdict.PASS)],
)
def test_size_is_counted(size: int, limit: float, expected: Verdict) -> None:
    outcome = judge_size(artifact("float32"), artifact("int8", size), max_ratio=limit)
    (check,) = outcome.judgement.checks
    assert check.verdict is expected
    assert check.lower == check.value == check.upper == size / 1000
    assert check.reason == f"{size:,} bytes against 1,000"
    assert outcome.judgement.detail("size") == size


@pytest.mark.parametrize(
    ("own", "limit", "expected"),
    [
        ([60, 61, 62], 0.7, Verdict.PASS),
        ([60, 61, 66], 0.7, Verdict.INCONCLUSIVE),  # 66 of 94 is more than 0.7
        ([80, 81, 85], 0.7, Verdict.FAIL),
    ],
)
def test_memory_is_bounded_by_the_extremes_of_the_processes(own: list[int], limit: float, expected: Verdict) -> None:
    base, mine = (
        MemoryMeasurement(compute_type=kind, peaks=tuple(p)) for kind, p in (("float32", [100, 94, 98]), ("int8", own))
    )
    outcome = judge_memory(artifact("float32"), artifact("int8"), (base, mine), max_ratio=limit)
    (check,) = outcome.judgement.checks
    assert check.verdict is expected
    assert (check.lower, check.upper) == (min(own) / 100, max(own) / 94)
    assert check.confidence is None


def decoded(*texts: str) -> list[Hypothesis]:
    return [Hypothesis(text=text, tokens=tuple(map(ord, text))) for text in texts]


@pytest.mark.parametrize(
    ("precision", "short"),
    [
        *((name, True) for name in ("int8", "int8-ptq", "int8-float32", "int4-sym", "int2-sym", "nf4", "fp8-e4m3")),
        *((name, False) for name in ("float32", "bfloat16", "float16", "int16", "mixed")),
    ],
)
def test_precisions_of_eight_bits_or_fewer_are_told_by_their_names(precision: str, short: bool) -> None:
    assert is_short(precision) is short


@pytest.mark.parametrize(
    ("candidate", "option", "marker", "limit"),
    [
        ("scripted:int8", None, None, 0.5),
        ("scripted:float32", None, None, 1.1),
        ("scripted:int8", "0.9", None, 0.9),
        ("scripted:int8", "0.9", 0.7, 0.7),
    ],
)
def test_eight_bits_have_to_be_half_as_large_unless_another_limit_is_given(
    start_run: Callable[..., GateRunner], candidate: str, option: str | None, marker: float | None, limit: float
) -> None:
    baseline = "scripted:int8" if candidate == "scripted:float32" else "scripted:float32"
    run = start_run(candidate=candidate, max_size_ratio=option, baseline=baseline)
    (check,) = run.judge("size", run.config.candidates[0], max_ratio=marker).judgement.checks
    assert check.limit == limit
    assert check.verdict is (Verdict.PASS if limit > 1 else Verdict.FAIL)  # a script is as long whatever the precision


def test_one_clip_that_differs_is_proof(tmp_path: Path, make_corpus: object) -> None:
    corpus = load_corpus(make_corpus(tmp_path, ["one", "two", "three"]))  # type: ignore[operator]
    steady = decoded("one", "two", "three")
    assert verdict(corpus, [steady, steady, steady]) is Verdict.PASS
    assert verdict(corpus, [steady, steady, decoded("one", "too", "three")]) is Verdict.FAIL
    other_tokens = [*steady[:2], replace(steady[2], tokens=(1,))]
    assert verdict(corpus, [steady, other_tokens]) is Verdict.FAIL


def verdict(corpus: Corpus, runs: list[list[Hypothesis]]) -> Verdict:
    outcome = judge_determinism(artifact("int8"), "int8", corpus, runs, seed=0)
    assert len(outcome.worst) == (outcome.judgement.verdict is Verdict.FAIL)
    return outcome.judgement.verdict


def test_memory_is_that_of_a_fresh_process(tmp_path: Path, make_corpus: object, make_script: object) -> None:
    folder = make_corpus(tmp_path / "calls", ["one"])  # type: ignore[operator]
    model = make_script(tmp_path / "model", folder, {"int8": None})  # type: ignore[operator]
    (item,) = load_corpus(folder).utterances
    clips = [Clip(samples=audio.load(item.audio), language="en")]
    found = measure_memory(artifact("int8", directory=model), clips, threads=1, repeats=2)
    assert found.compute_type == "int8"
    assert len(found.peaks) == 2
    assert all(10e6 < peak < 1e9 for peak in found.peaks)


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"scripted:int8: failed in the process .*scripted\.json"):
        measure_memory(artifact("int8", directory=tmp_path), [], threads=1, repeats=1)


def test_a_process_that_is_killed_says_by_what(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="Loading weights: 100%")
    monkeypatch.setattr("pytest_whisperq.measuring.memory.subprocess.run", lambda *_, **__: killed)
    with pytest.raises(DecodeError, match="ended by SIGKILL, probably because memory ran out"):
        measure_memory(artifact("int8"), [], threads=1, repeats=1)
