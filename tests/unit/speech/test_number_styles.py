"""Numbers that English writes in several ways are one after the normalizer, and others stay apart."""

import pytest

from pytest_whisperq.speech import normalizers

ENGLISH = normalizers.get("whisper-english")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("3:30", "three thirty"),
        ("3:05", "three oh five"),
        ("09:45", "nine forty five"),
        ("at 3:00 pm", "at three pm"),
        ("12:15", "twelve fifteen"),
        ("June 23", "june twenty third"),
        ("May 1", "may first"),
        ("555-1212", "five five five one two one two"),
        ("800-555-1212", "eight oh oh five five five one two one two"),
        ("007", "oh oh seven"),
        ("0.05", "zero point zero five"),
        ("12 %", "twelve percent"),
    ],
)
def test_as_written_and_as_spoken(written: str, spoken: str) -> None:
    assert ENGLISH(written) == ENGLISH(spoken)


@pytest.mark.parametrize(
    ("one", "other"),
    [("3:30", "3:31"), ("3:05", "3:50"), ("007", "7"), ("0.05", "5"), ("555-1212", "555-1221"), ("June 3", "June 4")],
)
def test_other_numbers_stay_others(one: str, other: str) -> None:
    assert ENGLISH(one) != ENGLISH(other)


@pytest.mark.parametrize("text", ["12:30:15", "2001-01-05", "1990-1995", "1.05", "10,005", "the third of june"])
def test_what_is_none_of_these_is_left_to_whisper(text: str) -> None:
    assert ENGLISH(text) == normalizers.get("whisper-english@1")(text)
