"""What is wrong with the rows of a corpus as a whole, though each of them may be right."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import normalize

from pytest_whisperq.speech.corpus.subset import is_category
from pytest_whisperq.speech.corpus.types import Corpus, Utterance
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.speech.numbers import written_numbers
from pytest_whisperq.system.keys import as_bytes, key_of
from pytest_whisperq.system.scratch import HELD, scratch

if TYPE_CHECKING:
    import sqlite3

_OVERLAP = 0.5
"""Seconds that two spans of one recording share: cutters leave margins, but no word is in both."""

_SHORTEST_CUT = 100  # characters; texts of fewer often have the same length
_CUT_AT_ONCE = 3
_SPIKE, _BELOW = 5, 10
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
    spans = (
        (as_bytes(item.audio.file), item.audio.offset, item.audio.seconds, place)
        for place, item in enumerate(utterances)
        if item.audio.file is not None and item.audio.seconds is not None
    )
    with scratch() as database:
        database.execute("CREATE TABLE spans (file BLOB, offset REAL, seconds REAL, place INTEGER)")
        database.executemany("INSERT INTO spans VALUES (?, ?, ?, ?)", spans)
        file, last, end = -1, -1, 0.0
        for first, place, offset, seconds in database.execute(_SPANS_OF_ONE_FILE):
            if first != file:
                file, last, end = first, -1, 0.0
            stop = offset + seconds
            shared = min(end, stop) - offset
            if last >= 0 and shared > _OVERLAP:
                item, other = utterances[place], utterances[last]
                yield Inconsistency(
                    item,
                    f"{item.id} shares {shared:.2f} s of its recording with {other.id} ({other.where}): what is said "
                    "there is heard in both; correct the times, or leave one out",
                )
            if stop > end:
                last, end = place, stop


_SPANS_OF_ONE_FILE = """
    SELECT first, place, offset, seconds FROM spans CROSS JOIN (
        SELECT file AS name, min(place) AS first FROM spans GROUP BY file HAVING count(*) > 1
    ) ON file = name ORDER BY first, offset, place
"""
"""Each file is named by the place of its first span. Of a mere JOIN SQLite looks for each file in all spans."""


def _spelled_twice(utterances: Sequence[Utterance]) -> Iterator[Inconsistency]:
    """Name the columns of groups that have one value in two spellings: they are taken for two groups."""
    columns = {"cluster": 0}
    with scratch() as database:
        database.execute(
            "CREATE TABLE groups (name INTEGER, plain BLOB, value BLOB, count INTEGER, "
            "PRIMARY KEY (name, plain, value)) WITHOUT ROWID"
        )
        counts = Counter[tuple[int, str]]()
        for item in utterances:
            for name, value in (("cluster", item.cluster), *item.slices):
                if name != "cluster" or value == item.cluster:
                    counts[columns.setdefault(name, len(columns)), value] += 1
            if len(counts) >= HELD:
                _pour(counts, database)
        _pour(counts, database)
        for name, number in columns.items():
            several, filled = database.execute(
                "SELECT count(*), sum(count) FROM groups WHERE name = ?", (number,)
            ).fetchone()
            if number and not is_category(several, filled, len(utterances)):
                continue
            alike = (plain.decode("utf-8", "surrogatepass") for (plain,) in database.execute(_ALIKE, (number,)))
            twice = (plain for plain in alike if sum(map(str.isalpha, plain)) > 1)
            if (first := next(twice, None)) is not None:
                spellings = database.execute(_SPELLINGS, (number, as_bytes(first))).fetchall()
                listed = " and ".join(
                    f"{value.decode('utf-8', 'surrogatepass')!r} ({count})" for value, count in spellings
                )
                more = sum(1 for _ in twice)
                yield Inconsistency(
                    None,
                    f"the column {name} has {listed} in two spellings{f', and {more} more so' if more else ''}: "
                    "they count as two groups; write them alike",
                )


_ALIKE = """
    SELECT plain FROM groups WHERE name = ? AND value != x'' GROUP BY plain HAVING count(*) > 1 ORDER BY min(value)
"""
_SPELLINGS = "SELECT value, count FROM groups WHERE name = ? AND plain = ? AND value != x'' ORDER BY value"


def _pour(counts: Counter[tuple[int, str]], database: sqlite3.Connection) -> None:
    """Add counts of the values of numbered columns to those of a database, and forget them."""
    rows = sorted((name, as_bytes(_plain(value)), as_bytes(value), count) for (name, value), count in counts.items())
    database.executemany(
        "INSERT INTO groups VALUES (?, ?, ?, ?) "
        "ON CONFLICT (name, plain, value) DO UPDATE SET count = count + excluded.count",
        rows,
    )
    counts.clear()


def _plain(value: str) -> str:
    return " ".join(normalize("NFKC", value).casefold().replace("_", " ").split())


def _cut(speech: Sequence[Utterance]) -> Iterator[Inconsistency]:
    """Name texts that a table or an export cut at a number of characters: many have just the largest length."""
    longest = first = 0
    texts: dict[int, array[int]] = {}
    """By length, the largest and the ten below it, a number for each text."""
    for place, item in enumerate(speech):
        length = len(item.reference)
        if length > longest:
            longest, first = length, place
            texts = {known: keys for known, keys in texts.items() if known >= longest - _BELOW}
        if length >= longest - _BELOW:
            texts.setdefault(length, array("Q")).append(key_of(item.reference))
    if longest < _SHORTEST_CUT:
        return
    counts = {length: _count_distinct(keys) for length, keys in texts.items()}
    below = sum(counts.get(longest - step, 0) for step in range(1, _BELOW + 1)) / _BELOW
    if counts[longest] >= max(_CUT_AT_ONCE, _SPIKE * below):
        item = speech[first]
        yield Inconsistency(
            item,
            f"{counts[longest]} transcripts, {item.id} the first, have {longest} characters each and none has more: "
            "they were cut there; take them from where they are whole",
        )


def _count_distinct(keys: array[int]) -> int:
    import numpy as np

    found = np.frombuffer(keys, np.uint64)  # sorted where they are
    found.sort()
    return 1 + int(np.count_nonzero(found[1:] != found[:-1]))


def _two_number_styles(speech: Sequence[Utterance], normalizer: Normalizer) -> Iterator[Inconsistency]:
    """Name a number that is written in digits in one row and in words in another, if the normalizer keeps them apart.

    A model writes one of the two, so that the other is an error in whatever it says.
    """
    with scratch() as database:
        database.execute(
            "CREATE TABLE numbers (language TEXT, number TEXT, is_word INTEGER, value TEXT, place INTEGER, "
            "PRIMARY KEY (language, number, is_word)) WITHOUT ROWID"
        )
        rows = (
            (item.language or "", number, is_word, str(int(number)), place)
            for place, item in enumerate(speech)
            for number, is_word in written_numbers(item.reference, item.language)
        )
        database.executemany("INSERT OR IGNORE INTO numbers VALUES (?, ?, ?, ?, ?)", rows)
        languages = database.execute("SELECT language FROM numbers GROUP BY language ORDER BY min(place)").fetchall()
        for (language,) in languages:
            for number, in_words, in_digits in database.execute(_IN_BOTH_STYLES, (language,)):
                words, digits = speech[in_words], speech[in_digits]
                if _differ(number, words.reference, language, normalizer):
                    yield Inconsistency(
                        words,
                        f"{words.id} writes {number} in words, and {digits.id} ({digits.where}) in digits; "
                        f"{normalizer} takes them for two: write numbers in one way, or list both in "
                        "--whisperq-substitutions",
                    )
                    break


_IN_BOTH_STYLES = """
    SELECT number, words.place, digits.place FROM numbers AS words JOIN numbers AS digits USING (language, number)
    WHERE language = ? AND words.is_word AND NOT digits.is_word ORDER BY length(words.value), words.value, number
"""
"""The numbers of a language, the smallest first."""


def _differ(number: str, text: str, language: str, normalizer: Normalizer) -> bool:
    return number not in "".join(normalizer(text, language).split())
