"""What is counted of the rows of a document while they pass."""

import random
from array import array
from typing import Any

from pytest_whisperq.measuring.intervals import in_one_place
from pytest_whisperq.reporting.build_document import _Counts, _first


def test_counts_of_rows_are_those_of_their_speech() -> None:
    rng = random.Random(0)
    rows: list[dict[str, Any]] = [
        {
            "seconds": rng.random(),
            "length": rng.randint(0, 9),
            "clip": f"{rng.randint(0, 150):064x}",
            "cluster": rng.choice(["speaker 1", "speaker 10", "speaker 2", str(rng.random())]),
            "errors": {"base": rng.randint(0, 9), "int8": rng.randint(0, 9)} if rng.random() < 0.9 else None,
        }
        for _ in range(200)
    ]
    counts = _Counts(["base", "int8", "int4"])
    passed = [*counts.added(rows)]
    speech = [row for row in rows if row["errors"] is not None]
    assert passed == rows
    assert (counts.seconds, counts.length) == (sum(r["seconds"] for r in rows), sum(r["length"] for r in rows))
    assert (counts.is_whole("base", "int8"), counts.is_whole("base", "int4")) == (True, False)
    table = [[row["errors"]["base"], row["errors"]["int8"], row["length"]] for row in speech]
    clusters = in_one_place([row["cluster"] for row in speech], [row["clip"] for row in speech])
    assert (
        counts.clusters(rows)
        == clusters
        == [min(o["cluster"] for o in speech if o["clip"] == r["clip"]) for r in speech]
    )
    assert counts.clusters(rows).numbers.tolist() == clusters.numbers.tolist()
    some = array("I", range(0, len(speech), 3))
    for places, sums in zip((range(len(speech)), some), counts.sums("base", "int8", [some], clusters), strict=True):
        named = [(clusters[place], table[place]) for place in places]
        assert sums.tolist() == [
            [sum(row[column] for group, row in named if group == name) for column in range(3)]
            for name in sorted({group for group, _ in named})
        ]


def test_what_was_not_judged_is_not_told() -> None:
    first = _first(["a", None, "b", "c"], [3, 1, 0])
    assert [*first] == [*first[:]] == ["a", None, None, "c"]
    assert (first[-1], len(first)) == ("c", 4)
