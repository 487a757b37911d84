"""``summary.md``: what a reviewer reads under a pull request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.reporting import diagnosis
from pytest_whisperq.reporting.numbers import bounds, limit, number, title
from pytest_whisperq.reporting.overview import overview, rerun_line
from pytest_whisperq.system.printing import visible

LONGEST = 60_000
"""Characters; a comment on GitHub holds 65,536."""

_SIGNS = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔", "REPORTED": ""}


def summary(document: Mapping[str, Any]) -> str:
    """Return the summary of a run: the table, and why each gate that did not pass did not."""
    gates = [(gate, Judgement.from_dict(gate["judgement"])) for gate in document["gates"]]
    table = overview([judgement for _, judgement in gates], [gate["waived_until"] for gate, _ in gates])
    corpus, settings = document["corpus"], document["settings"]
    lines = [
        f"## {_SIGNS[document['verdict']]} whisperq: {document['verdict']}".replace("  ", " "),
        "",
        *markdown_table(table.headings, table.rows),
        "",
        (
            f"{escape(settings['model'])} against {escape(settings['baseline'])} on {escape(corpus['name'])}: "
            f"{corpus['utterances']} utterances; {escape(settings['normalizer'])}; bounds at "
            f"{100 * settings['confidence']:g} %, seed {settings['seed']}."
        ),
    ]
    notes = corpus.get("notes", ())
    lines += ["", *(f"- {escape(note)}" for note in notes)] if notes else []
    for name, model in document["models"].items():
        built = [model["calibration"], *model.get("notes", ())]
        lines += ["", *(f"- {escape(name)}: {escape(text)}." for text in built if text)] if any(built) else []
    if document["cut_short"]:
        lines += ["", "**The run was cut short: gates may be missing.**"]
    lines += [f"\n{escape(rerun_line(one['test'], one['earlier']))}." for one in document["reruns"]]
    reasons = [line for gate, judgement in gates for line in _reasons(gate, judgement)]
    reasons += [f"- **{escape(one['test'])}** {one['outcome']}: {escape(one['message'])}" for one in document["broken"]]
    if reasons:
        lines += ["", "### What did not pass", "", *reasons]
    for one in document.get("diagnoses", ()):
        lines += ["", f"### Blocks of {escape(one['candidate'])}", "", f"{escape(diagnosis.headline(one))}.", ""]
        lines += markdown_table(diagnosis.HEADINGS, diagnosis.rows(one)[: diagnosis.SHOWN])
        lines += ["", *(f"- {escape(line)}." for line in diagnosis.conclusion(one))]
    for one in document["compared"]:
        lines += ["", f"### Since {escape(one['old'])}", "", *compared_lines(one)]
    text = "\n".join(lines) + "\n"
    if len(text) <= LONGEST:
        return text
    cut = text[:LONGEST]
    return f"{cut[: cut.rindex(chr(10))]}\n\n(cut here; report.html has the rest)\n"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(escape(cell) for cell in line)} |" for line in lines]


def compared_lines(one: Mapping[str, Any]) -> list[str]:
    """Return what a comparison found, as lines of a list."""
    lines = [f"- Not compared: {escape(one['refused'])}."] if one["refused"] else []
    for change in one["candidates"]:
        (base, base_now), (candidate, candidate_now) = change["rates"]
        figures = f"baseline {base:.2f} % → {base_now:.2f} %, candidate {candidate:.2f} % → {candidate_now:.2f} %"
        lines.append(f"- {escape(change['new'])}: {figures}")
        lines += [f"  - {escape(words)}" for words in change["words"]]
    others = (line for key in ("left_out", "speed", "provenance") for line in one[key])
    return lines + [f"- {escape(line)}" for line in others]


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in a table too."""
    text = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", visible(" ".join(text.split())))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\u200b")  # nobody is to be called by what a model said


def _reasons(gate: Mapping[str, Any], judgement: Judgement) -> list[str]:
    if judgement.verdict is Verdict.PASS:
        return []
    waived = f", waived until {gate['waived_until']}" if gate["waived_until"] else ""
    condition = f"- **{escape(judgement.id)}** {judgement.verdict.value}{waived}: {escape(judgement.condition)}."
    lines = [condition] if judgement.condition else []
    for check in judgement.checks:
        if check.verdict is not Verdict.PASS:
            figures = f"{title(check)} {number(check, check.value)} ({bounds(check)}), must be {limit(check)}"
            named = f"**{escape(judgement.id)}** {check.verdict.value}{waived}"
            lines.append(f"- {named}: {escape(figures)}. {escape(check.reason)}")
    return lines
