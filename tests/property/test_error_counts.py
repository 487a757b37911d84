"""Error counts against a textbook Levenshtein distance, and alignments that lose no word."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.scores import align, count_errors, shorten_loops
from pytest_whisperq.speech import normalizers

words = st.lists(st.sampled_from(["a", "bb", "ccc", "dd"]), max_size=9).map(" ".join)
unrepeated = words.filter(lambda text: shorten_loops(text) == text)
"""What is said four times in a row is shown once."""
free_text = st.text(st.sampled_from("ab \xa0\u2003\u3000\t.'é"), max_size=20).map(normalizers.get("wer-standardize"))


def levenshtein(one: list[str] | str, other: list[str] | str) -> int:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(other, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


@given(reference=words, hypothesis=words)
def test_word_errors_are_the_levenshtein_distance(reference: str, hypothesis: str) -> None:
    found = count_errors(reference, hypothesis)
    assert found.errors == levenshtein(reference.split(), hypothesis.split())
    assert found.length == len(reference.split())
    assert found.length - found.deletions + found.insertions == len(hypothesis.split())


@given(reference=words, hypothesis=words)
def test_character_errors_are_the_levenshtein_distance(reference: str, hypothesis: str) -> None:
    found = count_errors(reference, hypothesis, "cer")
    assert found.errors == levenshtein(reference, hypothesis)
    assert found.length == len(reference)


@given(reference=unrepeated, one=unrepeated, other=unrepeated)
def test_aligned_rows_have_equal_columns_and_lose_no_word(reference: str, one: str, other: str) -> None:
    rows = [row.split() for row in align(reference, one, other)]
    assert len({len(row) for row in rows}) == 1
    for row, text in zip(rows, (reference, one, other), strict=True):
        assert " ".join(word for word in row if word.strip("*")) == text


@given(reference=unrepeated, hypothesis=unrepeated)
def test_aligned_columns_differ_exactly_where_errors_are_counted(reference: str, hypothesis: str) -> None:
    above, below = (row.split() for row in align(reference, hypothesis))
    assert sum(a != b for a, b in zip(above, below, strict=True)) == count_errors(reference, hypothesis).errors


@given(reference=words, one=words, other=words)
def test_columns_start_under_each_other(reference: str, one: str, other: str) -> None:
    starts = [[match.start() for match in re.finditer(r"\S+", row)] for row in align(reference, one, other)]
    assert starts[0] == starts[1] == starts[2]


@given(reference=free_text, hypothesis=free_text)
def test_odd_white_space_loses_no_character_in_an_alignment(reference: str, hypothesis: str) -> None:
    above, below = align(reference, hypothesis)
    for row, text in ((above, reference), (below, hypothesis)):
        assert re.sub(r"[\s*]", "", row) == re.sub(r"\s", "", text)
