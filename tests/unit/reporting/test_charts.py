"""Where the marks of the report's charts are."""

from typing import Any

import pytest

from pytest_whisperq.judging.verdict import Series
from pytest_whisperq.reporting import charts


def row(drop: float | None, lower: float | None, upper: float | None, label: str = "whole corpus") -> dict[str, Any]:
    return {"label": label, "utterances": 9, "drop": drop, "lower": lower, "upper": upper}


def point(name: str, x: float, rate: float) -> charts.Point:
    return charts.Point(name=name, x=x, rate=rate, text=f"all about {name}")


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


def test_what_is_beyond_a_scale_is_at_its_end() -> None:
    axis = charts.Axis(low=0.0, high=10.0, start=100.0, end=300.0)
    assert [axis(value) for value in (-5, 50)] == [100, 300]


def test_a_forest_places_value_bounds_zero_and_limit_in_order() -> None:
    chart = charts.forest([row(1.0, -1.0, 3.0), row(5.0, 4.0, 6.0, "language=es")], limit=2.0)
    assert chart is not None
    whole, spanish = chart["rows"]
    assert whole["from"] < chart["zero"] < whole["at"] < chart["limit"] < whole["to"] < spanish["from"]
    assert spanish["to"] < chart["figures"]
    assert (whole["label"], spanish["label"]) == ("whole corpus", "language=es")
    assert whole["text"] == "+1.00 (-1.00 … +3.00)"
    assert spanish["y"] - whole["y"] == charts.ROW


def test_what_has_no_bounds_is_named_and_not_drawn() -> None:
    chart = charts.forest([row(1.0, -1.0, 3.0), row(5.0, None, None, "language=es")], limit=None)
    assert chart is not None
    assert chart["unbounded"] == ["language=es (+5.00, 9 utterances)"]
    assert len(chart["rows"]) == 1
    assert charts.forest([row(None, None, None)], 1.0) is None


def test_one_broken_model_does_not_hide_how_the_others_differ() -> None:
    good = [row(drop, drop - 1, drop + 1, f"{drop}") for drop in (0.0, 0.5, 1.0)]
    alone, beside = charts.forest(good, 1.0), charts.forest([*good, row(90.0, 80.0, 99.0, "broken")], 1.0)
    assert alone is not None
    assert beside is not None
    assert [one["at"] for one in beside["rows"][:3]] == [one["at"] for one in alone["rows"]]
    broken = beside["rows"][3]
    assert broken["beyond"] == 1
    assert broken["at"] == charts.WIDTH - charts.FIGURES
    assert broken["text"] == "+90.00 (+80.00 … +99.00)"
    assert not any(one["beyond"] for one in beside["rows"][:3])
    better = charts.forest([*good, row(-90.0, -99.0, -80.0)], 1.0)
    assert better is not None
    assert (better["rows"][3]["beyond"], better["rows"][3]["at"]) == (-1, charts.LABELS)


SIZES = [point("float", 150, 7.6), point("int8", 40, 7.8), point("ptq", 41, 7.7), point("int4", 25, 11.7)]


def test_the_front_is_what_no_other_model_beats() -> None:
    worse = point("int8 of another runtime", 42, 7.8)
    front = charts.on_front([*SIZES, worse], more_is_better=False)
    assert [one.name for one in front] == ["int4", "int8", "ptq", "float"]
    twins = [point("one", 40, 7.8), point("other", 40, 7.8)]
    assert charts.on_front(twins, more_is_better=False) == twins
    speeds = [point("slow", 1.0, 7.6), point("fast", 2.0, 7.8), point("neither", 1.5, 9.0)]
    assert [one.name for one in charts.on_front(speeds, more_is_better=True)] == ["fast", "slow"]


def test_a_scatter_joins_the_front_by_what_can_be_had() -> None:
    chart = charts.pareto(SIZES, more_is_better=False)
    assert chart is not None
    places = {one["label"]: (one["x"], one["y"]) for one in chart["points"]}
    assert places["int4"][0] < places["int8"][0] < places["float"][0]
    assert places["float"][1] > places["int4"][1]  # pixels count downwards
    (x4, y4), (x8, y8) = places["int4"], places["int8"]
    assert chart["front"][:3] == [(x4, y4), (x8, y4), (x8, y8)]  # up to int8 nothing errs less than int4
    assert chart["front"][-1] == places["float"]
    assert {one["kind"] for one in chart["points"]} == {"best"}
    assert charts.pareto([], more_is_better=False) is None


def test_what_is_beaten_and_what_is_the_baseline_look_different() -> None:
    base = charts.Point(name="base", x=150, rate=7.6, text="", is_baseline=True)
    chart = charts.pareto([base, point("int8", 40, 7.8), point("beaten", 60, 8.0)], more_is_better=False)
    assert chart is not None
    assert [one["kind"] for one in chart["points"]] == ["base", "best", "beaten"]


def test_a_model_that_gets_all_wrong_is_at_the_edge_with_its_rate() -> None:
    chart = charts.pareto([*SIZES, point("int2", 15, 102.4)], more_is_better=False)
    assert chart is not None
    broken = chart["points"][-1]
    assert (broken["is_beyond"], broken["label"], broken["y"]) == (True, "int2 102 %", chart["top"])
    assert not any(one["is_beyond"] for one in chart["points"][:-1])


def test_labels_cover_neither_marks_nor_each_other() -> None:
    points = [point(f"backend:precision-{number}", 40 + number % 3, 7.8 + number % 5 / 100) for number in range(24)]
    chart = charts.pareto(points, more_is_better=False)
    assert chart is not None
    placed = [one for one in chart["points"] if one["place"]]
    boxes = [
        (place["x"], place["y"] - 10, place["x"] + 6.6 * len(one["label"]), place["y"] + 3)
        for one in placed
        for place in [one["place"]]
    ]
    for number, box in enumerate(boxes):
        assert box[0] >= chart["left"]
        assert box[2] <= chart["width"]
        for other in boxes[:number]:
            assert box[0] >= other[2] or other[0] >= box[2] or box[1] >= other[3] or other[1] >= box[3]
        assert not any(box[0] < one["x"] < box[2] and box[1] < one["y"] < box[3] for one in chart["points"])
    assert len(placed) >= 12
    assert [one["label"] for one in chart["points"] if not one["place"]] == chart["crowded"]


def test_what_no_other_model_beats_has_a_label_however_many_there_are() -> None:
    crowd = [point(f"beaten-{place}", 100 + place % 4 / 10, 9 + place // 4 / 100) for place in range(120)]
    best = [point("backend:precision-that-is-best", 99.9, 8.99)]
    chart = charts.pareto([*crowd, *best], more_is_better=False)
    assert chart is not None
    assert [one["label"] for one in chart["points"]] == [one.name for one in (*crowd, *best)]
    assert all(one["place"] for one in chart["points"] if one["kind"] == "best")
    assert chart["crowded"]


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
