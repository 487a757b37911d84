"""Case and punctuation of words that are right, apart from the words that are wrong."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.intervals import Interval

MARKS = {**{mark: mark for mark in ".,?!;:"}, "…": ".", "؟": "?", "،": ",", "؛": ";", "।": "."}
"""Punctuation marks, each with the one that it counts as."""

_EDGES = re.compile(r"^\W+|\W+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word without what surrounds it, and the marks behind it."""

    text: str
    marks: Counter[str]

    @property
    def key(self) -> str:
        """The word whatever its case."""
        return self.text.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatMeasurement:
    """Errors of (baseline, candidate) in the case and the marks of the ``words`` that both have right.

    ``drop`` is what more of these words are wrong in case or marks, in points. ``f1`` is that of marks, a fraction, and
    ``case_errors`` the share of words in another case; None where there is nothing of it. ``gained`` counts what more
    the candidate has wrong in each utterance.
    """

    drop: Interval
    words: int
    f1: tuple[float | None, float | None]
    case_errors: tuple[float | None, float | None]
    gained: tuple[int, ...]


def parse_words(text: str) -> list[Word]:
    """Return the words of a text with the marks behind each; marks before the first word are left out.

    >>> [(word.text, dict(word.marks)) for word in parse_words('"Well, Mr. X-ray – no?!"')]
    [('Well', {',': 1}), ('Mr', {'.': 1}), ('X-ray', {}), ('no', {'?': 1, '!': 1})]
    """
    words: list[Word] = []
    for token in text.replace("...", "…").split():
        core = _EDGES.sub("", token)
        behind = token[token.rindex(core) + len(core) :] if core else token
        marks = Counter(MARKS[char] for char in behind if char in MARKS)
        if core:
            words.append(Word(text=core, marks=marks))
        elif words:
            words[-1].marks.update(marks)
    return words


def measure_format(
    texts: Sequence[tuple[str, str, str]], clusters: Sequence[str], *, cased: bool, punctuated: bool, confidence: float
) -> FormatMeasurement:
    """Measure (reference, baseline, candidate) of each utterance, as written; ``clusters`` are their groups.

    Words are aligned whatever their case (Levenshtein). Looked at are those of the reference that both models have
    right, so that a word error is none of format: the drop is 100·Σ(q − r) / ΣN, with r and q the wrong ones of
    both models among these N (`accuracy.bound_drop`). A word is wrong in its case, if references are ``cased``, or in
    its marks, if they are ``punctuated``.
    """
    import numpy as np

    counts: list[tuple[int, int, int]] = []
    hits, wrong, cases = [0, 0], [0, 0], [0, 0]  # of both models
    for reference, *said in texts:
        words = parse_words(reference)
        pairs = [_matched(words, parse_words(text)) for text in said]
        both = sorted(pairs[0].keys() & pairs[1].keys())
        errors = [0, 0]
        for model, found in enumerate(pairs):
            for index in both:
                right, word = words[index], found[index]
                is_recased = cased and right.text != word.text
                is_remarked = punctuated and right.marks != word.marks
                errors[model] += is_recased or is_remarked
                cases[model] += is_recased
                hits[model] += (right.marks & word.marks).total()
                wrong[model] += (right.marks - word.marks).total() + (word.marks - right.marks).total()
        counts.append((errors[0], errors[1], len(both)))
    table = np.array(counts, np.float64).reshape(-1, 3)
    kept, length = table[:, 2] > 0, sum(count for *_, count in counts)
    groups = [one for one, keep in zip(clusters, kept, strict=True) if keep]
    marks = zip(hits, wrong, strict=True)
    f1 = [2 * hit / (2 * hit + lost) if punctuated and hit + lost else None for hit, lost in marks]
    shares = [count / length if cased and length else None for count in cases]
    return FormatMeasurement(
        drop=bound_drop(table[kept], groups, confidence=confidence),
        words=length,
        f1=(f1[0], f1[1]),
        case_errors=(shares[0], shares[1]),
        gained=tuple(after - before for before, after, _ in counts),
    )


def _matched(reference: Sequence[Word], said: Sequence[Word]) -> dict[int, Word]:
    """Return which words of the reference are said, by their index, and how."""
    import jiwer

    if not reference or not said:
        return {}
    output = jiwer.process_words(*(" ".join(word.key for word in words) for words in (reference, said)))
    return {
        chunk.ref_start_idx + offset: said[chunk.hyp_start_idx + offset]
        for chunk in output.alignments[0]
        if chunk.type == "equal"
        for offset in range(chunk.ref_end_idx - chunk.ref_start_idx)
    }
