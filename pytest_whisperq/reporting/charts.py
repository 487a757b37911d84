"""Where the marks of a chart go: coordinates for the report's SVG, in pixels, from values in their own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10, sqrt
from typing import Any

from pytest_whisperq.judging.verdict import Series

WIDTH, LABELS, ROW = 760, 230, 22
"""Of a chart; of the column of names in one with a row for each name; and the height of such a row."""

_TOP, _BOTTOM, _LEFT, _PLOT = 24, 34, 56, 220
_SMALLEST, _LARGEST = 5.0, 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value is."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, about: int = 5) -> list[tuple[float, str]]:
        """Return places and labels of some round values."""
        raw = (self.high - self.low) / about
        magnitude = 10.0 ** floor(log10(raw))
        step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= raw)
        first = -floor(-self.low / step)
        values = [number * step for number in range(first, floor(self.high / step) + 1)]
        return [(self(value), f"{value:.10g}") for value in values]


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """Return a scale with a little room around the values."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.1
    return Axis(low=low - room, high=high + room, start=start, end=end)


def forest(rows: Sequence[Mapping[str, Any]], limit: float | None) -> dict[str, Any] | None:
    """Return a chart of drops with their bounds, a row each; None where nothing has bounds.

    ``rows``: see `build_document`.
    """
    bounded = [row for row in rows if None not in (row["drop"], row["lower"], row["upper"])]
    if not bounded:
        return None
    values = [0.0, *(row[key] for row in bounded for key in ("lower", "upper"))]
    across = axis([*values, limit] if limit is not None else values, LABELS, WIDTH - 20)
    height = _TOP + ROW * len(bounded) + _BOTTOM
    return {
        "width": WIDTH,
        "height": height,
        "bottom": height - _BOTTOM,
        "ticks": across.ticks(),
        "zero": across(0.0),
        "limit": None if limit is None else across(limit),
        "rows": [
            {
                "y": _TOP + ROW * number + ROW / 2,
                "label": f"{row['column']}={row['value']}" if row["column"] else "whole corpus",
                "count": row["utterances"],
                "at": across(row["drop"]),
                "from": across(row["lower"]),
                "to": across(row["upper"]),
                "text": f"{row['drop']:+.2f} points ({row['lower']:+.2f} … {row['upper']:+.2f})",
            }
            for number, row in enumerate(bounded)
        ],
        "small": [f"{row['column']}={row['value']}" for row in rows if row not in bounded],
    }


def pareto(points: Sequence[tuple[str, float, float, float]]) -> dict[str, Any] | None:
    """Return a scatter of candidates: (name, error rate in %, RTFx, bytes), the area of a mark being its bytes."""
    if not points:
        return None
    right = axis([rtfx for _, _, rtfx, _ in points], _LEFT, WIDTH - 140)
    up = axis([rate for _, rate, _, _ in points], _TOP + _PLOT, _TOP)
    largest = max(size for *_, size in points) or 1.0
    return {
        **_frame(right, up),
        "points": [
            {
                "x": right(rtfx),
                "y": up(rate),
                "r": round(max(_SMALLEST, _LARGEST * sqrt(size / largest)), 1),
                "label": name,
                "text": f"{name}: {rate:.2f} % wrong, {rtfx:.0f} times real time, {size / 1e6:.1f} MB",
            }
            for name, rate, rtfx, size in points
        ],
    }


def scatter(series: Sequence[Series], line: float | None = None) -> dict[str, Any] | None:
    """Return a chart of series that share their axes, each a colour of its own, with a line at a height."""
    points = [point for one in series for point in one.points]
    if not points:
        return None
    heights = [y for _, y in points]
    right = axis([x for x, _ in points], _LEFT, WIDTH - 20)
    up = axis([*heights, line] if line is not None else heights, _TOP + _PLOT, _TOP)
    return {
        **_frame(right, up),
        "line": None if line is None else up(line),
        "over": series[0].over,
        "series": [
            {"name": one.name, "points": [(right(x), up(y), f"{y:.3g}") for x, y in one.points]} for one in series
        ],
    }


def _frame(right: Axis, up: Axis) -> dict[str, Any]:
    return {
        "width": WIDTH,
        "height": _TOP + _PLOT + _BOTTOM,
        "left": _LEFT,
        "right": WIDTH - 20,
        "top": _TOP,
        "bottom": _TOP + _PLOT,
        "x_ticks": right.ticks(),
        "y_ticks": up.ticks(),
    }
