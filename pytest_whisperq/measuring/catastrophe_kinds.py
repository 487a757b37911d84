"""The kinds of catastrophic texts: what each means, and how a text is told to be one.

Every kind compares a text with its reference, word by word; a language without spaces has characters for words, and a
number has its digits (`speech.numbers`). The limits are conventions, not measurements; docs/statistics.md says how
often good candidates come near them.
"""

import itertools
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pytest_whisperq.speech.corpus.spacing import without_spaces, words_and_characters
from pytest_whisperq.speech.numbers import digits_apart, plain_digit
from pytest_whisperq.speech.writing import is_other_script, language_of

KINDS = (
    *("empty", "loop", "repetition", "length", "truncated tail", "unrelated", "lost passage", "made-up passage"),
    *("lost number", "other language", "other script", "task flip", "text on non-speech"),
)
(EMPTY, LOOP, REPETITION, LENGTH, TRUNCATED, UNRELATED, LOST, MADE_UP, NUMBER, LANGUAGE, SCRIPT, TASK, NONSPEECH) = (
    KINDS
)

COMPRESSION = 2.4
"""Above this ratio a text repeats itself; openai/whisper's ``compression_ratio_threshold``."""
REPEATS = 3
"""So many more times in a row than the reference does, a text says a run of up to `LONGEST` words when it loops."""
LONGEST = 4
PHRASE = 5
"""Words, three of them different, that a text says once more than the reference when it repeats itself: anywhere."""
MANY = 4
"""Words by which a text is longer or shorter than the reference, and at least twice or half as long."""
TAIL = 3
"""Words missing at the end, or digits of one number anywhere, and at least a quarter of all, when it is cut off."""
FEW = 1 / 8
"""Share of the reference's words, four or more, that an unrelated text has at most.

What Whisper makes up where it hears nothing ("thank you for watching, see you next time") has no more in common with
99 of 100 sentences of LibriSpeech, in the order of the words.
"""
DISTINCT = 2
"""Words that only the translation has, of which a text needs most to be taken for one."""
PASSAGE = 8
"""Words in a row of which a text has `FEW` at most, or that it adds."""


@lru_cache(maxsize=2**16)
def catastrophe_kinds(
    reference: str, hypothesis: str, *, spaced: bool = True, language: str | None = None
) -> tuple[str, ...]:
    """Return of which kinds a normalized text is catastrophic, compared with its reference: those up to `UNRELATED`.

    Where a language is not ``spaced``, its characters are taken for words. ``language`` is the one spoken, by Whisper's
    code, if it is known.
    """
    reference_words, words = (_words(text, spaced) for text in (reference, hypothesis))
    if not words:
        return (EMPTY,)
    size, alignment = len(reference_words), _align(reference_words, words)
    is_repeated = _repeats(words) >= _repeats(reference_words) + REPEATS
    is_looping = is_repeated or _compression(reference) <= COMPRESSION < _compression(hypothesis)
    is_followed = 2 * sum(alignment.heard) >= len(words)
    # These are the same whether a number is written in words or in digits.
    read_reference, read = (_words(text, spaced, language) for text in (reference, hypothesis))
    heard = _align(read_reference, read).heard
    found = {
        LOOP: is_looping,
        REPETITION: not is_looping and _says_again(read, read_reference),
        LENGTH: abs(len(words) - size) >= MANY and not size / 2 < len(words) < 2 * size,
        TRUNCATED: is_followed and alignment.tail >= max(TAIL, size / 4),
        UNRELATED: len(heard) >= MANY and sum(heard) <= FEW * len(heard),
    }
    return tuple(kind for kind, is_one in found.items() if is_one)


@lru_cache(maxsize=2**16)
def new_kinds(
    reference: str, baseline: str, candidate: str, *, spaced: bool = True, language: str | None = None
) -> tuple[str, ...]:
    """Return of which kinds a candidate's normalized text is catastrophic, compared with the baseline's.

    Those of `catastrophe_kinds` are the candidate's own, but nothing is lost that the baseline does not have: of an
    unrelated text or a lost passage it has most words, and of a number those digits. ``language`` is the one spoken, by
    Whisper's code, if it is known.
    """
    own = catastrophe_kinds(reference, candidate, spaced=spaced, language=language)
    words, *texts = (_words(text, spaced, language) for text in (reference, baseline, candidate))
    before, after = (_align(words, text) for text in texts)
    found = {
        **dict.fromkeys(own, True),
        UNRELATED: UNRELATED in own and 2 * sum(before.heard) > len(words),
        # What another kind accounts for is not named twice.
        LOST: not {EMPTY, TRUNCATED, UNRELATED}.intersection(own) and _loses_passage(before.heard, after.heard),
        MADE_UP: not {LOOP, REPETITION, LENGTH}.intersection(own) and after.made_up >= PASSAGE > before.made_up,
        NUMBER: _loses_number(words, before.heard, after.heard),
        LANGUAGE: _is_other_language(reference, baseline, candidate, language),
        SCRIPT: is_other_script(reference, candidate, language) and not is_other_script(reference, baseline, language),
    }
    return tuple(kind for kind in KINDS if found.get(kind))


def is_other_task(text: str, asked: str, other: str) -> bool:
    """Whether a text does the other task: it has most of the words that only ``other`` has, and few of only ``asked``.

    These are the transcript and its translation, under the normalizer of the text. Numbers, names and loan words are in
    both and tell nothing, so that a text is told only by `DISTINCT` words or more.

    >>> is_other_task("monday the third of april", "lunes tres de abril", "monday the third of april")
    True
    >>> is_other_task("lima 8", "lima 8", "lima 8")
    False
    """
    said, own, foreign = (Counter(words_and_characters(one)) for one in (text, asked, other))
    only_own, only_foreign = own - foreign, foreign - own
    if only_foreign.total() < DISTINCT:
        return False
    most = 2 * (said & only_foreign).total() > only_foreign.total()
    return most and 4 * (said & only_own).total() <= only_own.total()


def _loses_passage(before: Sequence[bool], after: Sequence[bool]) -> bool:
    """Whether of some `PASSAGE` of the reference's words most are there before and hardly any after."""
    starts = range(len(after) - PASSAGE + 1)
    return any(
        sum(after[start : start + PASSAGE]) <= FEW * PASSAGE and 2 * sum(before[start : start + PASSAGE]) > PASSAGE
        for start in starts
    )


def _loses_number(words: Sequence[str], before: Sequence[bool], after: Sequence[bool]) -> bool:
    """Whether a number of the reference's words loses three digits, and a quarter, that are there before."""
    for is_number, places in itertools.groupby(range(len(words)), lambda place: words[place].isdecimal()):
        digits = list(places)
        lost = sum(before[place] and not after[place] for place in digits)
        if is_number and lost >= max(TAIL, len(digits) / 4):
            return True
    return False


def _is_other_language(reference: str, baseline: str, candidate: str, language: str | None) -> bool:
    """Whether the candidate writes neither the language of the reference nor that of the baseline.

    ``language`` is the expected one where the reference does not tell.
    """
    written, expected = language_of(candidate), language_of(reference) or language
    return bool(written and expected) and written not in (expected, language_of(baseline))


def _words(text: str, spaced: bool, language: str | None = None) -> list[str]:
    """Return the words of a text with the digits of its numbers apart; those of its number words if told a language."""
    return digits_apart(text, language) if spaced else list(map(plain_digit, without_spaces(text)))


class _Alignment(NamedTuple):
    """Which words of the reference a text has; how many are missing at its end, and are inserted in a row."""

    heard: tuple[bool, ...]
    tail: int
    made_up: int


def _align(reference: Sequence[str], words: Sequence[str]) -> _Alignment:
    """Align as an error rate does (Levenshtein, unit costs)."""
    import jiwer

    (chunks,) = jiwer.process_words(" ".join(reference), " ".join(words)).alignments
    heard = [False] * len(reference)
    for chunk in chunks:
        if chunk.type == "equal":
            heard[chunk.ref_start_idx : chunk.ref_end_idx] = [True] * (chunk.ref_end_idx - chunk.ref_start_idx)
    last = chunks[-1]
    return _Alignment(
        heard=tuple(heard),
        tail=last.ref_end_idx - last.ref_start_idx if last.type == "delete" else 0,
        made_up=max((one.hyp_end_idx - one.hyp_start_idx for one in chunks if one.type == "insert"), default=0),
    )


def _repeats(words: Sequence[str]) -> int:
    """Return how many times in a row the most repeated run of one to `LONGEST` words is said."""
    most = 1
    for size in range(1, LONGEST + 1):
        same = [words[i : i + size] == words[i + size : i + 2 * size] for i in range(len(words) - size)]
        longest = max((sum(1 for _ in run) for hit, run in itertools.groupby(same) if hit), default=0)
        most = max(most, 1 + (longest + size - 1) // size)  # r times give size · (r - 2) + 1 hits in a row
    return most


def _compression(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def _says_again(words: Sequence[str], reference: Sequence[str]) -> bool:
    """Whether any `PHRASE` of the text comes twice or more, and oftener than the reference has it."""
    said, written = _phrases(words), _phrases(reference)
    return any(times > max(1, written[phrase]) for phrase, times in said.items())


def _phrases(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Count the runs of `PHRASE` words, three of them different; of runs that overlap, the first counts."""
    counts: Counter[tuple[str, ...]] = Counter()
    ends: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - PHRASE + 1):
        phrase = tuple(words[start : start + PHRASE])
        if len(set(phrase)) >= 3 and start >= ends.get(phrase, 0):
            counts[phrase] += 1
            ends[phrase] = start + PHRASE
    return counts
