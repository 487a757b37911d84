"""A stream as a picture: when each word was said, first shown, and committed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.measuring.timeline import Shown, timeline
from pytest_whisperq.streaming.simulate import Event
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import StreamError

ROW = 30_000
"""Milliseconds of the stream in one row of the picture."""


def check_matplotlib() -> Any:
    """Return pyplot; raise `MissingDependency` where there is none."""
    return optional_imports.require("matplotlib.pyplot", extra="plots", purpose="draw timelines")


def draw(title: str, events: Sequence[Event], path: Path) -> None:
    """Write the timeline of a stream as SVG: across, when words were said; up, how long after that they were there.

    Needs matplotlib (the extra ``plots``). Raises `StreamError` where the file cannot be written.
    """
    pyplot = check_matplotlib()
    words = timeline(events)
    rows = max(1, -(-events[-1].sent // ROW)) if events else 1
    lowest = min((one.shown - one.word.end for one in words), default=0) / 1000  # a word guessed before its end
    highest = max((one.committed - one.word.end for one in words), default=1000) / 1000
    # Text stays text: the reader's fonts have the letters of its language, and $ in a transcript is no formula.
    with pyplot.rc_context({"svg.fonttype": "none", "text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure, axes = pyplot.subplots(rows, 1, figsize=(14, 2.2 * rows), squeeze=False, layout="constrained")
        for row, axis in enumerate(axes[:, 0]):
            begun = row * ROW
            row_words = [one for one in words if begun <= one.word.start < begun + ROW]
            for one in row_words:
                x = (one.word.start + one.word.end) / 2000
                lags = [(moment - one.word.end) / 1000 for moment in (one.shown, one.committed)]
                axis.plot([x, x], lags, color="0.7", linewidth=1, zorder=1)
                axis.text(
                    x,
                    -0.02,
                    one.word.text,
                    rotation=60,
                    ha="right",
                    va="top",
                    fontsize=7,
                    clip_on=False,
                    transform=axis.get_xaxis_transform(),
                )
            axis.scatter(*_points(row_words, committed=False), s=12, color="tab:orange", label="first shown", zorder=2)
            axis.scatter(*_points(row_words, committed=True), s=12, color="tab:blue", label="committed", zorder=3)
            axis.set(xlim=(begun / 1000, (begun + ROW) / 1000), ylim=(lowest, 1.1 * highest), ylabel="s after")
            axis.xaxis.tick_top()
            axis.grid(axis="y", alpha=0.3)
        axes[0, 0].legend(loc="upper right", fontsize=7)
        figure.suptitle(f"{title}: words when they were said (s), and how long after", fontsize=9)
        try:
            figure.savefig(path, format="svg")
        except OSError as error:
            raise StreamError(f"the timeline cannot be written ({error.strerror or error})", where=str(path)) from error
        finally:
            pyplot.close(figure)


def _points(words: Sequence[Shown], *, committed: bool) -> tuple[list[float], list[float]]:
    across = [(one.word.start + one.word.end) / 2000 for one in words]
    return across, [((one.committed if committed else one.shown) - one.word.end) / 1000 for one in words]
