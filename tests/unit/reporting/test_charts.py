"""Where the marks of the report's charts are."""

from typing import Any

import pytest

from pytest_whisperq.judging.verdict import Series
from pytest_whisperq.reporting import charts


def row(drop: float | None, lower: float | None, upper: float | None, value: str = "") -> dict[str, Any]:
    column = "language" if value else ""
    return {"column": column, "value": value, "utterances": 9, "drop": drop, "lower": lower, "upper": upper}


def test_a_scale_is_linear_and_its_ticks_are_round() -> None:
    axis = charts.Axis(low=-1.0, high=9.0, start=100.0, end=300.0)
    assert [axis(value) for value in (-1, 4, 9)] == [100, 200, 300]
    assert axis.ticks() == [(120.0, "0"), (160.0, "2"), (200.0, "4"), (240.0, "6"), (280.0, "8")]


def test_a_scale_of_one_value_has_room_on_both_sides() -> None:
    axis = charts.axis([5.0, 5.0], 0, 100)
    assert axis(5.0) == 50


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-9, 2e-9], [-5e6, 3.0]])
def test_any_scale_has_ticks_within_it(values: list[float]) -> None:
    axis = charts.axis(values, 10, 110)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(10 <= place <= 110 for place, _ in ticks)


def test_a_forest_places_value_bounds_zero_and_limit_in_order() -> None:
    chart = charts.forest([row(1.0, -1.0, 3.0), row(5.0, 4.0, 6.0, "es")], limit=2.0)
    assert chart is not None
    whole, spanish = chart["rows"]
    assert whole["from"] < chart["zero"] < whole["at"] < chart["limit"] < whole["to"] < spanish["from"]
    assert (whole["label"], spanish["label"]) == ("whole corpus", "language=es")
    assert whole["text"] == "+1.00 points (-1.00 … +3.00)"
    assert spanish["y"] - whole["y"] == charts.ROW


def test_what_has_no_bounds_is_named_and_not_drawn() -> None:
    chart = charts.forest([row(1.0, -1.0, 3.0), row(5.0, None, None, "es")], limit=None)
    assert chart is not None
    assert chart["small"] == ["language=es"]
    assert len(chart["rows"]) == 1
    assert charts.forest([row(None, None, None)], 1.0) is None


def test_right_and_low_is_better_and_the_area_is_the_size() -> None:
    chart = charts.pareto([("small", 10.0, 50.0, 1e6), ("big", 5.0, 20.0, 4e6)])
    assert chart is not None
    small, big = chart["points"]
    assert small["x"] > big["x"]
    assert small["y"] < big["y"]  # pixels count downwards
    assert big["r"] == 2 * small["r"]
    assert charts.pareto([]) is None


def test_series_share_their_axes() -> None:
    over = "s of call.wav"
    chart = charts.scatter(
        [Series(name="a", over=over, points=((0, 1.0), (9, 2.0))), Series(name="b", over=over, points=((0, 1.0),))], 1.0
    )
    assert chart is not None
    first, second = chart["series"]
    assert first["points"][0] == second["points"][0]
    assert first["points"][0][1] == chart["line"]
    assert charts.scatter([Series(name="a", over="", points=())]) is None
