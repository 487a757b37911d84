"""Figures as people read them: the same in the terminal, in Markdown and in HTML."""

from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from pytest_whisperq.judging.verdict import TIMES, Check, Figure, Judgement
from pytest_whisperq.system.printing import without_commands

if TYPE_CHECKING:
    from rich.console import Console

KEEP = {"below": "stay below", "above": "stay above", "at": "be exactly"}
COLOURS = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow"}
"""Of verdicts, on a terminal."""

NARROWEST = 40
"""Columns of the narrowest terminal that tables are drawn for."""

SIGNS = {"below": "<", "above": ">", "at": "="}


def console(file: IO[str], width: int, *, colour: bool) -> "Console":
    """Return what tables are drawn on: a terminal of so many columns, with colours or without.

    Texts are drawn as they are: brackets in names of slices and files are no markup.
    """
    from rich.console import Console

    return Console(
        file=file,
        width=max(width, NARROWEST),
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def finished(drawn: str) -> str:
    """Return what was drawn on a `console` without what is empty at its ends; cells may begin lines once they fold."""
    return without_commands("\n".join(line.rstrip() for line in drawn.strip("\n").split("\n")))


def fitting(needed: Sequence[int], always: Sequence[int], first: Sequence[int], width: int) -> list[int]:
    """Return the columns that have room side by side, in their order: ``always`` these, then the ``first`` to be had.

    ``needed`` is the room of each, in characters.
    """
    kept = list(always)
    for column in dict.fromkeys((*first, *range(len(needed)))):
        if column not in kept and sum(needed[one] for one in (*kept, column)) <= width:
            kept.append(column)
    return sorted(kept)


def left_out(headings: Iterable[str]) -> str:
    """Return the line that names the columns for which a terminal has no room."""
    return f"no room for: {', '.join(headings)}"


def rates(judgement: Judgement) -> tuple[str, float, float] | None:
    """Return what a gate measured of each model by itself: its name, the baseline's and the candidate's per cent."""
    for key, name in (("wer", "WER"), ("cer", "CER"), ("mer", "MER"), ("language", "language")):
        before, after = judgement.detail(f"baseline_{key}"), judgement.detail(f"candidate_{key}")
        if before is not None and after is not None:
            return name, 100 * before, 100 * after
    return None


def figure_cells(figure: Figure) -> tuple[str, str]:
    """Return value and bounds of something that nothing is demanded of."""
    before = "" if figure.baseline is None else f"{figure.baseline:.2f} → "
    bounded = figure.lower is not None and figure.upper is not None
    return f"{before}{figure.value:.2f}", f"{figure.lower:.2f} … {figure.upper:.2f}" if bounded else ""


def bounds(check: Check) -> str:
    """Say how far the value can be trusted: at a confidence, between the extremes of a few runs, or counted."""
    if check.confidence is None and check.lower == check.upper:
        return "counted"
    how = "range" if check.confidence is None else f"bounds at {100 * check.confidence:g}%:"
    return f"{how} {number(check, check.lower)} … {number(check, check.upper)}"


def scale(check: Check) -> float:
    """Show rates in per cent, drops as they are."""
    return 100.0 if check.unit.startswith("of ") else 1.0


def number(check: Check, value: float | None) -> str:
    """Return a value of the check in the unit it is shown in, drops with their sign."""
    if value is None:
        return "none"
    sign = "" if check.unit.startswith("of ") or check.unit == TIMES else "+"
    return f"{value * scale(check):{sign}.2f}"


def limit(check: Check) -> str:
    """Return what is demanded, for example ``< 1``."""
    return f"{SIGNS[check.keep]} {check.limit * scale(check):g}"


def title(check: Check) -> str:
    """Return what was measured, with its unit."""
    return check.name if check.unit == TIMES else f"{check.name}, {'%' if scale(check) == 100 else check.unit}"
