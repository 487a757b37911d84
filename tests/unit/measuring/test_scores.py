"""Error counts, the corpus error rate, and texts aligned word under word."""

import random
from collections.abc import Callable

import pytest

from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import (
    ErrorCount,
    ErrorCounts,
    align,
    count_errors,
    error_rate,
    score,
    shorten_loops,
)
from pytest_whisperq.speech import normalizers

MakePairs = Callable[..., PairedTexts]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("a b c", "a b c", (0, 0, 0, 3)),
        ("a b c", "a x c", (1, 0, 0, 3)),
        ("a b c", "a c", (0, 1, 0, 3)),
        ("a b c", "a b b c", (0, 0, 1, 3)),
        ("a b c", "", (0, 3, 0, 3)),
        ("", "a b", (0, 0, 2, 0)),
        ("", "", (0, 0, 0, 0)),
        ("a", "b c d", (1, 0, 2, 1)),
    ],
)
def test_words_are_counted(reference: str, hypothesis: str, expected: tuple[int, ...]) -> None:
    found = count_errors(reference, hypothesis)
    assert (found.substitutions, found.deletions, found.insertions, found.length) == expected
    assert found.errors == sum(expected[:3])


def test_characters_are_counted_with_the_spaces_between_words() -> None:
    found = count_errors("ab cd", "abcd", "cer")
    assert (found.deletions, found.errors, found.length) == (1, 1, 5)


@pytest.mark.parametrize(
    ("language", "reference", "heard", "expected"),
    [
        ("en", "hold the line", "hold a line", (1, 3)),
        ("zh", "请稍候", "请 稍后", (1, 3)),
        ("zh", "我用 google 搜索", "我用 googol 搜索", (1, 5)),
        ("zh", "我用 google 搜索", "我用 搜索", (1, 5)),
        (None, "請 hold 線", "請hold線", (0, 3)),
    ],
)
def test_words_and_characters_are_counted_each_where_it_is_written(
    language: str | None, reference: str, heard: str, expected: tuple[int, int], make_pairs: MakePairs
) -> None:
    (pair,) = make_pairs([reference], [heard], spoken=[language]).pairs
    found = score(pair.utterance, heard, normalizers.get("identity"), "mer")
    assert (found.errors, found.length) == expected
    assert count_errors(*pair.compared("mer")[:2], "mer") == found


def test_the_corpus_rate_weighs_by_length_and_is_no_mean_of_rates() -> None:
    counts = [count_errors("a", "b"), count_errors("a b c d e f g h i", "a b c d e f g h i")]
    assert error_rate(counts) == pytest.approx(0.1)


def test_the_rate_may_exceed_one() -> None:
    assert error_rate([count_errors("a", "b c d")]) == 3.0


def test_without_any_reference_word_there_is_no_rate() -> None:
    assert error_rate([]) is None
    assert error_rate([ErrorCount(substitutions=0, deletions=0, insertions=5, length=0)]) is None


def test_three_texts_are_shown_word_under_word() -> None:
    rows = align("the cat sat down", "the cat sat on down", "a cat sat down now")
    assert rows == (
        "the cat sat ** down ***",
        "the cat sat on down ***",
        "a   cat sat ** down now",
    )


def test_insertions_of_both_hypotheses_share_a_column() -> None:
    assert align("a b", "a x b", "a yy z b") == ("a ** * b", "a x  * b", "a yy z b")


def test_an_empty_text_is_all_gaps() -> None:
    assert align("one two", "", "one two") == ("one two", "*** ***", "one two")
    assert align("", "uh", "") == ("**", "uh", "**")
    assert align("", "", "") == ("", "", "")


def test_words_are_what_the_error_count_takes_for_words() -> None:
    """Python splits at a no-break space, jiwer does not: columns would slip."""
    assert align("10\xa0euros gone", "10\xa0euros gone") == ("10\xa0euros gone", "10\xa0euros gone")
    assert align("a\xa0b c", "x c") == ("a\xa0b c", "x   c")


def test_a_loop_takes_two_columns_and_says_how_long_it_is() -> None:
    rows = align("i would say", "i would say", " ".join(["i", *["would"] * 86, "say"]))
    assert rows == (
        "i would ***** *** say",
        "i would ***** *** say",
        "i would would ×85 say",
    )


def test_a_phrase_that_loops_is_shown_once_and_who_does_not_say_it_has_gaps() -> None:
    loop = " ".join(["thank you for watching"] * 6)
    rows = align("bye", f"bye {loop}", f"bye {loop} {loop}")
    assert rows[0] == "bye ***** *** *** ******** ** ***** *** *** ******** **"
    assert rows[1] == "bye thank you for watching ×6 ***** *** *** ******** **"
    assert rows[2] == "bye thank you for watching ×6 thank you for watching ×6"


def test_what_is_said_three_times_stays_as_it_is_said() -> None:
    """Nothing is shorter by it, and a telephone number is full of it."""
    assert align("no no no", "no no no") == ("no no no", "no no no")
    assert align("no no no no", "no no no no") == ("no ×4", "no ×4")
    assert align("five", "five 5555 aaaa")[1] == "five 5555 aaaa"


def test_a_loop_without_spaces_is_shortened_too() -> None:
    assert align("今日は", "今日は" + "ありがとう" * 20) == ("今日は", "今日はありがとう×20")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("i would would would would would say", "i would ×5 say"),
        ("a b a b a b a b a", "a b ×4 a"),
        ("no no yes no no yes no no yes no no yes", "no no yes ×4"),
        ("请稍候请稍候请稍候请稍候。", "请稍候×4。"),
        ("5555 aaaa", "5555 aaaa"),
    ],
)
def test_a_text_is_written_without_its_loops(text: str, expected: str) -> None:
    assert shorten_loops(text) == expected


def test_many_counts_are_those_that_were_added(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    names = ("substitutions", "deletions", "insertions", "length")
    counts = [ErrorCount(**{name: rng.randint(0, 99) for name in names}) for _ in range(200)]
    monkeypatch.setattr("pytest_whisperq.system.column._AT_ONCE", 64)
    many = ErrorCounts(counts[:150])
    for count in counts[150:]:
        many.append(count)
    assert [*many] == counts == many[:]
    assert (many[7], many[-1], many[3:5], len(many)) == (counts[7], counts[-1], counts[3:5], 200)
    assert [*many.errors] == [count.errors for count in counts]
    assert [*many.lengths] == [count.length for count in counts]
    assert many.rate == error_rate(counts)
    assert ErrorCounts().rate is None


def test_counts_of_a_text_as_long_as_a_book_are_kept() -> None:
    short, long = (ErrorCount(substitutions=1, deletions=0, insertions=n, length=n) for n in (7, 70_000))
    assert [*ErrorCounts([short, long, short])] == [short, long, short]
