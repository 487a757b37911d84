"""A chart of the report as a file of its own."""

import xml.etree.ElementTree as ElementTree

import pytest

from pytest_whisperq.reporting import charts
from pytest_whisperq.reporting.templates import chart_file

EVIL = "<script>alert(1)</script>"
SVG = "{http://www.w3.org/2000/svg}"


def pareto() -> str:
    points = [charts.Point(name=name, x=x, rate=8 - x / 100, text=name) for name, x in ((EVIL, 40.0), ("int8", 80.0))]
    chart = charts.pareto(points, more_is_better=False)
    assert chart is not None
    return chart_file("pareto", chart, EVIL, "MB on disk", "WER, %")


def forest() -> str:
    row = {"label": EVIL, "utterances": 9, "drop": 1.0, "lower": 0.0, "upper": 2.0}
    chart = charts.forest([row], limit=1.0)
    assert chart is not None
    return chart_file("forest", chart, "Drops")


@pytest.mark.parametrize("text", [pareto(), forest()], ids=["pareto", "forest"])
def test_a_chart_is_a_file_that_any_viewer_opens(text: str) -> None:
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    (style,) = root.iter(f"{SVG}style")
    assert "svg .whisker" in (style.text or "")
    assert list(root.iter(f"{SVG}circle"))
    assert not list(root.iter(f"{SVG}script"))
    assert any(EVIL in (element.text or "") for element in root.iter(f"{SVG}title"))
