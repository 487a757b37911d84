"""What the charts of all models of a run are drawn of."""

from collections.abc import Callable
from typing import Any

from pytest_whisperq.history.document import StoredRun
from pytest_whisperq.judging.verdict import Check, Figure, Judgement, Verdict
from pytest_whisperq.reporting import side_by_side

BASE, INT8, PTQ = "transformers:float32", "openvino:int8", "openvino:int8-ptq"
ERRORS = {BASE: [1] * 8, INT8: [2] * 8, PTQ: [1] * 7 + [3]}

MakeStored = Callable[..., StoredRun]


def check(name: str, value: float, limit: float = 1.0, unit: str = "points") -> Check:
    return Check(
        name=name,
        value=value,
        limit=limit,
        keep="below",
        lower=value - 1,
        upper=value + 1,
        confidence=0.95,
        unit=unit,
        verdict=Verdict.PASS,
        reason="",
    )


def gates(*judgements: Judgement) -> dict[str, Any]:
    return {"gates": [{"judgement": one.to_dict()} for one in judgements]}


def accuracy(candidate: str, drop: Check, metric: str = "wer") -> Judgement:
    return Judgement(
        gate="accuracy", candidate=candidate, baseline=BASE, checks=(drop,), metric=metric, utterances=8, words=48
    )


def speedup(candidate: str, baseline: str, *figures: Figure, stage: str = "pipeline") -> Judgement:
    checks = (check(f"{stage} speedup", 3.0, unit="times"),)
    return Judgement(gate="speedup", candidate=candidate, baseline=baseline, checks=checks, figures=figures)


def test_a_rate_is_that_of_all_words_of_the_corpus(make_stored: MakeStored) -> None:
    assert side_by_side.rates(make_stored("run", ERRORS)) == {BASE: 100 / 6, INT8: 100 / 3, PTQ: 100 * 10 / 48}


def test_drops_are_those_that_the_gates_judged(make_stored: MakeStored) -> None:
    slices = [
        {"candidate": name, "column": column, "value": "", "utterances": 8, "drop": 5.0, "lower": 4.0, "upper": 6.0}
        for name in (INT8, PTQ)
        for column in ("", "language")
    ]
    judged = accuracy(PTQ, check("drop", 4.2)), accuracy(PTQ, check("drop", 9.9, limit=3.0))
    found = side_by_side.drops(make_stored("run", ERRORS, changes={"slices": slices, **gates(*judged)}))
    assert [(row["label"], row["drop"], row["lower"]) for row in found.rows] == [(INT8, 5.0, 4.0), (PTQ, 4.2, 3.2)]
    assert found.limit == 1.0


def test_drops_in_another_unit_or_metric_are_not_on_the_axis(make_stored: MakeStored) -> None:
    judged = accuracy(INT8, check("drop", 4.2, unit="%")), accuracy(PTQ, check("CER drop", 4.2), metric="cer")
    found = side_by_side.drops(make_stored("run", ERRORS, changes={"slices": [], **gates(*judged)}))
    assert (found.rows, found.limit) == ((), None)


def test_limits_that_differ_are_no_line(make_stored: MakeStored) -> None:
    judged = accuracy(INT8, check("drop", 4.2)), accuracy(PTQ, check("drop", 4.2, limit=3.0))
    assert side_by_side.drops(make_stored("run", ERRORS, changes={"slices": [], **gates(*judged)})).limit is None


def test_speed_is_that_against_the_baseline_of_all(make_stored: MakeStored) -> None:
    over_all = Figure(name=f"pipeline speedup over {BASE}", value=1.7, lower=1.6, upper=1.8)
    judged = (
        speedup(INT8, BASE),
        speedup(PTQ, "openvino:float32", stage="encoder"),
        speedup(PTQ, "openvino:float32", over_all),
    )
    points = side_by_side.against_speed(make_stored("run", ERRORS, changes=gates(*judged)))
    assert [(one.name, one.x, one.is_baseline) for one in points] == [
        (BASE, 1.0, True),
        (INT8, 3.0, False),
        (PTQ, 1.7, False),
    ]
    assert points[2].text == f"{PTQ}: 20.83 % wrong, 1.70 times as fast (1.60 … 1.80)"


def test_a_speedup_over_another_model_is_not_on_the_axis(make_stored: MakeStored) -> None:
    judged = speedup(PTQ, "openvino:float32"), speedup(INT8, BASE, stage="decoder")
    run = make_stored("run", ERRORS, changes=gates(*judged))
    assert side_by_side.against_speed(run) == []


def test_what_was_only_reported_counts_too(make_stored: MakeStored) -> None:
    run = make_stored("run", ERRORS, changes=gates(speedup(INT8, f"{BASE} → bfloat16").reported()))
    assert [one.x for one in side_by_side.against_speed(run)] == [1.0, 3.0]


def test_size_is_in_megabytes(make_stored: MakeStored) -> None:
    sizes = {BASE: 150_500_000, INT8: None, PTQ: 41_200_000}
    run = make_stored("run", ERRORS, changes={f"models.{name}.size": size for name, size in sizes.items()})
    points = side_by_side.against_size(run)
    assert [(one.name, one.x) for one in points] == [(BASE, 150.5), (PTQ, 41.2)]
    assert points[1].text == f"{PTQ}: 20.83 % wrong, 41.2 MB"
