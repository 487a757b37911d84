"""Texts word under word, as they were said, and where they part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pytest_whisperq.speech.corpus.spacing import words_and_characters
from pytest_whisperq.streaming import key

Kind = Literal["same", "written", "other", "lost", "added"]
"""Of a column, from the first text to the second: the same, the same word written differently, another word, no word
any more, a word where none was."""


class Column(NamedTuple):
    """A word of each of two texts; "" where one of them has none."""

    first: str
    second: str
    kind: Kind


def compare(first: str, second: str) -> list[Column]:
    """Align two texts word by word (Levenshtein), without regard to case and punctuation.

    In scripts that put no spaces between words, characters are aligned.

    >>> for column in compare("Hold the line, please.", "hold line please now"):
    ...     print(*column, sep="|")
    Hold|hold|written
    the||lost
    line,|line|written
    please.|please|written
    |now|added
    """
    import jiwer

    sides = [_words(text) for text in (first, second)]
    if not all(sides):
        return [Column(word, "", "lost") for word in sides[0]] + [Column("", word, "added") for word in sides[1]]
    columns: list[Column] = []
    for chunk in jiwer.process_words(*(" ".join(map(key, words)) for words in sides)).alignments[0]:
        left = sides[0][chunk.ref_start_idx : chunk.ref_end_idx]
        right = sides[1][chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            columns += [Column(word, "", "lost") for word in left]
        elif chunk.type == "insert":
            columns += [Column("", word, "added") for word in right]
        else:
            equal = chunk.type == "equal"
            columns += [
                Column(one, other, ("same" if one == other else "written") if equal else "other")
                for one, other in zip(left, right, strict=True)
            ]
    return columns


def _words(text: str) -> list[str]:
    """Return the words of a text, with what is no word, such as a dash, at the end of the one before it."""
    words: list[str] = []
    for unit in words_and_characters(text):
        if key(unit):
            words.append(unit)
        elif words:
            words[-1] += unit
    return words


def errors(columns: Sequence[Column]) -> int:
    """Return how many words differ: other ones, lost ones and added ones."""
    return sum(column.kind in ("other", "lost", "added") for column in columns)
