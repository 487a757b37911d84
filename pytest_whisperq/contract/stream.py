"""A synthetic stream: what was said and the windows in which it was heard; how it is shown and transformed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord, key

GROWING = 6
"""So many hops the first windows grow before they slide."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a merge is judged by: it is pushed the chunks and should end with the words of the truth.

    `level` is what the chunks contain. Times in milliseconds.
    """

    profile: StreamProfile
    truth: tuple[StreamWord, ...]
    chunks: tuple[Chunk, ...]
    level: Level = Level.TEXT

    @property
    def expected(self) -> list[str]:
        """What was said, word by word, as `key` compares them."""
        return [key(word.text) for word in self.truth]

    @property
    def slides(self) -> int:
        """How many times windows leave sound behind that earlier ones heard."""
        return len({chunk.start for chunk in self.chunks if chunk.end > chunk.start}) - 1

    def shifted(self, by: int) -> Stream:
        """Return the same stream, so many milliseconds later."""
        chunks = tuple(replace(c, start=c.start + by, end=c.end + by, words=shifted(c.words, by)) for c in self.chunks)
        return replace(self, truth=shifted(self.truth, by), chunks=chunks)

    def renamed(self, rename: Callable[[str], str]) -> Stream:
        """Return the same stream in other words."""

        def renamed(words: tuple[StreamWord, ...]) -> tuple[StreamWord, ...]:
            return tuple(word._replace(text=rename(word.text)) for word in words)

        chunks = tuple(replace(chunk, words=renamed(chunk.words)) for chunk in self.chunks)
        return replace(self, truth=renamed(self.truth), chunks=chunks)

    def clean(self, hop: int) -> Stream:
        """Return the same words, heard without error in windows that move on by `hop`; the first ones grow."""
        end = max(chunk.end for chunk in self.chunks)
        origin = min(chunk.start for chunk in self.chunks)
        ends = [*range(origin + before_growth(self.profile) + hop, end, hop), end]
        windows = [(max(origin, last - self.profile.window), last) for last in ends]
        chunks = tuple(
            Chunk(seq, first, last, whole(self.truth, first, last), last == end)
            for seq, (first, last) in enumerate(windows)
        )
        return replace(self, chunks=chunks, level=Level.TEXT)

    def table(self) -> str:
        """Return the chunks as a table: what a merge was told, one line a window."""
        rows = [
            f"  {chunk.seq:>3}  {f'{chunk.start}-{chunk.end}':>13}{' final' if chunk.final else '      '}  "
            + (" ".join(f"{word.text!r}[{word.start}-{word.end}]" for word in chunk.words) or "(nothing)")
            for chunk in self.chunks
        ]
        return "\n".join(["  seq   window (ms)        words", *rows])

    def code(self) -> list[str]:
        """Return the lines of an expression that makes this stream, with the names of `pytest_whisperq.streaming`."""
        return [
            "Stream(",
            f"    {self.profile!r},",
            f"    truth={_words(self.truth)},",
            "    chunks=(",
            *(f"        {_chunk(chunk)}," for chunk in self.chunks),
            "    ),",
            f"    level=Level.{self.level.name},",
            ")",
        ]


def before_growth(profile: StreamProfile, hops: int = GROWING) -> int:
    """Return how much sound, in ms, is there before the first hop: so much that windows grow by `hops` and then slide.

    Windows of 30 s every second that grew from the first second on would be thirty before one slides. They grow for as
    many hops as there are votes, and one more: else the first words would be in too few windows.
    """
    return max(0, profile.window - max(hops, profile.votes + 1) * profile.hop)


def shifted(words: tuple[StreamWord, ...], by: int) -> tuple[StreamWord, ...]:
    """Return the words, so many milliseconds later."""
    return tuple(StreamWord(word.text, word.start + by, word.end + by) for word in words)


def whole(words: tuple[StreamWord, ...], first: int, last: int) -> tuple[StreamWord, ...]:
    """Return the words that lie in a window as a whole."""
    return tuple(word for word in words if first <= word.start and word.end <= last)


def _chunk(chunk: Chunk) -> str:
    return f"Chunk({chunk.seq}, {chunk.start}, {chunk.end}, {_words(chunk.words)}, {chunk.final})"


def _words(words: tuple[StreamWord, ...]) -> str:
    inner = ", ".join(f"StreamWord({word.text!r}, {word.start}, {word.end})" for word in words)
    return f"({inner}{',' if len(words) == 1 else ''})"
