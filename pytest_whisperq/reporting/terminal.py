"""Judgements as text: the summary table at the end of a run, and what a failing gate says."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_whisperq.config.choices import METRICS
from pytest_whisperq.history.comparison import Comparison
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import LEAST, Judgement, Score, Verdict
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.reporting.numbers import (
    COLOURS,
    KEEP,
    bounds,
    console,
    figure_cells,
    finished,
    fitting,
    left_out,
    limit,
    number,
    rates,
    scale,
    title,
)
from pytest_whisperq.system.printing import printable

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2  # between columns
_ROOMY = 80  # from here on, columns are as wide in every table
_STYLES = {**COLOURS, "waived": "yellow"}


def explain(outcome: Outcome, replay: str, waived: str = "") -> str:
    """Return why a gate did not pass: figures, limits, bounds, sizes, the worst utterances, and how to run it again.

    ``waived`` are the terms of the waiver that excuses it; without one, the id that a waiver would need is shown.
    """
    judgement = outcome.judgement
    lines = [
        f"whisperq {judgement.gate} gate: {judgement.verdict.value}",
        f"  {judgement.executed}; against {judgement.baseline}" if judgement.baseline else f"  {judgement.executed}",
    ]
    if judgement.utterances:
        lines.append(f"  corpus {judgement.corpus}: {judgement.utterances} utterances, {judgement.counted}")
    if judgement.normalizer:
        lines.append(f"  normalizer {judgement.normalizer}; seed {judgement.seed}")
    if judgement.operations:
        lines.append(f"  executes {judgement.operations}")
    lines += [f"  {note}" for note in judgement.built]
    if known := rates(judgement):
        metric, before, after = known
        lines.append(f"  {metric} {before:.2f} % → {after:.2f} %")
    if judgement.condition:
        lines.append(f"  {judgement.condition}: {judgement.verdict.value}")
    for check in judgement.checks:
        unit = f"% {check.unit}" if check.unit.startswith("of ") else check.unit
        lines.append(
            f"  {check.name}: {number(check, check.value)} {unit} (must {KEEP[check.keep]} "
            f"{check.limit * scale(check):g}); {bounds(check)}"
        )
        lines.append(f"    {check.verdict.value}: {check.reason}")
    if len(judgement.scores) > 1:
        lines.append("  the same transcripts under other normalizers:")
        lines += [f"    {_score(score, judgement)}" for score in judgement.scores[1:]]
    if warning := dependence(judgement):
        lines.append(f"  {warning}")
    lines += [f"  {figure.name}: {' '.join(filter(None, figure_cells(figure)))}" for figure in judgement.figures]
    lines += [f"  {note}" for note in judgement.notes]
    if outcome.worst:
        lines.append(f"  worst {len(outcome.worst)} utterances ({outcome.counted}):")
    for evidence in outcome.worst:
        lines.append(f"    {evidence.utterance.id}  {evidence.weight:+d}  ({evidence.utterance.where})")
        lines += [f"      {label:9}  {row}" for label, row in evidence.rows]
    lines.append(f"  {waived}" if waived else f'  a waiver would name id = "{judgement.id}"')
    return "\n".join(map(printable, [*lines, f"  replay: {replay}"]))


def dependence(judgement: Judgement) -> str:
    """Return in a line that the verdict depends on the normalizer, and how; "" if it does not."""
    others = [f"{score.check.verdict.value} under {score.normalizer}" for score in judgement.contradictions]
    if not others:
        return ""
    verdict = f"{judgement.verdict.value} under {judgement.normalizer}"
    return f"the verdict depends on the normalizer: {verdict}, {', '.join(others)}"


def weakness(judgement: Judgement) -> str:
    """Return in a line that a gate passed on what its baseline mostly gets wrong; "" if it does not.

    Texts that stand beside another recording are such a case. A candidate loses of them only what is right by chance.
    """
    wrong = next((rate for key in METRICS if (rate := judgement.detail(f"baseline_{key}")) is not None), 0.0)
    if judgement.verdict is not Verdict.PASS or wrong < 1 - LEAST:
        return ""
    return (
        f"the baseline itself gets {wrong:.0%} wrong, and a candidate can only lose the rest: check that recordings "
        "and transcripts belong together, and model and language"
    )


def _score(score: Score, judgement: Judgement) -> str:
    """Return one line: error rates, drop and verdict under one normalizer."""
    shown = ("none" if rate is None else f"{100 * rate:.2f} %" for rate in (score.baseline_rate, score.candidate_rate))
    check, left = score.check, judgement.utterances - score.utterances
    empty = f"; {left} of {judgement.utterances} utterances left out, it leaves nothing of them" if left else ""
    figures = f"{judgement.metric.upper()} {' → '.join(shown)}, drop {number(check, check.value)}, {bounds(check)}"
    is_broken = score in judgement.broken
    verdict = "no verdict, less than half of the baseline's accuracy is left" if is_broken else check.verdict.value
    return f"{score.normalizer}: {figures}: {verdict}{empty}"


def doubt(judgement: Judgement) -> str:
    """Return in a line why a gate could not tell."""
    reasons = [f"{c.name}: {c.reason}" for c in judgement.checks if c.verdict is Verdict.INCONCLUSIVE]
    return printable(f"whisperq {judgement.gate} gate of {judgement.candidate} INCONCLUSIVE: {'; '.join(reasons)}")


def summary_table(
    judgements: Sequence[Judgement],
    *,
    width: int,
    colour: bool,
    tests: Sequence[str] | None = None,
    waived: Sequence[str] | None = None,
) -> str:
    """Return the table at the end of a run: under each candidate, one row a check.

    ``tests`` names the test of each judgement; shown where one gate was asked for by several tests. ``waived`` has the
    day until which each is waived, or an empty text. A last line names columns that a narrow terminal has no room for.
    """
    from rich.text import Text

    text = io.StringIO()
    screen = console(text, width, colour=colour)
    by_candidate: dict[str, list[tuple[str, Judgement, str]]] = {}
    none = [""] * len(judgements)
    for test, judgement, until in zip(tests or none, judgements, waived or none, strict=True):
        by_candidate.setdefault(judgement.candidate, []).append((test, judgement, until))
    missing: dict[str, None] = {}
    for name, named in by_candidate.items():
        of_candidate = [judgement for _, judgement, _ in named]
        before, bold, after = printable(_heading(of_candidate)).partition(printable(name))
        screen.print(Text.assemble(before, (bold, "bold"), after))
        for note in dict.fromkeys(note for judgement in of_candidate for note in judgement.built):
            screen.print(Text(printable(note)))
        table, lost = _table(of_candidate, _all_rows(named), screen.width)
        missing |= dict.fromkeys(lost)
        screen.print(table)
        for judgement in of_candidate:
            for note in judgement.notes:
                screen.print(printable(f"{judgement.gate}: {note}"))
    if missing:
        screen.print(left_out(missing))
    return finished(text.getvalue())


def _all_rows(named: Sequence[tuple[str, Judgement, str]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of one candidate; a single cell is the name of a test, where one gate is of several."""
    judgements = [judgement for _, judgement, _ in named]
    several = len({judgement.gate for judgement in judgements}) < len({test for test, _, _ in named})
    previous = ""
    shown = {check.name for judgement in judgements for check in judgement.checks}
    latest = {figure.name: figure for judgement in judgements for figure in judgement.figures}  # on the most rounds
    for test, judgement, until in named:
        if several and test != previous:
            yield (test,)
        previous = test
        yield from _rows(judgement)
        for name in (figure.name for figure in judgement.figures if figure.name not in shown):
            yield (name, *figure_cells(latest[name]), "", "")
            shown.add(name)  # gates share what they measure
        if until:
            yield ("waived until", until, "", "", "waived")


def _table(judgements: Sequence[Judgement], all_rows: Iterable[tuple[str, ...]], width: int) -> tuple[Table, list[str]]:
    """Return the table of one candidate, and the headings of what there is no room for; bounds stay before limits."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [tuple(map(printable, row)) for row in all_rows]
    levels = {
        check.confidence for judgement in judgements for check in judgement.checks if check.confidence is not None
    }
    level = f"{100 * levels.pop():g}% bounds" if len(levels) == 1 else "bounds"
    headings = ("measured", "value", level, "limit", "verdict")
    room: tuple[int, ...] = (16, 16, 18, 7, 12)
    if width < _ROOMY:  # names are folded, figures are not
        cells = zip(headings, *(row for row in rows if len(row) > 1), strict=True)
        room = (room[0], *(max(map(len, column)) for column in list(cells)[1:]))
    kept = fitting([one + _GAP for one in room], (0, 1, 4), (2, 3), width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in kept:
        least = room[column] if column or width >= _ROOMY else 0
        table.add_column(headings[column], no_wrap=column > 0, min_width=least, overflow="fold")
    for row in rows:
        if len(row) == 1:
            table.add_row(Text(row[0], "dim"))
        else:
            table.add_row(*(row[column] for column in kept[:-1]), Text(row[-1], _STYLES.get(row[-1], "")))
    return table, [heading for column, heading in enumerate(headings) if column not in kept]


def _heading(judgements: Sequence[Judgement]) -> str:
    """Say of a candidate what it runs as, and what building it took and left."""
    first = next((judgement for judgement in judgements if judgement.compute_type), judgements[0])
    size, seconds, memory = map(first.detail, ("size", "build_seconds", "build_memory"))
    if size is None:
        return first.executed
    peak = "" if memory is None else f" with at most {memory / 1e6:.0f} MB"
    built = "converted elsewhere" if seconds is None else f"built in {seconds:.1f} s{peak}"
    return f"{first.executed}; {size / 1e6:.1f} MB, {built}"


def _rows(judgement: Judgement) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (
            title(check),
            number(check, check.value),
            bounds(check).rpartition(": ")[2],
            limit(check),
            check.verdict.value,
        )
        for check in judgement.checks
    ]
    if judgement.condition:
        rows.append((judgement.condition, "", "", "", judgement.verdict.value))
    if figures := rates(judgement):
        metric, before, after = figures
        rows.insert(0, (f"{metric}, %", f"{before:.2f} → {after:.2f}", "", "", ""))
    kept, least = judgement.detail("no_regression"), judgement.detail("no_regression_lower")
    if kept is not None and least is not None:
        rows.insert(0, ("no worse (QoI), %", f"{100 * kept:.2f}", f"at least {100 * least:.2f}", "", ""))
    for kind in ("word", "segment"):
        median, most = judgement.detail(f"{kind}_shift"), judgement.detail(f"{kind}_shift_95")
        if median is not None and most is not None:
            rows.insert(0, (f"{kind} shift, s", f"{median:.2f}", f"95 % within {most:.2f}", "", ""))
    return rows


def comparison_text(comparison: Comparison) -> str:
    """Return what two runs have to say about each other, for a terminal."""
    lines = [f"{comparison.old} → {comparison.new}"]
    if comparison.refused:
        lines.append(f"not compared: {comparison.refused}")
    for one in comparison.candidates:
        name = one.new if one.old == one.new else f"{one.new}, then {one.old}"
        (base, base_now), (candidate, candidate_now) = one.rates
        lines += [
            name,
            f"  {'':20} {'then':>7}  {'now':>7}   change, points of error rate",
            f"  {'baseline':20} {base:7.2f}  {base_now:7.2f}   {_interval(one.change.base)}",
            f"  {'candidate':20} {candidate:7.2f}  {candidate_now:7.2f}   {_interval(one.change.total)}",
            f"  {'beyond the baseline':20} {'':7}  {'':7}   {_interval(one.change.quantized)}",
            *(f"  {words}" for words in one.words),
        ]
    return "\n".join(map(printable, [*lines, *comparison.left_out, *comparison.speed, *comparison.provenance]))


def _interval(interval: Interval) -> str:
    if interval.value is None or interval.lower is None or interval.upper is None:
        return "too few utterances for bounds"
    return f"{interval.value:+.2f} ({interval.lower:+.2f} … {interval.upper:+.2f})"
