"""The size gate: bytes are counted, and eight bits have to be half as large."""

from collections.abc import Callable

import pytest

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.size import is_short, judge_size
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.models.store import Artifact

Artifacts = Callable[..., Artifact]


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [(300, 0.5, Verdict.PASS), (500, 0.5, Verdict.INCONCLUSIVE), (501, 0.5, Verdict.FAIL), (1000, 1.1, Verdict.PASS)],
)
def test_size_is_counted(artifact: Artifacts, size: int, limit: float, expected: Verdict) -> None:
    outcome = judge_size(artifact("float32"), artifact("int8", size), max_ratio=limit)
    (check,) = outcome.judgement.checks
    assert check.verdict is expected
    assert check.lower == check.value == check.upper == size / 1000
    assert check.reason == f"{size:,} bytes against 1,000"
    assert outcome.judgement.detail("size") == size


@pytest.mark.parametrize(
    ("precision", "short"),
    [
        *((name, True) for name in ("int8", "int8-ptq", "int8-float32", "int4-sym", "int2-sym", "nf4", "fp8-e4m3")),
        *((name, True) for name in ("vq2x256", "vq4x16", "codebook", "sim-int1", "sim-ternary-channel")),
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
