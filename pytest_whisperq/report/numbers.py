"""Figures as people read them: the same in the terminal, in Markdown and in HTML."""

from typing import IO, TYPE_CHECKING

from pytest_whisperq.verdict import TIMES, Check, Figure, Judgement

if TYPE_CHECKING:
    from rich.console import Console

KEEP = {"below": "stay below", "above": "stay above", "at": "be exactly"}
COLOURS = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow"}
"""Of verdicts, on a terminal."""

SIGNS = {"below": "<", "above": ">", "at": "="}


def console(file: IO[str], width: int, *, colour: bool) -> "Console":
    """Return what tables are drawn on: a terminal of so many columns, with colours or without."""
    from rich.console import Console

    return Console(
        file=file,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        legacy_windows=False,
    )


def rates(judgement: Judgement) -> tuple[str, float, float] | None:
    """Return what a gate measured of each model by itself: its name, the baseline's and the candidate's per cent."""
    for key, name in (("wer", "WER"), ("cer", "CER"), ("language", "language")):
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
