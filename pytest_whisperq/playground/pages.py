"""What the tabs show, as HTML: whatever a model, a file or a corpus says stays text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pytest_whisperq.judging.verdict import Series
from pytest_whisperq.playground.differences import compare, errors
from pytest_whisperq.playground.live import Point, View
from pytest_whisperq.playground.models import ROLES, Heard, Models
from pytest_whisperq.playground.review import Review
from pytest_whisperq.reporting import charts, templates

_SHOWN = 60.0
"""Seconds of a stream in its charts: the latest."""


@cache
def _macros() -> Any:
    return templates.environment().get_template("playground.html.j2").module


class Pages:
    """Renders for two models."""

    def __init__(self, models: Models) -> None:
        original = models.both[0].size
        self._models = [
            {
                "role": model.role,
                "name": str(model.spec),
                "executes": model.transcriber.compute_type,  # as it was read back from the runtime
                "operations": model.operations,
                "size": f"{model.size / 1e6:.1f} MB",
                "share": f"{100 * model.size / original:.0f} %" if model is not models.both[0] and original else "",
            }
            for model in models.both
        ]

    def header(self) -> str:
        """Return what stands above the tabs: which models these are, and what executes."""
        return str(_macros().header(self._models))

    def comparison(self, heard: Sequence[Heard]) -> str:
        """Return what both models said about a recording, side by side and word under word."""
        columns = compare(*(one.text for one in heard))
        return str(_macros().comparison(self._models, heard, columns, errors(columns)))

    def recorder(self, models: Models) -> str:
        """Return the controls of the streaming tab."""
        seconds = (f"{ms / 1000:g}" for ms in (models.windows.window, models.windows.hop))
        return str(_macros().recorder(models.languages, models.unstreamed, *seconds))

    def live(self, view: View) -> str:
        """Return a stream as it stands, with its lag and backlog."""
        plots = [
            ("lag, s from a word's end until it is committed", [side.lags for side in view.sides]),
            ("backlog, s that a window waits for those before it", [side.backlog for side in view.sides]),
        ]
        return str(_macros().live(view, self._models, [(name, _chart(points)) for name, points in plots]))

    def utterance(self, review: Review, place: int) -> str:
        """Return an utterance of a run, with its recording."""
        item = review[place]
        strips = [
            (("reference", "original"), compare(item.reference, item.original)),
            (("reference", "candidate"), compare(item.reference, item.hypothesis)),
        ]
        data = review.sound(item.id)
        sound = base64.b64encode(data).decode() if data else ""
        mark, marks = review.marked(item.id), len(review.marks)
        return str(_macros().utterance(place, len(review), item, strips, sound, mark, marks))


def exported(folder: Path, count: int) -> str:
    """Return where the marked utterances went, and what takes them."""
    return str(_macros().exported(folder, count))


def problem(text: str) -> str:
    """Return what is shown where something cannot be done."""
    return str(_macros().problem(text))


def _chart(sides: Sequence[Sequence[Point]]) -> dict[str, Any] | None:
    """Return a chart of the latest points of both models; None while there are none."""
    latest = max((x for points in sides for x, _ in points), default=0.0)
    series = [
        Series(name=role, over="", points=tuple(point for point in points if point[0] >= latest - _SHOWN))
        for role, points in zip(ROLES, sides, strict=True)
    ]
    return charts.scatter(series, 0.0)
