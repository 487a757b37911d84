"""The diagnosis of a candidate in words, for the terminal, the summary and the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_whisperq.judging.verdict import Judgement

SHOWN = 8
"""Blocks in a table, those most damaged; the rest are in the report."""

HEADINGS = ("block", "SQNR, dB", "of the scores", "noisiest layer", "only it quantized", "only it in float32")


def rows(diagnosis: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each block, the most damaged first, under `HEADINGS`; drops in points with bounds."""
    return [
        (
            one["block"],
            _ratio(one["sqnr"]),
            _ratio(one["scores_sqnr"]),
            f"{one['layer'].removeprefix(one['block'].partition('.')[2]).lstrip('.')} {_ratio(one['layer_sqnr'])}"
            if one["layer"]
            else "",
            drop(one["alone"]),
            drop(one["spared"]),
        )
        for one in diagnosis["blocks"]
    ]


def table(diagnosis: Mapping[str, Any]) -> list[str]:
    """Return the lines of a diagnosis for a terminal."""
    cells = [HEADINGS, *rows(diagnosis)[:SHOWN]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    more = len(diagnosis["blocks"]) - SHOWN
    return [
        headline(diagnosis),
        *(f"  {line}" for line in lines),
        *([f"  and {more} blocks less damaged"] if more > 0 else []),
        *conclusion(diagnosis),
    ]


def headline(diagnosis: Mapping[str, Any]) -> str:
    """Return what was diagnosed on what, and what it loses there."""
    return (
        f"{diagnosis['candidate']} on {diagnosis['clips']} clips of {diagnosis['corpus']}: "
        f"drop {drop(diagnosis['drop'])} points with all blocks quantized"
    )


def conclusion(diagnosis: Mapping[str, Any]) -> list[str]:
    """Return what would repair it and what the second gate says of that, or why there is nothing to say."""
    if diagnosis["note"]:
        return [diagnosis["note"]]
    option = f"--whisperq-ignored-blocks={','.join(diagnosis['ignored'])}"
    lines = [f"repaired by {option}: drop {drop(diagnosis['repaired'])} points on these clips"]
    if diagnosis["judgement"]:
        judgement = Judgement.from_dict(diagnosis["judgement"])
        (check,) = judgement.checks[:1]
        bounds = drop({"value": check.value, "lower": check.lower, "upper": check.upper})
        size = judgement.detail("size")
        lines.append(
            f"second gate, accuracy of {judgement.candidate} on {judgement.corpus}: {judgement.verdict.value}, "
            f"drop {bounds} {check.unit}" + (f", {size / 1e6:.1f} MB" if size else "")
        )
    return lines


def drop(bounds: Mapping[str, float | None]) -> str:
    """Return a drop with its bounds: ``+0.61 (-0.20 … +1.90)``."""
    value, lower, upper = (
        None if bounds[key] is None else f"{bounds[key]:+.2f}" for key in ("value", "lower", "upper")
    )
    if value is None:
        return "none"
    return value if lower is None or upper is None else f"{value} ({lower} … {upper})"


def _ratio(ratio: float | None) -> str:
    return "none" if ratio is None else f"{ratio:.1f}"
