"""Hypothesis strategies for streams: everything is drawn as data, so that a counterexample shrinks to a short table."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pytest_whisperq.contract.delivery_faults import disturbed
from pytest_whisperq.contract.draws import number, pick
from pytest_whisperq.contract.stream import Stream, before_growth, shifted
from pytest_whisperq.contract.window_errors import window_chunks
from pytest_whisperq.streaming import Level, StreamProfile, StreamWord, key, required_overlap
from pytest_whisperq.system.errors import StreamError

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

LETTERS = tuple("abcdefgh")
REPEATED = ("no", "very")
ALIKE = ("operation", "operational", "cooperation", "the", "they", "an", "and")
UNICODE = ("café", "Straße", "五", "日", "本", "バ", "👩\u200d🚀", "שלום", "ＡＢ", "don't")
NUMBERS = ("twenty", "five")
"""Vocabularies: letters for short tables, few words for repeats, words that begin or end alike, and other scripts."""

SLIDES = 3
"""So many times, at least, windows slide in streams that are asked to."""

OVERLAPPING = -1
"""In place of a pause: the word begins in the middle of the one before."""


def _profile(draw: DrawFn, *, slack: bool, numbers: bool = False) -> StreamProfile:
    jitter = pick(draw, (0, 20, 40))
    bare = StreamProfile(
        window=10**6,
        hop=pick(draw, (300, 500, 1000)),
        edge=pick(draw, (0, 100, 250, 500)),
        jitter=jitter,
        longest_word=600 if numbers else pick(draw, (300, 600)),
        repeat_spacing=pick(draw, (6 * jitter + 2, 300)),
        votes=pick(draw, (1, 2)),
    )
    more = bare.hop if slack else pick(draw, (0, 400))
    return _with_window(bare, bare.hop + required_overlap(bare) + more)


def _shortest(profile: StreamProfile) -> int:
    """Return how long a word lasts at least, in ms: so long that times tell it from the end of the one before."""
    return 80 + 4 * profile.jitter


@st.composite
def profiles(draw: DrawFn) -> StreamProfile:
    """Windows with which a merge can be right."""
    return _profile(draw, slack=False)


def _with_window(profile: StreamProfile, window: int) -> StreamProfile:
    values = {name: getattr(profile, name) for name in StreamProfile.__dataclass_fields__}
    return StreamProfile(**{**values, "window": window})


def _truth(
    draw: DrawFn, profile: StreamProfile, words: Sequence[str], *, most: int, distinct: bool
) -> tuple[StreamWord, ...]:
    """What is said: words of 80 ms and more, pauses, runs of repeats, words that overlap.

    Equal words start `repeat_spacing` apart, others as far as the shortest word is long. Ends are in order too:
    a window that ends within a word would else hear a later one before it.
    """
    count = number(draw, 1, most)
    texts: list[str] = []
    left = list(words)
    while len(texts) < count and left:
        if distinct:
            texts.append(left.pop(number(draw, 0, len(left) - 1)))
        else:
            unit = [pick(draw, words) for _ in range(number(draw, 1, 2))]
            texts += unit * pick(draw, (1, 1, 2, 3))
    del texts[2 * most :]
    spoken_words: list[StreamWord] = []
    latest: dict[str, int] = {}
    now, shortest = 0, _shortest(profile)
    for text in texts:
        pause = pick(draw, (0, 0, 50, profile.hop // 3, 3 * profile.hop // 2, OVERLAPPING))
        start = now + pause
        if pause == OVERLAPPING:
            before = spoken_words[-1] if spoken_words else StreamWord("", 0, 0)
            start = min(now, before.start + max(shortest, (before.end - before.start) // 2))
        start = max(start, latest.get(key(text), -(10**9)) + profile.repeat_spacing)
        length = min(pick(draw, (shortest, profile.longest_word)), profile.longest_word)
        latest[key(text)] = start
        now = max(now, start + length)
        spoken_words.append(StreamWord(text, start, now))
    return tuple(spoken_words)


@st.composite
def streams(
    draw: DrawFn,
    level: Level = Level.DISTURBED,
    profile: StreamProfile | None = None,
    *,
    repeats: bool = True,
    numbers: bool = False,
    most: int = 8,
    slides: bool = False,
) -> Stream:
    """Streams of this level and what lower levels contain; without `repeats` no word is said twice.

    With `numbers` there are some, which windows write as digits or as words. `most` words, about, are said. With
    `slides` windows do so several times; else they slide, grow, or grow and are cut.
    """
    slack = level >= Level.DISTURBED
    profile = profile or _profile(draw, slack=slack, numbers=numbers)
    distinct = level == Level.TEXT or not repeats
    vocabulary: tuple[str, ...] = pick(draw, (LETTERS, ALIKE) if distinct else (LETTERS, REPEATED, ALIKE))
    if level >= Level.SURFACE:
        vocabulary = pick(draw, (vocabulary, UNICODE))
    truth = _truth(draw, profile, vocabulary, most=most, distinct=distinct)
    if numbers:
        truth = _numbered(truth, profile)
    mode = "sliding" if slides else pick(draw, ("growing", "sliding", "cut"))
    end = truth[-1].end
    if mode != "growing":
        hops = SLIDES + 1 if slides else pick(draw, (1, SLIDES + 1))  # one more, as a window may be lost
        truth, end = _stretched(draw, truth, profile.window + hops * profile.hop)
    windows = _windows(draw, profile, end, mode)
    chunks = window_chunks(draw, truth, windows, profile, level, _surfaces(level), numbers=numbers)
    if level >= Level.DISTURBED:
        chunks = disturbed(draw, chunks, slack=profile.overlap - required_overlap(profile) >= profile.hop)
    return Stream(profile, truth, chunks, level)


def _numbered(truth: tuple[StreamWord, ...], profile: StreamProfile) -> tuple[StreamWord, ...]:
    """Say a number of two words behind every other word; together they are no longer than the longest word."""
    if profile.longest_word < 2 * _shortest(profile):
        raise StreamError(
            f"numbers of two words last {2 * _shortest(profile)} ms at least where times are {profile.jitter} ms off, "
            f"and the longest word is to have {profile.longest_word}",
            remedy="raise longest_word, or waive 'numbers'",
        )
    words: list[StreamWord] = []
    now = 0
    for index, word in enumerate(truth):
        length = min(word.end - word.start, profile.longest_word // 2)
        pause = max(0, word.start - (truth[index - 1].end if index else 0))
        for text in (word.text, *(NUMBERS if index % 2 == 0 else ())):
            now = max([now + pause, *(w.start + profile.repeat_spacing for w in words if key(w.text) == key(text))])
            words.append(StreamWord(text, now, now + length))
            now, pause = now + length, 0
    return tuple(words)


def _stretched(draw: DrawFn, truth: tuple[StreamWord, ...], length: int) -> tuple[tuple[StreamWord, ...], int]:
    """Make speech last so long, by a silence somewhere, at its end too; return it and where it ends, in ms.

    However long windows are, a few of them slide then, and words lie before and behind where they do.
    """
    silence = max(0, length - truth[-1].end)
    at = len(truth) - number(draw, 0, len(truth))
    if tuple(word.text for word in truth[at - 1 : at + 1]) == NUMBERS:  # no silence within a number
        at -= 1
    return (*truth[:at], *shifted(truth[at:], silence)), truth[-1].end + silence


def _windows(draw: DrawFn, profile: StreamProfile, end: int, mode: str) -> list[tuple[int, int]]:
    """Windows to the end of what is said, and behind it: sliding, growing, or growing and cut when they are too long.

    The first one is there after as much sound as lets them grow for many hops, or for as few as may be.
    """
    end += pick(draw, (0, 200, 2 * profile.hop))
    first, last = 0, pick(draw, (before_growth(profile), before_growth(profile, 0)))
    windows: list[tuple[int, int]] = []
    while last < end or not windows:
        last = min(end, last + pick(draw, (profile.hop, profile.hop // 2)))
        if mode == "sliding" or (mode == "cut" and last - first > profile.window + 2 * profile.hop):
            first = max(first, last - profile.window)
        windows.append((first, last))
    return windows


SURFACES: tuple[Callable[[str], str], ...] = (
    str,
    str.capitalize,
    str.upper,
    lambda text: text + ",",
    lambda text: text + ".",
    lambda text: " " + text,
    lambda text: unicodedata.normalize("NFD", text),
)


def _surfaces(level: Level) -> tuple[Callable[[str], str], ...]:
    return SURFACES if level >= Level.SURFACE else SURFACES[:1]
