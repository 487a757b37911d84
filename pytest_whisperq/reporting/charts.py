"""Where the marks of a chart go: coordinates for the report's SVG, in pixels, from values in their own units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10
from operator import itemgetter
from statistics import median
from typing import Any

from pytest_whisperq.judging.verdict import Series

WIDTH, LABELS, FIGURES, ROW = 760, 230, 205, 22
"""Of a chart; of the columns of names and of figures in one with a row for each name; and the height of such a row."""

FAR = 3
"""What is more than so many times as large as the median is drawn at the edge: one broken model would hide the rest."""

_TOP, _BOTTOM, _LEFT, _PLOT = 24, 34, 56, 220
_TALLEST, _FEW = 420, 6
_MARK, _LETTER, _LINE = 5.0, 6.6, 13.0  # radius of a mark; width and height of a letter
_STEPS = 16  # lines that a label may be away from its mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value is; one beyond the scale is at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
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

    A row has a ``label``, the number of its ``utterances``, and ``drop``, ``lower`` and ``upper`` in points.
    """
    bounded = [row for row in rows if None not in (row["drop"], row["lower"], row["upper"])]
    if not bounded:
        return None
    far = _far([max(abs(row["lower"]), abs(row["upper"])) for row in bounded])
    values = [0.0, *(row[key] for row in bounded for key in ("lower", "upper") if abs(row[key]) <= far)]
    across = axis([*values, limit] if limit is not None else values, LABELS, WIDTH - FIGURES)
    height = _TOP + ROW * len(bounded) + _BOTTOM
    return {
        "width": WIDTH,
        "height": height,
        "bottom": height - _BOTTOM,
        "figures": WIDTH - FIGURES + 12,
        "ticks": across.ticks(),
        "zero": across(0.0),
        "limit": None if limit is None else across(limit),
        "rows": [
            {
                "y": _TOP + ROW * number + ROW / 2,
                "label": row["label"],
                "count": row["utterances"],
                "at": across(row["drop"]),
                "from": across(row["lower"]),
                "to": across(row["upper"]),
                "beyond": (row["drop"] > across.high) - (row["drop"] < across.low),
                "text": f"{row['drop']:+.2f} ({row['lower']:+.2f} … {row['upper']:+.2f})",
            }
            for number, row in enumerate(bounded)
        ],
        "unbounded": [_unbounded(row) for row in rows if row not in bounded],
    }


def blame(diagnosis: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a chart of the blocks of a candidate, a row each: the drop by each alone, and with each alone spared.

    None where no block has noise. ``all`` is the drop with every block quantized.
    """
    blocks = diagnosis["blocks"]
    drops = {key: [one[key]["value"] or 0.0 for one in blocks] for key in ("alone", "spared")}
    if not blocks:
        return None
    whole = diagnosis["drop"]["value"] or 0.0
    across = axis([0.0, whole, *drops["alone"], *drops["spared"]], LABELS, WIDTH - FIGURES)
    height = _TOP + ROW * len(blocks) + _BOTTOM
    return {
        "width": WIDTH,
        "height": height,
        "bottom": height - _BOTTOM,
        "figures": WIDTH - FIGURES + 12,
        "ticks": across.ticks(),
        "zero": across(0.0),
        "all": across(whole),
        "rows": [
            {
                "y": _TOP + ROW * number + ROW / 2,
                "label": one["block"],
                "is_ignored": one["block"] in diagnosis["ignored"],
                "alone": across(alone),
                "spared": across(spared),
                "text": f"{alone:+.2f} alone, {spared:+.2f} spared",
                "ratio": "" if one["scores_sqnr"] is None else f"{one['scores_sqnr']:.1f} dB",
            }
            for number, (one, alone, spared) in enumerate(zip(blocks, drops["alone"], drops["spared"], strict=True))
        ],
    }


def _far(values: Sequence[float]) -> float:
    return FAR * median(values) or max(values)


def _unbounded(row: Mapping[str, Any]) -> str:
    drop = "" if row["drop"] is None else f"{row['drop']:+.2f}, "
    return f"{row['label']} ({drop}{row['utterances']} utterances)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A model in a chart of errors against what they cost: its place there, its error rate in %, and all in words."""

    name: str
    x: float
    rate: float
    text: str
    is_baseline: bool = False


def on_front(points: Sequence[Point], *, more_is_better: bool) -> list[Point]:
    """Return the points that no other one beats: none errs less for as little, or costs less for as few errors."""
    sign = -1 if more_is_better else 1

    def beats(one: Point, other: Point) -> bool:
        is_no_worse = sign * one.x <= sign * other.x and one.rate <= other.rate
        return is_no_worse and (one.x, one.rate) != (other.x, other.rate)

    best = [point for point in points if not any(beats(other, point) for other in points)]
    return sorted(best, key=lambda point: (sign * point.x, -point.rate))


def pareto(points: Sequence[Point], *, more_is_better: bool) -> dict[str, Any] | None:
    """Return a scatter of models with the line of those that no other one beats; None for none.

    ``more_is_better``: whether x is a speed, and not a size.
    """
    if not points:
        return None
    plot = min(_TALLEST, _PLOT + 10 * max(0, len(points) - _FEW))
    far = _far([point.rate for point in points])
    right = axis([point.x for point in points], _LEFT, WIDTH - 20)
    up = axis([point.rate for point in points if point.rate <= far], _TOP + plot, _TOP)
    best = on_front(points, more_is_better=more_is_better)
    corners = [(right(point.x), up(point.rate)) for point in best]
    line = [corner for (_, y), (x, lower) in pairwise(corners) for corner in ((x, y), (x, lower))]
    marks = [(right(point.x), up(point.rate)) for point in points]
    labels = [point.name if point.rate <= far else f"{point.name} {point.rate:.0f} %" for point in points]
    first = sorted(range(len(points)), key=lambda place: points[place] not in best)  # what is on the line has a name
    spread = _spread([marks[place] for place in first], [labels[place] for place in first], _TOP + plot)
    places = [label for _, label in sorted(zip(first, spread, strict=True), key=itemgetter(0))]
    return {
        **_frame(right, up, plot),
        "front": [*corners[:1], *line],
        "points": [
            {
                "x": x,
                "y": y,
                "kind": "base" if point.is_baseline else "best" if point in best else "beaten",
                "is_beyond": point.rate > far,
                "label": label,
                "place": place,
                "text": point.text,
            }
            for point, (x, y), label, place in zip(points, marks, labels, places, strict=True)
        ],
        "crowded": [label for label, place in zip(labels, places, strict=True) if place is None],
    }


def _spread(
    marks: Sequence[tuple[float, float]], labels: Sequence[str], bottom: float
) -> list[dict[str, float] | None]:
    """Return where each label begins, so that none covers a mark or another one; None where there is no room near.

    ``end`` is that end of the label which is nearer to its mark.
    """
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in marks]
    places: list[dict[str, float] | None] = []
    for (x, y), label in zip(marks, labels, strict=True):
        width = _LETTER * len(label)
        for left, line in _near(x, y, width):
            box = (left, line - _LINE + 3, left + width, line + 3)
            is_inside = box[0] >= _LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= bottom
            if is_inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                places.append({"x": round(left, 1), "y": round(line, 1), "end": round(left if left > x else box[2], 1)})
                break
        else:
            places.append(None)
    return places


def _near(x: float, y: float, width: float) -> Iterator[tuple[float, float]]:
    for step in range(_STEPS):
        for line in dict.fromkeys((y + 4 - step * _LINE, y + 4 + step * _LINE)):
            yield x + _MARK + 4, line
            yield x - _MARK - 4 - width, line


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def scatter(series: Sequence[Series], line: float | None = None) -> dict[str, Any] | None:
    """Return a chart of series that share their axes, each a colour of its own, with a line at a height."""
    points = [point for one in series for point in one.points]
    if not points:
        return None
    heights = [y for _, y in points]
    right = axis([x for x, _ in points], _LEFT, WIDTH - 20)
    up = axis([*heights, line] if line is not None else heights, _TOP + _PLOT, _TOP)
    return {
        **_frame(right, up, _PLOT),
        "line": None if line is None else up(line),
        "over": series[0].over,
        "series": [
            {"name": one.name, "points": [(right(x), up(y), f"{y:.3g}") for x, y in one.points]} for one in series
        ],
    }


def _frame(right: Axis, up: Axis, plot: int) -> dict[str, Any]:
    return {
        "width": WIDTH,
        "height": _TOP + plot + _BOTTOM,
        "left": _LEFT,
        "right": WIDTH - 20,
        "top": _TOP,
        "bottom": _TOP + plot,
        "x_ticks": right.ticks(),
        "y_ticks": up.ticks(),
    }
