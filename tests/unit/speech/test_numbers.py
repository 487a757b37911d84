"""Numbers digit by digit, however they are written."""

import pytest

from pytest_whisperq.speech.numbers import READ, digits_apart


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("call 5551212", None, "call 5 5 5 1 2 1 2"),
        ("call 555-1212", None, "call 5 5 5 1 2 1 2"),
        ("five five five one two", "en", "5 5 5 1 2"),
        ("five five five one two", None, "five five five one two"),
        ("soixante dix neuf", "fr", "7 9"),
        ("fünf fünf zwei", "de", "5 5 2"),
        ("fem fem två", "sv", "fem fem två"),
        ("$1250.75", None, "1 2 5 0 7 5"),
        ("5000000", None, "5 000 000"),
        ("500", None, "5 00"),
        ("the 1st mp3", None, "the 1 st mp 3"),
        ("٥٥٥ ५", None, "5 5 5 5"),
        ("ein mann und one of the two", None, "ein mann und one of the two"),
        ("", "en", ""),
    ],
)
def test_digits_are_apart(text: str, language: str | None, words: str) -> None:
    assert digits_apart(text, language) == words.split()


@pytest.mark.parametrize("language", sorted(READ))
def test_every_language_of_the_list_is_read(language: str) -> None:
    assert digits_apart("7 7", language) == ["7", "7"]
