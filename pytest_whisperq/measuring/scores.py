"""Word and character errors of what was said about an utterance, counted once: through jiwer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import starmap, zip_longest
from typing import TypeVar, overload

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.corpus.spacing import without_spaces, words_and_characters
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.column import Column

_REMEMBERED = 2**14  # pairs of texts: those of some thousand utterances, for a few candidates

_COLUMNS = ("substitutions", "deletions", "insertions", "length")

_OFTEN = 4  # times in a row: from here on, what is said is shown once
_PHRASE = 10  # words of the longest phrase of which that is noticed

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    """Edits between a text and the text it is compared with, whose ``length`` is in what a metric counts."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions


class ErrorCounts(Sequence[ErrorCount]):
    """The counts of many utterances: those of a large corpus are on the disk, like its texts."""

    def __init__(self, counts: Iterable[ErrorCount] = ()) -> None:
        self._columns = tuple(Column("i") for _ in _COLUMNS)
        for count in counts:
            self.append(count)

    def append(self, count: ErrorCount) -> None:
        """Take one more."""
        for name, column in zip(_COLUMNS, self._columns, strict=True):
            column.append(getattr(count, name))

    @property
    def errors(self) -> Column:
        """All edits of each."""
        substitutions, deletions, insertions, _ = self._columns
        return Column("i", map(sum, zip(substitutions, deletions, insertions, strict=True)))

    @property
    def lengths(self) -> Column:
        """The length of each."""
        return self._columns[-1]

    @property
    def rate(self) -> float | None:
        """Their `error_rate`."""
        length = sum(self.lengths)
        return sum(map(sum, self._columns[:-1])) / length if length else None

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[ErrorCount]:
        return starmap(_counted, zip(*self._columns, strict=True))

    @overload
    def __getitem__(self, place: int) -> ErrorCount: ...
    @overload
    def __getitem__(self, place: slice) -> list[ErrorCount]: ...
    def __getitem__(self, place: int | slice) -> ErrorCount | list[ErrorCount]:
        if isinstance(place, slice):
            return [*starmap(_counted, zip(*(column[place] for column in self._columns), strict=True))]
        return _counted(*(column[place] for column in self._columns))


@lru_cache(maxsize=_REMEMBERED)
def count_errors(reference: str, hypothesis: str, metric: Metric = "wer") -> ErrorCount:
    """Align two *normalized* texts (Levenshtein, unit costs) and count. Against an empty text all is insertion.

    For "mer" the texts are those of `as_compared`, which parts all that is counted by spaces.

    Two texts are counted once, whoever asks: the accuracy gate and its slices, the early stop, the forecast, the
    catastrophe gate and the document of a run all do.

    >>> count_errors("please hold the line", "please hold on").errors
    2
    """
    import jiwer

    process = jiwer.process_characters if metric == "cer" else jiwer.process_words
    output = process(reference, hypothesis)
    length = output.hits + output.substitutions + output.deletions
    return _counted(output.substitutions, output.deletions, output.insertions, length)


@lru_cache(maxsize=2**12)
def _counted(substitutions: int, deletions: int, insertions: int, length: int) -> ErrorCount:
    """Return the first of equal counts: those of a million utterances are a few hundred, held once."""
    return ErrorCount(substitutions=substitutions, deletions=deletions, insertions=insertions, length=length)


def as_compared(text: str, item: Utterance, metric: Metric) -> str:
    """Return a normalized text of an utterance as ``metric`` counts it: see `Pair.compared`."""
    if metric == "mer":
        return " ".join(words_and_characters(text))
    return text if metric == "wer" or item.is_spaced else without_spaces(text)


def score(item: Utterance, text: str, normalizer: Normalizer, metric: Metric) -> ErrorCount:
    """Return the errors of what a model said about an utterance, in what ``metric`` counts of its reference."""
    reference, hypothesis = (
        as_compared(normalizer(one, item.language), item, metric) for one in (item.reference, text)
    )
    return count_errors(reference, hypothesis, metric)


def count_length(text: str, metric: Metric = "wer") -> int:
    """Return how many words or characters of a text, as `count_errors` takes it, are counted."""
    return count_errors(text, text, metric).length if text else 0


def lengths_of(items: Iterable[Utterance], normalizer: Normalizer, metric: Metric) -> Column:
    """Return how much is said in each utterance, in what ``metric`` counts of its reference."""
    texts = (as_compared(normalizer(one.reference, one.language), one, metric) for one in items)
    return Column("i", (count_length(text, metric) for text in texts))


def error_rate(counts: Sequence[ErrorCount]) -> float | None:
    """Return the corpus error rate, Σ errors / Σ length (never the mean of the clips' rates); None without any text.

    >>> error_rate([count_errors("a", "b"), count_errors("a b c d e f g h i", "a b c d e f g h i")])
    0.1
    """
    length = sum(count.length for count in counts)
    return sum(count.errors for count in counts) / length if length else None


def align(reference: str, *hypotheses: str) -> tuple[str, ...]:
    """Return normalized texts word under word, reference first, gaps as ``*``, for showing where they part.

    What is said four times in a row or more, up to ten words, is shown once and followed by how often.

    >>> for row in align("please hold the line", "please hold line", "peas hold the line now now now now"):
    ...     print(row)
    please hold the line *** **
    please hold *** line *** **
    peas   hold the line now ×4
    """
    import jiwer

    words = jiwer.process_words(reference, reference).references[0]  # as jiwer splits, not as Python does
    # For each hypothesis: what stands under each reference word, and what is inserted before it (or at the end).
    under: list[list[str]] = []
    before: list[list[list[str]]] = []
    for hypothesis in hypotheses:
        output = jiwer.process_words(reference, hypothesis)
        hypothesis_words, placed = output.hypotheses[0], [""] * len(words)
        inserted: list[list[str]] = [[] for _ in range(len(words) + 1)]
        for chunk in output.alignments[0]:
            chunk_words = hypothesis_words[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type == "insert":
                inserted[chunk.ref_start_idx] += chunk_words
            elif chunk.type != "delete":
                placed[chunk.ref_start_idx : chunk.ref_end_idx] = chunk_words
        under.append(placed)
        before.append(inserted)
    columns: list[tuple[str, ...]] = []
    for slot in range(len(words) + 1):
        insertions = zip_longest(*(row[slot] for row in before), fillvalue="")
        columns += [("", *inserted) for inserted in insertions]
        if slot < len(words):
            columns.append((words[slot], *(row[slot] for row in under)))
    columns = [column for block, times in _runs(columns) for column in _once(block, times)]
    widths = [max(len(word) for word in column) for column in columns]
    rows = zip(*columns, strict=True) if columns else [()] * (len(hypotheses) + 1)
    return tuple(
        " ".join((word or "*" * width).ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def shorten_loops(text: str) -> str:
    """Return a text in which what is said four times in a row or more is written once and followed by how often.

    >>> shorten_loops("I would would would would would say")
    'I would ×5 say'
    >>> shorten_loops("谢谢谢谢谢谢谢谢")
    '谢×8'
    """
    words = (" ".join(block) + (f" ×{times}" if times > 1 else "") for block, times in _runs(text.split(" ")))
    return " ".join(map(_shorten_word, " ".join(words).split(" ")))


def _shorten_word(word: str) -> str:
    """Do the same to characters that stand alone, in a language without spaces."""
    units = words_and_characters(word)
    if len(units) < _OFTEN or "".join(units) != word:
        return word
    return "".join("".join(block) + (f"×{times}" if times > 1 else "") for block, times in _runs(units))


def _once(block: Sequence[tuple[str, ...]], times: int) -> list[tuple[str, ...]]:
    """Return the columns of a phrase and, where it is said again and again, a column of how often by whom."""
    if times > 1:
        counts = tuple(f"×{times}" if any(row) else "" for row in zip(*block, strict=True))
        block = [*block, counts]
    return [tuple(map(_shorten_word, column)) for column in block]


def _runs(items: Sequence[T]) -> Iterator[tuple[Sequence[T], int]]:
    """Yield the items in blocks, each with how many times in a row it comes: once, or `_OFTEN` times and more."""
    start = 0
    while start < len(items):
        size = times = 1
        for length in range(1, _PHRASE + 1):
            block, count = items[start : start + length], 1
            while items[start + count * length : start + (count + 1) * length] == block:
                count += 1
            if count >= _OFTEN:
                size, times = length, count
                break
        yield items[start : start + size], times
        start += size * times
