"""``report.html``: one file that needs nothing else, rendered from the document of a run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from pytest_whisperq.config.choices import COUNTED
from pytest_whisperq.history.document import BASELINE, CANDIDATE, StoredRun
from pytest_whisperq.judging.verdict import Judgement, Series
from pytest_whisperq.measuring.scores import align
from pytest_whisperq.reporting import charts, diagnosis, side_by_side, templates
from pytest_whisperq.reporting.numbers import bounds, figure_cells, limit, number, title
from pytest_whisperq.reporting.overview import overview, rerun_line
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.normalizers import Normalizer

if TYPE_CHECKING:
    from jinja2 import Template

ROWS = 2000
"""Rows of the table of utterances at most: those that changed most stay. With recordings the page is below 10 MB."""

LONGEST = 600
"""Characters of a line of aligned texts, which is cut there."""


@cache
def _template() -> Template:
    environment = templates.environment()
    environment.filters["interval"] = _interval
    return environment.get_template("report.html.j2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of the table of utterances, and how many it has in all."""

    rows: list[dict[str, Any]]
    count: int


def render(
    document: Mapping[str, Any], table: Table, clips: Mapping[str, bytes] | None = None, audio_note: str = ""
) -> str:
    """Return the page, with a `utterance_table`. ``clips`` are recordings to be played, as FLAC files by utterance.

    Whatever the document says stays text: the template escapes it, and a content security policy allows the page's own
    script only.
    """
    from markupsafe import Markup

    gates = [(gate, Judgement.from_dict(gate["judgement"])) for gate in document["gates"]]
    judgements = [judgement for _, judgement in gates]
    run = StoredRun(name="", document=document)
    candidates = run.named(CANDIDATE)
    rates = side_by_side.rates(run)
    script, style = templates.asset("report.js"), templates.asset("charts.css") + templates.asset("report.css")
    metric = document["settings"]["metric"]
    drops = side_by_side.drops(run)
    return _template().render(
        document=document,
        reruns=[rerun_line(one["test"], one["earlier"]) for one in document["reruns"]],
        table=overview(judgements, [gate["waived_until"] for gate, _ in gates]),
        cards=[_card(name, document, gates) for name in dict.fromkeys(one.candidate for one in judgements)],
        counted=COUNTED[metric],
        error_name=metric.upper(),
        forests=_forests(run),
        drops=charts.forest(drops.rows, drops.limit) if len(candidates) > 1 else None,
        costs=_costs(run),
        unheard=[name for name in candidates if name not in rates],
        scatters=_scatters(judgements),
        diagnoses=[
            (
                one["candidate"],
                charts.blame(one),
                diagnosis.headline(one),
                diagnosis.conclusion(one),
                diagnosis.rows(one),
            )
            for one in document.get("diagnoses", ())
        ],
        diagnosis_headings=diagnosis.HEADINGS,
        candidates=candidates,
        rows=table.rows,
        left_out_rows=table.count - len(table.rows),
        clips={name: (number, _data_uri(data)) for number, (name, data) in enumerate((clips or {}).items(), 1)},
        audio_note=audio_note,
        environment=_environment(document),
        script=Markup(script),  # noqa: S704 - a file of ours
        style=Markup(style),  # noqa: S704
        script_hash=_hash(script),
        style_hash=_hash(style),
    )


def utterance_table(document: Mapping[str, Any], most: int | None = None) -> Table:
    """Return a row for each utterance and candidate that heard it, the largest losses first; at most ``most`` of them.

    Texts are aligned for those alone: of a million utterances that would take longer than the gates.
    """
    baseline = next(name for name, model in document["models"].items() if model["role"] == BASELINE)
    # Another installation's normalizer may be missing here: texts are then shown as they were said.
    normalizer = StoredRun(name="", document=document).own_normalizer or normalizers.get("identity")
    normalize = None if document["redacted"] else normalizer
    count, rows = 0, []

    def ranked() -> Iterator[tuple[int, bool, str, str, int]]:
        nonlocal count
        for place, item in enumerate(document["utterances"]):
            for name in _heard_by(document, item, baseline):
                count += 1
                is_same = not _is_changed(item, baseline, name, normalize)
                yield -_delta(item, baseline, name), is_same, item["id"], name, place

    for delta, is_same, _, name, place in sorted(ranked()) if most is None else nsmallest(most, ranked()):
        item = document["utterances"][place]
        errors = item["errors"] or {baseline: 0, name: 0}
        rows.append(
            {
                "id": item["id"],
                "candidate": name,
                "language": item["language"],
                "seconds": item["seconds"],
                "length": item["length"],
                "before": errors[baseline],
                "after": errors[name],
                "delta": -delta,
                "changed": not is_same,
                "texts": _aligned(item, baseline, name, normalize) if normalize else [],
            }
        )
    return Table(rows=rows, count=count)


def _heard_by(document: Mapping[str, Any], item: Mapping[str, Any], baseline: str) -> list[str]:
    """Return the candidates that heard an utterance, where the baseline did."""
    if baseline not in item["texts"]:
        return []
    models = document["models"]
    return [name for name in models if models[name]["role"] == CANDIDATE and name in item["texts"]]


def _delta(item: Mapping[str, Any], baseline: str, name: str) -> int:
    errors: Mapping[str, int] = item["errors"] or {}
    return errors.get(name, 0) - errors.get(baseline, 0)


def _is_changed(item: Mapping[str, Any], baseline: str, name: str, normalize: Normalizer | None) -> bool:
    before, after = item["texts"][baseline], item["texts"][name]
    if before == after or normalize is None:
        return bool(before != after)
    return normalize(before, item["language"]) != normalize(after, item["language"])


def _aligned(item: Mapping[str, Any], baseline: str, name: str, normalize: Normalizer) -> list[tuple[str, str]]:
    raw = (item["reference"], item["texts"][baseline], item["texts"][name])
    lines = align(*(normalize(text, item["language"]) for text in raw))
    cut = [line if len(line) <= LONGEST else f"{line[:LONGEST]} …" for line in lines]
    return list(zip(("reference", "baseline", "candidate"), cut, strict=True))


def worst(table: Table, count: int | None) -> list[str]:
    """Return the utterances that weigh most against each candidate, at most ``count`` for each.

    None: all that the table shows, those first.
    """
    by_candidate: dict[str, list[str]] = {}
    for row in table.rows:
        ids = by_candidate.setdefault(row["candidate"], [])
        if count is None or (row["delta"] > 0 and len(ids) < count):
            ids.append(row["id"])
    return list(dict.fromkeys(name for names in by_candidate.values() for name in names))


def _card(
    name: str, document: Mapping[str, Any], gates: Sequence[tuple[Mapping[str, Any], Judgement]]
) -> dict[str, Any]:
    pairs = [(gate, judgement) for gate, judgement in gates if judgement.candidate == name]
    model = document["models"].get(name)
    size = f"{model['size'] / 1e6:.1f} MB" if model and model["size"] is not None else ""
    seconds = model["build_seconds"] if model else None
    built = "converted elsewhere" if seconds is None else f"built in {seconds:.1f} s"
    first = next((judgement for _, judgement in pairs if judgement.compute_type), pairs[0][1])
    return {
        "name": name,
        "executed": first.executed,
        "model": f"{size}, {built}" if size else "",
        "gates": [
            {
                "gate": judgement.gate,
                "verdict": gate["verdict"],
                "condition": judgement.condition,
                "waived_until": gate["waived_until"],
                "checks": [
                    {
                        "title": title(check),
                        "value": number(check, check.value),
                        "bounds": bounds(check),
                        "limit": limit(check),
                        "verdict": check.verdict.value,
                        "reason": check.reason,
                    }
                    for check in judgement.checks
                ],
                "figures": [(figure.name, *figure_cells(figure)) for figure in judgement.figures],
                "notes": judgement.notes,
            }
            for gate, judgement in pairs
        ],
    }


def _forests(run: StoredRun) -> list[tuple[str, dict[str, Any]]]:
    forests = []
    for name in dict.fromkeys(row["candidate"] for row in run.document["slices"]):
        slices = [
            {**row, "label": f"{row['column']}={row['value']}" if row["column"] else "whole corpus"}
            for row in run.document["slices"]
            if row["candidate"] == name
        ]
        judged = side_by_side.judged_drop(run, name)
        check = judged.checks[0] if judged else None
        if check is not None:  # as the gate drew its bounds, by whatever test
            slices[0].update(drop=check.value, lower=check.lower, upper=check.upper)
        if chart := charts.forest(slices, check.limit if check else None):
            forests.append((name, chart))
    return forests


def _costs(run: StoredRun) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Return title, name of the x axis and chart of errors against size and against speed; None: not measured."""
    (baseline,) = run.named(BASELINE)
    sizes = charts.pareto(side_by_side.against_size(run), more_is_better=False)
    speeds = charts.pareto(side_by_side.against_speed(run), more_is_better=True)
    return [
        ("Errors against size", "MB on disk", sizes),
        ("Errors against speed", f"times as fast as {baseline}, the whole pipeline", speeds),
    ]


def _scatters(judgements: Sequence[Judgement]) -> list[tuple[str, dict[str, Any]]]:
    scatters = []
    for one in judgements:
        together: dict[str, list[Series]] = {}
        for series in one.series:
            together.setdefault(series.over, []).append(series)
        for series_of_one in together.values():
            line = 1.0 if one.gate == "speedup" else None
            if chart := charts.scatter(series_of_one, line):
                scatters.append((f"{one.candidate}: {one.gate}", chart))
    return scatters


def _environment(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    environment = document["environment"]
    rows = [("Python", environment["python"]), ("system", environment["platform"]), ("processor", environment["cpu"])]
    rows += [("GPU", environment["gpu"])] if environment.get("gpu") else []
    rows.append(("threads", str(environment["threads"])))
    return rows + [(name, version) for name, version in environment["versions"].items() if version != "absent"]


def _interval(interval: Mapping[str, Any]) -> str:
    value, lower, upper = (interval[key] for key in ("value", "lower", "upper"))
    if value is None:
        return "none"
    return f"{value:+.2f}" if None in (lower, upper) else f"{value:+.2f} ({lower:+.2f} … {upper:+.2f})"


def _data_uri(data: bytes) -> str:
    return f"data:audio/flac;base64,{base64.b64encode(data).decode()}"


def _hash(text: str) -> str:
    """Return how a content security policy names an inline script or style (CSP level 3, section 2.3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
