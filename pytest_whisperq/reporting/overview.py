"""One row a candidate: what it ran as, what it lost, what it gained, and the verdict."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_whisperq.judging.verdict import TIMES, Check, Figure, Judgement, Verdict
from pytest_whisperq.reporting.numbers import COLOURS, console, finished, fitting, left_out, number, rates
from pytest_whisperq.system.printing import printable

_RATES = ("WER, %", "CER, %", "MER, %")
_DROPS = ("drop", "CER drop", "MER drop")
_FIRST = (*_DROPS, *_RATES)
"""What a narrow terminal shows before anything else."""

_GAP = 2  # between columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A table: ``headings``, and for each candidate its cells and the verdict, which stands last."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def rerun_line(test: str, earlier: Sequence[str]) -> str:
    """Return in a line that a test was run again, and what each ``earlier`` attempt had concluded."""
    return f"{test} was run {len(earlier) + 1} times, and only the last counts; before: {'; '.join(earlier)}"


def overview(judgements: Sequence[Judgement], waived: Sequence[str] | None = None) -> Overview:
    """Return the table of a run; a column for each thing that was measured of any candidate.

    ``waived`` has the day until which each judgement is waived, or an empty text. Where several tests measured the same
    of a candidate, the first is shown; the verdict is the worst of all.
    """
    cells: dict[str, dict[str, str]] = {}
    demanded: dict[str, list[Verdict]] = {}
    excused: set[str] = set()
    for judgement, until in zip(judgements, waived or [""] * len(judgements), strict=True):
        row = cells.setdefault(judgement.candidate, {})
        if judgement.compute_type:
            row.setdefault("runs", f"{'→ ' if judgement.fell_back else ''}{judgement.compute_type}")
        for heading, text in _measured(judgement):
            row.setdefault(heading, text)
        if until:
            excused.add(judgement.candidate)
        elif judgement.checks:
            demanded.setdefault(judgement.candidate, []).append(judgement.verdict)
        size = judgement.detail("size")
        if size is not None:
            row.setdefault("MB", f"{size / 1e6:.1f}")
    columns = dict.fromkeys(heading for row in cells.values() for heading in row)
    first = [heading for heading in ("runs", *_RATES, *_DROPS) if heading in columns]
    headings = [*first, *(heading for heading in columns if heading not in first)]
    rows = [
        (name, *(row.get(heading, "") for heading in headings), _verdict(demanded.get(name, []), name in excused))
        for name, row in cells.items()
    ]
    return Overview(headings=("candidate", *headings, "verdict"), rows=tuple(rows))


def _verdict(demanded: list[Verdict], is_excused: bool) -> str:
    text = Verdict.worst(demanded).value if demanded else "" if is_excused else "reported"
    return " ".join(filter(None, (text, "(waived)" if is_excused else "")))


def _measured(judgement: Judgement) -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    if judgement.gate in ("accuracy", "language", "limit") and (known := rates(judgement)):
        name, before, after = known
        cells.append((f"{name}, %", f"{before:.2f} → {after:.2f}"))
    checks = judgement.checks[:1] if judgement.gate in ("accuracy", "timestamps", "longform") else judgement.checks
    for check in checks:
        prefix = "" if judgement.gate not in ("longform", "streaming") else f"{judgement.gate} "
        cells.append((prefix + check.name, _cell(check)))
    if not judgement.checks:
        cells += [(one.name, _times(one)) for one in judgement.figures if one.name.endswith(" speedup")]
    return cells


def _cell(check: Check) -> str:
    value = number(check, check.value)
    if check.unit.startswith("of ") and check.value is not None:
        value += " %"
    is_bounded = check.confidence is not None and None not in (check.lower, check.upper)
    if is_bounded and (check.unit == TIMES or "drop" in check.name):
        return f"{value} ({number(check, check.lower)} … {number(check, check.upper)})"
    return value


def _times(figure: Figure) -> str:
    if figure.lower is None or figure.upper is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.lower:.2f} … {figure.upper:.2f})"


def overview_table(table: Overview, *, width: int, colour: bool) -> str:
    """Return the table for a terminal of so many columns; where it is narrow, as many of the headings as fit.

    Candidate, error rates, drop and verdict come first; a last line names the others.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    text = io.StringIO()
    screen = console(text, width, colour=colour)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    headings, *rows = (tuple(map(printable, row)) for row in (table.headings, *table.rows))
    needed = [max(map(len, cells)) + _GAP for cells in zip(headings, *rows, strict=True)]
    last = len(needed) - 1
    first = [table.headings.index(heading) for heading in _FIRST if heading in table.headings]
    kept = fitting(needed, (0, last), first, screen.width)
    for column in kept:
        shown.add_column(headings[column], overflow="fold", no_wrap=column == last)
    for row in rows:
        verdict = Text(row[-1], COLOURS.get(row[-1].partition(" ")[0], ""))
        shown.add_row(*(row[column] for column in kept[:-1]), verdict)
    screen.print(shown)
    if missing := [heading for column, heading in enumerate(headings) if column not in kept]:
        screen.print(left_out(missing))
    return finished(text.getvalue())
