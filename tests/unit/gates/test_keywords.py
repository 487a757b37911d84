"""What a test may demand: of a limit that is an option too, exactly what may be typed."""

import math
from collections.abc import Callable

import pytest

from pytest_whisperq.config.limits import LIMITS
from pytest_whisperq.config.settings import parse_options
from pytest_whisperq.config.values import Option, Range
from pytest_whisperq.gates.registry import Gate, all_gates
from pytest_whisperq.system.errors import ConfigError

OPTION = {option.field: option for option in LIMITS}
SHARED = [
    pytest.param(gate, key, OPTION[keyword.option], id=f"{gate.name}-{key}")
    for gate in all_gates()
    for key, keyword in gate.keywords.items()
    if keyword.option in OPTION
]


def test_every_limit_is_a_keyword_too() -> None:
    assert {param.values[2].name for param in SHARED} == {option.name for option in LIMITS} - {"timing-budget"}


def edges(allowed: Range) -> list[float]:
    """Return numbers on both sides of each end of a range, and some that are mistaken for one in it."""
    ends = [allowed.low, allowed.high]
    beside = [math.nextafter(end, to) for end in ends for to in (-math.inf, math.inf)]
    return [*ends, *beside, sum(ends) / 2, 0, 1, 5, 50, 101, 500, -1, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize(("gate", "key", "option"), SHARED)
def test_a_marker_takes_the_numbers_that_may_be_typed_and_no_others(gate: Gate, key: str, option: Option) -> None:
    assert isinstance(option.parse, Range)
    for value in edges(option.parse):
        marked = is_refused(gate.check, {key: value}, "a test")
        typed = is_refused(parse_options, {option.ini: repr(value)}, {})
        assert marked == typed, value


def is_refused(call: Callable[..., object], *arguments: object) -> bool:
    try:
        call(*arguments)
    except ConfigError:
        return True
    return False


@pytest.mark.parametrize(("gate", "key", "option"), SHARED)
@pytest.mark.parametrize("value", ["0.5", True, [0.5]])
def test_a_marker_takes_numbers_only(gate: Gate, key: str, option: Option, value: object) -> None:
    assert is_refused(gate.check, {key: value}, "a test")


@pytest.mark.parametrize(
    ("field", "value", "write"),
    [
        ("max_size_ratio", 50, "0.5 is half the baseline's size"),
        ("max_memory_ratio", 75, "0.5 is half the baseline's memory"),
        ("min_exact_match", 80, "such as 0.80 for 80 %"),
        ("max_divergence", 5, "such as 0.05 for 5 %"),
        ("max_catastrophes", 2, "such as 0.02 for 2 %"),
        ("min_language_agreement", 95, "such as 0.95 for 95 %"),
    ],
)
def test_per_cent_where_a_fraction_is_meant_is_told_what_to_write(field: str, value: int, write: str) -> None:
    with pytest.raises(ConfigError, match=f"{write}.*got '{value}'"):
        parse_options({OPTION[field].ini: str(value)}, {})


def test_a_relative_drop_may_be_more_than_all_and_one_in_points_may_not() -> None:
    (accuracy,) = (gate for gate in all_gates() if gate.name == "accuracy")
    accuracy.check({"max_drop": 150, "drop_type": "relative"}, "a test")
    with pytest.raises(ConfigError, match="max_drop must be a number of percentage points from -100 to 100"):
        accuracy.check({"max_drop": 150}, "a test")
