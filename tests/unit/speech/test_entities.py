"""Numbers, amounts and dates are found as a whole, however they are written."""

import pytest

from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.entities import KINDS, find_entities


def found(text: str, language: str | None = "en", kinds: tuple[str, ...] = KINDS) -> list[str]:
    normalized = normalizers.get("by-language")(text, language)
    return sorted(find_entities(normalized, language, kinds).elements())


@pytest.mark.parametrize(
    ("written", "spoken", "expected"),
    [
        ("Call 555-1212.", "call five five five one two one two", ["5551212"]),
        ("Call 5 5 5 1 2 1 2.", "call five five five one two one two", ["5551212"]),
        ("Code 1 2 3 4", "code one two three four", ["1234"]),
        ("It was £1,000.50!", "it was £1000.50", ["£1000.50"]),
        ("$12.50", "twelve dollars and fifty cents", ["$12.50"]),
        ("12 %", "twelve percent", ["12%"]),
        ("On June 3rd, 2021", "on the third of june twenty twenty one", ["june 3 2021"]),
        ("May 1", "the first of may", ["may 1"]),
        ("2 dogs and 2 cats", "two dogs and two cats", ["2", "2"]),
        ("The 21st one of them", "the twenty first one of them", ["21"]),
        ("no one", "no one", []),
        ("$5 3 times", "five dollars three times", ["$5", "3"]),
    ],
)
def test_as_written_and_as_spoken(written: str, spoken: str, expected: list[str]) -> None:
    assert found(written) == found(spoken) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "am Montag fünfundzwanzig Kisten", ["25"]),
        ("fr", "vingt-cinq euros", ["25"]),
        ("hi", "२१ जून", ["21"]),
        ("ja", "電話 555 1212", ["5551212"]),
        (None, "25 euro", ["25"]),
    ],
)
def test_digits_in_other_languages(language: str | None, text: str, expected: list[str]) -> None:
    assert found(text, language) == expected


def test_only_the_kinds_that_are_asked_for() -> None:
    text = "on June 3 call 55 for $7"
    assert [found(text, kinds=(kind,)) for kind in ("digits", "amounts", "dates")] == [["55"], ["$7"], ["june 3"]]


@pytest.mark.parametrize(
    ("one", "other"), [("June 3", "June 13"), ("$15", "$50"), ("5551212", "5551221"), ("$5", "£5")]
)
def test_one_that_is_not_right_is_wrong(one: str, other: str) -> None:
    assert found(one) != found(other)
