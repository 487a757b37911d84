"""All models of a run in one chart: what each loses, and what its errors cost in bytes or in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_whisperq.history.document import BASELINE, CANDIDATE, StoredRun
from pytest_whisperq.judging.verdict import Figure, Judgement
from pytest_whisperq.reporting.charts import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Drops:
    """Rows for `charts.forest`, one for each candidate, and the limit, where all have the same."""

    rows: tuple[Mapping[str, Any], ...]
    limit: float | None


def judged_drop(run: StoredRun, candidate: str) -> Judgement | None:
    """Return what the first accuracy gate said of a candidate's drop in points of the run's metric."""
    wanted = (candidate, "accuracy", run.metric)
    found = (one for one in run.judgements if (one.candidate, one.gate, one.metric) == wanted)
    return next((one for one in found if one.checks and one.checks[0].unit == "points"), None)


def drops(run: StoredRun) -> Drops:
    """Return the drop of every candidate: as its gate bounded it, and otherwise as the document's slices do."""
    whole = {row["candidate"]: row for row in run.document["slices"] if not row["column"]}
    rows, limits = [], set()
    for name in run.named(CANDIDATE):
        if (judged := judged_drop(run, name)) is not None:
            check = judged.checks[0]
            rows.append(_row(name, judged.utterances, check.value, check.lower, check.upper))
            limits.add(check.limit)
        elif name in whole:
            row = whole[name]
            rows.append(_row(name, row["utterances"], row["drop"], row["lower"], row["upper"]))
    return Drops(rows=tuple(rows), limit=limits.pop() if len(limits) == 1 else None)


def _row(name: str, utterances: int, drop: float | None, lower: float | None, upper: float | None) -> dict[str, Any]:
    return {"label": name, "utterances": utterances, "drop": drop, "lower": lower, "upper": upper}


def rates(run: StoredRun) -> dict[str, float]:
    """Return the error rate of each model that heard the whole corpus, in per cent; the baseline first."""
    totals = run.totals
    models = [*run.models(BASELINE), *run.models(CANDIDATE)] if totals.length else []
    return {name: 100 * totals.errors[name] / totals.length for name in models}


def against_size(run: StoredRun) -> list[Point]:
    """Return each model that heard the whole corpus with its megabytes on disk."""
    sizes = {name: model["size"] for name, model in run.document["models"].items()}
    return [
        _point(run, name, rate, sizes[name] / 1e6, f"{sizes[name] / 1e6:.1f} MB")
        for name, rate in rates(run).items()
        if sizes[name] is not None
    ]


def against_speed(run: StoredRun) -> list[Point]:
    """Return each candidate whose pipeline was timed against the baseline with its speedup, and then the baseline too.

    Of a candidate that was timed against its own backend at float32 the gate reports that speedup besides.
    """
    known, points = rates(run), []
    (baseline,) = run.named(BASELINE)
    for name in run.named(CANDIDATE):
        speedup = pipeline_speedup(run, name)
        if speedup is not None and name in known:
            bounds = "" if None in (speedup.lower, speedup.upper) else f" ({speedup.lower:.2f} … {speedup.upper:.2f})"
            points.append(_point(run, name, known[name], speedup.value, f"{speedup.value:.2f} times as fast{bounds}"))
    if points and baseline in known:
        points.insert(0, _point(run, baseline, known[baseline], 1.0, "the baseline"))
    return points


def pipeline_speedup(run: StoredRun, candidate: str) -> Figure | None:
    """Return how many times as fast as the run's baseline a candidate is, where that was measured."""
    (baseline,) = (name.removesuffix(" (baseline)") for name in run.named(BASELINE))
    for one in run.judgements:
        if (one.gate, one.candidate) != ("speedup", candidate):
            continue
        names = {f"pipeline speedup over {baseline}"}
        if one.baseline.partition(" → ")[0] == baseline:
            names.add("pipeline speedup")
        for found in one.reported().figures:
            if found.name in names:
                return found
    return None


def _point(run: StoredRun, name: str, rate: float, x: float, cost: str) -> Point:
    is_baseline = name in run.named(BASELINE)
    return Point(name=name, x=x, rate=rate, text=f"{name}: {rate:.2f} % wrong, {cost}", is_baseline=is_baseline)
