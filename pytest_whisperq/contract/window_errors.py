"""How a window hears what is said: exactly inside, anything near its ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_whisperq.contract.draws import number, pick
from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

Surfaces = Sequence[Callable[[str], str]]

GARBAGE = ("thanks", "you", "x")
MISHEARD = "zq"
"""What is heard in place of a word, behind it, or in silence, in the inside of a window at the level INTERIOR: told
apart from all that is said, so that such errors can be counted."""


def window_chunks(
    draw: DrawFn,
    truth: tuple[StreamWord, ...],
    windows: Sequence[tuple[int, int]],
    profile: StreamProfile,
    level: Level,
    surfaces: Surfaces,
    *,
    numbers: bool = False,
) -> tuple[Chunk, ...]:
    """What each window hears; the first begins where sound begins, after the last none comes: there, no edge is."""
    chunks = []
    for seq, (first, last) in enumerate(windows):
        final = seq + 1 == len(windows)
        edge = profile.edge if level >= Level.EDGES else 0
        inner = (first + (edge if first > windows[0][0] else 0), last - (0 if final else edge))
        words: list[StreamWord] = []
        for word in truth:
            if first <= word.start and word.end <= last and inner[0] <= word.start and word.end <= inner[1]:
                inside = _inside(draw, word, (first, last), profile.jitter if level >= Level.JITTER else 0)
                words += _misheard(draw, inside) if level >= Level.INTERIOR else [inside]
            elif edge and word.end > first and word.start < last:
                words += _at_an_end(draw, word, (first, last), inner, truth)
        if level >= Level.INTERIOR and not words:
            words += _hallucinated(draw, (first, last))
        if numbers:  # before anything is inserted, which would make a number with a word of the inside
            words = _digits(draw, _in_order(words))
        if edge:
            words += _inserted(draw, (first, last), inner, edge, truth)
        words = _in_order(words)
        if len(surfaces) > 1:
            words = [word._replace(text=pick(draw, surfaces)(word.text)) for word in words]
            words = _in_order(words + _marks(draw, (first, last)))
        chunks.append(Chunk(seq, first, last, tuple(words), final))
    return tuple(chunks)


def _inside(draw: DrawFn, word: StreamWord, window: tuple[int, int], jitter: int) -> StreamWord:
    if not jitter:
        return word
    start = min(max(word.start + number(draw, -jitter, jitter), window[0]), window[1])
    return StreamWord(word.text, start, min(max(word.end + number(draw, -jitter, jitter), start), window[1]))


def _misheard(draw: DrawFn, word: StreamWord) -> list[StreamWord]:
    """Hear one word in twenty as another, and half as often one word too many."""
    how = number(draw, 0, 39)
    if how in (38, 39):
        return [word._replace(text=MISHEARD)]
    return [word, StreamWord(MISHEARD, word.end, word.end)] if how == 37 else [word]


def _hallucinated(draw: DrawFn, window: tuple[int, int]) -> list[StreamWord]:
    """Hear a word in the middle of one silent window in twenty."""
    middle = (window[0] + window[1]) // 2
    return [StreamWord(MISHEARD, middle, middle)] if number(draw, 0, 19) == 19 else []


def _at_an_end(
    draw: DrawFn, word: StreamWord, window: tuple[int, int], inner: tuple[int, int], truth: tuple[StreamWord, ...]
) -> list[StreamWord]:
    """A word near an end is kept, lost, heard as another, cut short, glued to another or heard as two."""
    start, end = max(word.start, window[0]), min(word.end, window[1])
    how = pick(draw, ("lost", "kept", "other", "cut", "split", "glued"))
    if how == "lost" or end <= start:
        return []
    text = word.text
    if how == "other":
        text = pick(draw, (*GARBAGE, *(other.text for other in truth[:3])))
    if how == "glued":
        text += pick(draw, truth[:3]).text
    if how == "cut" and len(text) > 1:
        text = text[: len(text) // 2] if word.end > inner[1] else text[len(text) // 2 :]
    if how == "split" and end - start >= 2:
        middle = (start + end) // 2
        parts = [StreamWord(text, start, middle), StreamWord(text, middle, end)]
        return [part for part in parts if part.start < inner[0] or part.end > inner[1]]
    return [StreamWord(text, start, end)]


def _inserted(
    draw: DrawFn, window: tuple[int, int], inner: tuple[int, int], edge: int, truth: tuple[StreamWord, ...]
) -> list[StreamWord]:
    """Up to two words near the ends that nobody said there, often what is said close by."""
    inserted = []
    for _ in range(pick(draw, (0, 0, 1, 2))):
        text = pick(draw, (*GARBAGE, *(word.text for word in truth)))
        offset, length = number(draw, 0, edge), pick(draw, (40, 300))
        if pick(draw, (False, True)):
            end = max(window[1] - min(offset, max(0, edge - 1)), window[0])
            start = max(window[0], end - length)
        else:
            start = min(window[0] + min(offset, max(0, edge - 1)), window[1])
            end = min(window[1], start + length)
        if start < inner[0] or end > inner[1]:
            inserted.append(StreamWord(text, start, end))
    return inserted


def _marks(draw: DrawFn, window: tuple[int, int]) -> list[StreamWord]:
    """A mark that stands by itself, somewhere: no word."""
    text = pick(draw, ("", "", "…", " - "))
    start = number(draw, *window) if text else 0
    return [StreamWord(text, start, start)] if text else []


def _in_order(words: list[StreamWord]) -> list[StreamWord]:
    return sorted(words, key=lambda word: (word.start, word.end))


def _digits(draw: DrawFn, words: list[StreamWord]) -> list[StreamWord]:
    """Write "twenty five" as "25" where the window does."""
    if not pick(draw, (False, True)):
        return words
    written: list[StreamWord] = []
    for word in words:
        if written and written[-1].text == "twenty" and word.text == "five":
            written[-1] = StreamWord("25", written[-1].start, word.end)
        else:
            written.append(word)
    return written
