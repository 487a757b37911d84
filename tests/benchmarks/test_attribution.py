"""Of a hundred planted changes, at least ninety-five are put down to what caused them."""

from attribution import CELLS, EACH, POINTS, attribute
from planting import load


def test_changes_are_put_down_to_what_caused_them() -> None:
    found = list(attribute(load(), POINTS))
    assert len(found) == EACH * len(CELLS) == 100
    assert sum(planted == put for planted, put in found) >= 95
