"""``report.html``: one file that needs nothing else, rendered from the document of a run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from pytest_whisperq.history.document import BASELINE, CANDIDATE
from pytest_whisperq.judging.verdict import Judgement, Series
from pytest_whisperq.measuring.scores import COUNTED, align
from pytest_whisperq.reporting import charts
from pytest_whisperq.reporting.numbers import bounds, figure_cells, limit, number, title
from pytest_whisperq.reporting.overview import overview, rerun_line
from pytest_whisperq.speech import normalizers
from pytest_whisperq.system.printing import visible

ROWS = 3000
"""Rows of the table of utterances at most: those that changed most stay."""

LONGEST = 600
"""Characters of a line of aligned texts, which is cut there."""


def render(document: Mapping[str, Any], clips: Mapping[str, bytes] | None = None, audio_note: str = "") -> str:
    """Return the page. ``clips`` are recordings to be played, as FLAC files by utterance.

    Whatever the document says stays text: the template escapes it, and a content security policy allows the page's own
    script only.
    """
    import jinja2
    from markupsafe import Markup

    gates = [(gate, Judgement.from_dict(gate["judgement"])) for gate in document["gates"]]
    judgements = [judgement for _, judgement in gates]
    candidates = [name for name, model in document["models"].items() if model["role"] == CANDIDATE]
    rows = utterance_table(document)
    script, style = _asset("report.js"), _asset("report.css")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=_shown
    )
    environment.filters["interval"] = _interval
    metric = document["settings"]["metric"]
    trusted = environment.from_string(_asset("report.html.j2"))
    return trusted.render(
        document=document,
        reruns=[rerun_line(one["test"], one["earlier"]) for one in document["reruns"]],
        table=overview(judgements, [gate["waived_until"] for gate, _ in gates]),
        cards=[_card(name, document, gates) for name in dict.fromkeys(one.candidate for one in judgements)],
        counted=COUNTED[metric],
        error_name=metric.upper(),
        forests=_forests(document, judgements),
        pareto=charts.pareto(_points(judgements, document["models"])),
        scatters=_scatters(judgements),
        candidates=candidates,
        rows=rows[:ROWS],
        left_out_rows=max(0, len(rows) - ROWS),
        clips={name: (number, _data_uri(data)) for number, (name, data) in enumerate((clips or {}).items(), 1)},
        audio_note=audio_note,
        environment=_environment(document),
        script=Markup(script),  # noqa: S704 - a file of ours
        style=Markup(style),  # noqa: S704
        script_hash=_hash(script),
        style_hash=_hash(style),
    )


def _shown(value: Any) -> Any:
    """Return what the page shows of a value: of a text, lines of which none is turned around."""
    is_ours = not isinstance(value, str) or hasattr(value, "__html__")
    return value if is_ours else "\n".join(map(visible, value.split("\n")))


def utterance_table(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each utterance and candidate that heard it, the largest losses first."""
    models = document["models"]
    baseline = next(name for name, model in models.items() if model["role"] == BASELINE)
    candidates = [name for name, model in models.items() if model["role"] == CANDIDATE]
    normalizer = normalizers.get(document["settings"]["normalizer"].partition(" ")[0])
    rows = []
    for item in document["utterances"]:
        for name in candidates:
            if baseline not in item["texts"] or name not in item["texts"]:
                continue
            errors = item["errors"] or {baseline: 0, name: 0}
            texts: list[tuple[str, str]] = []
            if document["redacted"]:
                is_changed = item["texts"][baseline] != item["texts"][name]
            else:
                raw = (item["reference"], item["texts"][baseline], item["texts"][name])
                normalized = [normalizer(text, item["language"]) for text in raw]
                is_changed = normalized[1] != normalized[2]
                lines = [line if len(line) <= LONGEST else f"{line[:LONGEST]} …" for line in align(*normalized)]
                texts = list(zip(("reference", "baseline", "candidate"), lines, strict=True))
            rows.append(
                {
                    "id": item["id"],
                    "candidate": name,
                    "language": item["language"],
                    "seconds": item["seconds"],
                    "length": item["length"],
                    "before": errors[baseline],
                    "after": errors[name],
                    "delta": errors[name] - errors[baseline],
                    "changed": is_changed,
                    "texts": texts,
                }
            )
    return sorted(rows, key=lambda row: (-row["delta"], not row["changed"], row["id"], row["candidate"]))


def worst(document: Mapping[str, Any], count: int | None) -> list[str]:
    """Return the utterances that weigh most against each candidate, at most ``count`` for each.

    None: all that the table shows, those first.
    """
    rows = utterance_table({**document, "redacted": True})[:ROWS]  # without texts
    by_candidate: dict[str, list[str]] = {}
    for row in rows:
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


def _forests(document: Mapping[str, Any], judgements: Sequence[Judgement]) -> list[tuple[str, dict[str, Any]]]:
    metric = document["settings"]["metric"]
    checks = {
        one.candidate: one.checks[0]
        for one in judgements
        if one.gate == "accuracy" and one.metric == metric and one.checks and one.checks[0].unit == "points"
    }
    forests = []
    for name in dict.fromkeys(row["candidate"] for row in document["slices"]):
        slices = [dict(row) for row in document["slices"] if row["candidate"] == name]
        check = checks.get(name)
        if check is not None:  # as the gate drew its bounds, by whatever test
            slices[0].update(drop=check.value, lower=check.lower, upper=check.upper)
        if chart := charts.forest(slices, check.limit if check else None):
            forests.append((name, chart))
    return forests


def _points(
    judgements: Sequence[Judgement], models: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, float, float, float]]:
    """Return (name, error rate in %, RTFx, bytes) of each candidate of which all three are known."""
    rates: dict[str, float] = {}
    speeds: dict[str, float] = {}
    for one in judgements:
        rate = one.detail(f"candidate_{one.metric}")
        if one.gate == "accuracy" and rate is not None:
            rates[one.candidate] = 100 * rate
        speeds.update((one.candidate, figure.value) for figure in one.figures if figure.name == "RTFx")
    names = [name for name in rates if name in speeds and name in models]
    return [(name, rates[name], speeds[name], float(models[name]["size"] or 0)) for name in names]


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
    rows.append(("threads", str(environment["threads"])))
    return rows + [(name, version) for name, version in environment["versions"].items() if version != "absent"]


def _interval(interval: Mapping[str, Any]) -> str:
    value, lower, upper = (interval[key] for key in ("value", "lower", "upper"))
    if value is None:
        return "none"
    return f"{value:+.2f}" if None in (lower, upper) else f"{value:+.2f} ({lower:+.2f} … {upper:+.2f})"


def _data_uri(data: bytes) -> str:
    return f"data:audio/flac;base64,{base64.b64encode(data).decode()}"


def _asset(name: str) -> str:
    return (resources.files("pytest_whisperq.reporting") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return how a content security policy names an inline script or style (CSP level 3, section 2.3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
