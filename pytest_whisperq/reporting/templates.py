"""The templates of the HTML report, and a chart of it as a file of its own."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from pytest_whisperq.system.printing import visible

if TYPE_CHECKING:
    from jinja2 import Environment


def asset(name: str) -> str:
    """Return the text of a file beside this module."""
    return (resources.files("pytest_whisperq.reporting") / "assets" / name).read_text(encoding="utf-8")


def environment() -> Environment:
    """Return what renders templates; whatever they are given stays text."""
    import jinja2

    return jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=_shown,
        loader=jinja2.FunctionLoader(asset),
    )


def chart_file(kind: str, chart: dict[str, Any], *names: str) -> str:
    """Return a chart of `reporting.charts` as an SVG file.

    ``kind`` is the macro of ``charts.html.j2`` that draws it, and ``names`` are what that wants to know: the name of
    the chart, and those of the axes where they have any.
    """
    from markupsafe import Markup

    style = Markup(asset("charts.css"))  # noqa: S704 - a file of ours
    macro = getattr(environment().get_template("charts.html.j2").module, kind)
    return f"{macro(chart, *names, style=style).strip()}\n"


def _shown(value: Any) -> Any:
    """Return what the page shows of a value: of a text, lines of which none is turned around."""
    is_ours = not isinstance(value, str) or hasattr(value, "__html__")
    return value if is_ours else "\n".join(map(visible, value.split("\n")))
