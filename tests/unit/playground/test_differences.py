"""Two texts word under word."""

import pytest

from pytest_whisperq.playground.differences import compare, errors


def kinds(first: str, second: str) -> list[str]:
    return [column.kind for column in compare(first, second)]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("hold the line", "hold the line", ["same"] * 3),
        ("Hold the line!", "hold the line", ["written", "same", "written"]),
        ("hold the line", "hold line", ["same", "lost", "same"]),
        ("hold line", "hold the line", ["same", "added", "same"]),
        ("hold the line", "hold a line", ["same", "other", "same"]),
        ("", "hold", ["added"]),
        ("hold", "", ["lost"]),
        ("", "", []),
        ("请等一下", "请等下", ["same", "same", "lost", "same"]),
    ],
)
def test_every_word_stands_under_its_like(first: str, second: str, expected: list[str]) -> None:
    assert kinds(first, second) == expected


def test_what_is_no_word_stays_with_the_one_before_it() -> None:
    columns = compare("wait – please …", "wait please")
    assert [column.first for column in columns] == ["wait–", "please…"]
    assert errors(columns) == 0


def test_words_that_are_written_differently_are_no_errors() -> None:
    assert errors(compare("Hold, the LINE", "hold the lines now")) == 2
