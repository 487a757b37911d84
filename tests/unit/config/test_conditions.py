"""Conditions on limits: what they may say, and where in the text an error is."""

import pytest

from pytest_whisperq.config.conditions import (
    DEEPEST,
    EXAMPLE,
    QUANTITIES,
    Comparison,
    Joined,
    chances,
    checked,
    comparisons,
    join,
    parse,
    problem,
)
from pytest_whisperq.config.limits import LIMITS
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.system.errors import ConfigError

LOW, HIGH, FAST = Comparison("drop", "<", 0.3), Comparison("drop", "<", 1.0), Comparison("speedup", ">", 2.0)


def test_the_condition_of_the_documentation() -> None:
    assert parse(EXAMPLE) == Joined("or", (LOW, Joined("and", (HIGH, FAST))))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("drop<1", "drop<1"),
        ("  drop  <  -0.5 ", "drop<-0.5"),
        ("((drop<.5))", "drop<0.5"),
        ("drop<1e-1", "drop<0.1"),
        ("drop<0.3 or drop<1 and speedup>2", "drop<0.3 or (drop<1 and speedup>2)"),
        ("drop<1 and speedup>2 or drop<0.3", "(drop<1 and speedup>2) or drop<0.3"),
        ("(drop<0.3 or drop<1) and speedup>2", "(drop<0.3 or drop<1) and speedup>2"),
        ("drop<1 and (speedup>2 and size-ratio<0.5)", "drop<1 and speedup>2 and size-ratio<0.5"),
        ("(drop<1)and(speedup>2)", "drop<1 and speedup>2"),
    ],
)
def test_what_is_typed_and_what_is_meant(text: str, meant: str) -> None:
    assert str(parse(text)) == meant
    assert parse(meant) == parse(text)
    assert checked(text) == text.strip()
    assert problem(text) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it ends at column 1, where a quantity or '(' has to follow"),
        (
            "dorp<0.3",
            "'dorp' at column 1 is no quantity (did you mean 'drop'?); there are drop, exact-match, divergence,",
        ),
        ("drop<1 and exact_match>0.5", "'exact_match' at column 12 is no quantity (did you mean 'exact-match'?)"),
        ("drop>1", "'>' at column 5 stands where '<' has to: drop is kept strictly below its limit"),
        ("speedup<2", "'<' at column 8 stands where '>' has to: speedup is kept strictly above its limit"),
        ("drop<=1", "'<=' at column 5 stands where '<' has to: drop is kept strictly below its limit"),
        ("drop≤1", "'≤' at column 5 stands where '<' has to"),
        ("drop==1", "'==' at column 5 stands where '<' has to"),
        ("drop", "it ends at column 5, where '<' has to follow"),
        ("drop<", "it ends at column 6, where a number has to follow"),
        ("drop<nan", "'nan' at column 6 stands where a number has to"),
        (
            "drop<1e999",
            "1e999 at column 6 is no limit of drop, which is a number of percentage points from -100 to 100",
        ),
        ("speedup>0", "0 at column 9 is no limit of speedup, which is a ratio above 0"),
        ("drop<1 or", "it ends at column 10, where a quantity or '(' has to follow"),
        ("and drop<1", "'and' at column 1 stands where a quantity or '(' has to"),
        ("drop<1 AND speedup>2", "'AND' at column 8 stands where 'and', 'or' or the end has to"),
        ("drop<1 speedup>2", "'speedup' at column 8 stands where 'and', 'or' or the end has to"),
        ("0<drop<1", "'0' at column 1 stands where a quantity or '(' has to"),
        ("not drop<1", "'not' at column 1 is no quantity"),
        ("(drop<1", "it ends at column 8, where ')' has to follow: the bracket at column 1 is open"),
        ("drop<1)", "')' at column 7 stands where 'and', 'or' or the end has to"),
        ("drop<1; import os", "';' at column 7 has no meaning"),
        ("__import__('os')", '"\'" at column 12 has no meaning'),
        ("drop<1\0", "'\\x00' at column 7 has no meaning"),
        ("timing-budget<20", "'timing-budget' at column 1 is no quantity"),
    ],
)
def test_an_error_names_the_place_and_what_may_stand_there(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"a condition such as {EXAMPLE!r}: ")
    assert message in str(caught.value)
    assert problem(text) == str(caught.value)


def test_brackets_have_a_bottom() -> None:
    assert parse("(" * DEEPEST + "drop<1" + ")" * DEEPEST) == HIGH
    with pytest.raises(ValueError, match=f"the bracket at column {DEEPEST + 1} is within {DEEPEST} others"):
        parse("(" * 100_000)


def test_what_is_no_text_is_no_condition() -> None:
    assert problem(1.0) == f"a condition in quotes, such as {EXAMPLE!r}"


def test_every_option_that_limits_something_is_a_quantity() -> None:
    limits = {option.name for option in LIMITS if option.name.startswith(("max-", "min-"))}
    assert {f"max-{name}" if quantity.sign == "<" else f"min-{name}" for name, quantity in QUANTITIES.items()} == limits


def test_comparisons_come_in_the_order_of_the_text() -> None:
    assert list(comparisons(parse(EXAMPLE))) == [LOW, HIGH, FAST]


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("drop<1", 1),
        ("drop<1 and speedup>2 and size-ratio<0.5", 1),
        ("drop<0.3 or speedup>2", 2),
        (EXAMPLE, 2),
        ("(drop<0.3 or speedup>2) and (drop<1 or speedup>3 or shift<1)", 3),
        ("(drop<0.3 or speedup>2) or (drop<1 or speedup>3)", 4),
    ],
)
def test_ways_to_hold_by_chance(text: str, ways: int) -> None:
    assert chances(parse(text)) == ways


def test_one_condition_is_joined_to_nothing() -> None:
    assert join("and", [HIGH]) == HIGH


def test_the_option_is_checked_before_anything_else() -> None:
    assert resolve({"whisperq_limit": " drop<1 "}).limit == "drop<1"
    with pytest.raises(ConfigError) as caught:
        resolve({"whisperq_limit": "drop<"})
    assert str(caught.value) == (
        f"--whisperq-limit: must be a condition such as {EXAMPLE!r}: it ends at column 6, where a number has to follow "
        "(got 'drop<')"
    )
