"""What is wrong with the rows of a corpus as a whole, though each of them may be right."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import normalize

from pytest_whisperq.speech.corpus.subset import categories
from pytest_whisperq.speech.corpus.types import Corpus, Utterance
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.speech.numbers import written_numbers

_OVERLAP = 0.5
"""Seconds that two spans of one recording share: cutters leave margins, but no word is in both."""

_SHORTEST_CUT = 100  # characters; texts of fewer often have the same length
_CUT_AT_ONCE = 3
_SPIKE = 5
"""Times as many texts have the largest length as each of the ten below, where a table cuts them there."""


class Inconsistency(NamedTuple):
    """A finding: the row that it is about, or None for all of the corpus, and what is wrong and what to do."""

    item: Utterance | None
    message: str


def inconsistencies(corpus: Corpus, normalizer: Normalizer) -> Iterator[Inconsistency]:
    """Yield what contradicts itself in a corpus that is compared under ``normalizer``."""
    yield from _overlaps(corpus.utterances)
    yield from _spelled_twice(corpus.utterances)
    yield from _cut(corpus.speech)
    yield from _two_number_styles(corpus.speech, normalizer)


def _overlaps(utterances: Sequence[Utterance]) -> Iterator[Inconsistency]:
    """Name each span of a recording that begins before another one of it is over; a span without an end has none."""
    spans: dict[object, list[Utterance]] = defaultdict(list)
    for item in utterances:
        if item.audio.file is not None and item.audio.seconds is not None:
            spans[item.audio.file].append(item)
    for items in spans.values():
        last: Utterance | None = None
        end = 0.0
        for item in sorted(items, key=lambda one: one.audio.offset):
            stop = item.audio.offset + (item.audio.seconds or 0.0)
            shared = min(end, stop) - item.audio.offset
            if last is not None and shared > _OVERLAP:
                yield Inconsistency(
                    item,
                    f"{item.id} shares {shared:.2f} s of its recording with {last.id} ({last.where}): what is said "
                    "there is heard in both; correct the times, or leave one out",
                )
            if stop > end:
                last, end = item, stop


def _spelled_twice(utterances: Sequence[Utterance]) -> Iterator[Inconsistency]:
    """Name the columns of groups that have one value in two spellings: they are taken for two groups."""
    columns = {name: Counter[str]() for name in ("cluster", *categories(utterances))}
    for item in utterances:
        for name, value in (("cluster", item.cluster), *item.slices):
            if value and name in columns and (name != "cluster" or value == item.cluster):
                columns[name][value] += 1
    for name, values in columns.items():
        spellings: dict[str, list[str]] = defaultdict(list)
        for value in sorted(values):
            spellings[" ".join(normalize("NFKC", value).casefold().replace("_", " ").split())].append(value)
        twice = [alike for plain, alike in spellings.items() if len(alike) > 1 and sum(map(str.isalpha, plain)) > 1]
        if twice:
            counts = " and ".join(f"{value!r} ({values[value]})" for value in twice[0])
            more = f", and {len(twice) - 1} more so" if len(twice) > 1 else ""
            yield Inconsistency(
                None,
                f"the column {name} has {counts} in two spellings{more}: they count as two groups; write them alike",
            )


def _cut(speech: Sequence[Utterance]) -> Iterator[Inconsistency]:
    """Name texts that a table or an export cut at a number of characters: many have just the largest length."""
    first = {item.reference: item for item in reversed(speech)}
    lengths = Counter(map(len, first))
    longest = max(lengths, default=0)
    below = sum(lengths[longest - step] for step in range(1, 11)) / 10
    if longest >= _SHORTEST_CUT and lengths[longest] >= max(_CUT_AT_ONCE, _SPIKE * below):
        item = next(one for one in speech if len(one.reference) == longest)
        yield Inconsistency(
            item,
            f"{lengths[longest]} transcripts, {item.id} the first, have {longest} characters each and none has more: "
            "they were cut there; take them from where they are whole",
        )


def _two_number_styles(speech: Sequence[Utterance], normalizer: Normalizer) -> Iterator[Inconsistency]:
    """Name a number that is written in digits in one row and in words in another, if the normalizer keeps them apart.

    A model writes one of the two, so that the other is an error in whatever it says.
    """
    rows: dict[str, dict[tuple[str, bool], Utterance]] = defaultdict(dict)
    for item in speech:
        for number, is_word in written_numbers(item.reference, item.language):
            rows[item.language or ""].setdefault((number, is_word), item)
    for language, found in rows.items():
        for number in sorted({number for number, is_word in found if is_word}, key=int):
            digits, words = found.get((number, False)), found[number, True]
            if digits is not None and _differ(number, words.reference, language, normalizer):
                yield Inconsistency(
                    words,
                    f"{words.id} writes {number} in words, and {digits.id} ({digits.where}) in digits; {normalizer} "
                    "takes them for two: write numbers in one way, or list both in --whisperq-substitutions",
                )
                break


def _differ(number: str, text: str, language: str, normalizer: Normalizer) -> bool:
    return number not in "".join(normalizer(text, language).split())
