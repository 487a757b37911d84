"""What streaming merges take and give: timed words, chunks, updates. All times are whole milliseconds of the stream."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

from pytest_whisperq.system.errors import StreamError

SHORTEST_WINDOW = 50
"""No recognizer hears a word in a window of fewer ms, so that one with words is told in seconds."""


class StreamWord(NamedTuple):
    """A word as it was heard, with where it begins and ends, in milliseconds since the stream began."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One hypothesis: what was heard in a window of the stream.

    `seq` counts the windows of a stream from 0; `start` and `end` are the window, in milliseconds; words are in the
    order in which they were said; `final` says that no sound comes after this window.

    Raises `StreamError` for anything but whole milliseconds and a tuple of `StreamWord`. Words may reach out of their
    window and end before they start: decoders do that, and merges have to bear it.
    """

    seq: int
    start: int
    end: int
    words: tuple[StreamWord, ...] = ()
    final: bool = False

    def __post_init__(self) -> None:
        where = f"chunk {self.seq!r}"
        if type(self.seq) is not int or self.seq < 0:
            raise StreamError(
                f"seq is {self.seq!r}, a {type(self.seq).__name__}", where=where, remedy="count chunks: 0, 1, 2 …"
            )
        if type(self.final) is not bool:
            raise StreamError(f"final is {self.final!r}", where=where, remedy="write True or False")
        for name, value in (("start", self.start), ("end", self.end)):
            _check_time(value, name, where)
        if self.end < self.start:
            raise StreamError(
                f"ends at {self.end} ms, before it starts at {self.start} ms", where=where, remedy="check its window"
            )
        if type(self.words) is not tuple:
            raise StreamError(
                f"words are a {type(self.words).__name__}", where=where, remedy="give a tuple of StreamWord"
            )
        for word in self.words:
            if not isinstance(word, StreamWord) or type(word.text) is not str:
                raise StreamError(
                    f"{word!r} is no word", where=where, remedy="give StreamWord(text, start, end), the text a str"
                )
            if type(word.start) is not int or type(word.end) is not int:
                for name, value in (("start", word.start), ("end", word.end)):
                    _check_time(value, f"the {name} of {word.text!r}", where)
        if self.words and 0 < self.end - self.start < SHORTEST_WINDOW:
            raise StreamError(
                f"words in a window of {self.end - self.start} ms, {self.start} to {self.end}",
                where=where,
                remedy="if these are seconds, give milliseconds: round(1000 * seconds)",
            )


def _check_time(value: object, name: str, where: str) -> None:
    if type(value) is not int:
        raise StreamError(
            f"{name} is {value!r}, a {type(value).__name__}, where whole milliseconds are needed",
            where=where,
            remedy="give an int; of seconds, round(1000 * seconds)",
        )


class Update(NamedTuple):
    """What a push changed: words that are final now, and all that may still change, which replace the last ones."""

    committed: tuple[StreamWord, ...] = ()
    tentative: tuple[StreamWord, ...] = ()


@runtime_checkable
class Merger(Protocol):
    """Makes one transcript of overlapping chunks. It never retracts what it has committed."""

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        """Every word committed so far."""

    def push(self, chunk: Chunk) -> Update:
        """Hear one more chunk; raise after `flush`."""

    def flush(self) -> Update:
        """Commit what is left: the stream is over. Called again, it changes nothing."""


@lru_cache(maxsize=4096)
def key(text: str) -> str:
    """Return what makes two words the same: compatibility form (NFKC), folded case, no punctuation, space or control.

    Empty for what is no word ("...").

    >>> key("Ｈｅｌｌｏ,") == key("hello")
    True
    >>> key("…")
    ''
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(mark for mark in folded if unicodedata.category(mark)[0] not in "PZC")


_NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH", "THAI", "LAO", "KHMER", "MYANMAR")


@lru_cache(maxsize=4096)
def _spaceless(mark: str) -> bool:
    return unicodedata.name(mark, "").startswith(_NO_SPACES)


def join(words: Iterable[StreamWord]) -> str:
    """Return the words as one text: a space between two, but none beside characters of scripts that use none.

    >>> join([StreamWord("hold", 0, 300), StreamWord("on", 300, 400)])
    'hold on'
    >>> join([StreamWord("你", 400, 600), StreamWord("好", 600, 800)])
    '你好'
    """
    texts = [text for word in words if (text := word.text.strip())]
    if not texts:
        return ""
    parts = texts[:1]
    for left, right in pairwise(texts):
        parts += [right] if _spaceless(left[-1]) and _spaceless(right[0]) else [" ", right]
    return "".join(parts)


_TENS = {"twenty": 2, "thirty": 3, "forty": 4, "fifty": 5, "sixty": 6, "seventy": 7, "eighty": 8, "ninety": 9}
_ONES = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}


def english_tens(left: str, right: str) -> str | None:
    """Return "25" for "twenty", "five", else None: for merges of windows that write numbers now so, now so.

    No more than that: what "one two" or "two hundred" say together depends on what comes before, which another window
    may not hear.
    """
    return f"{_TENS[left]}{_ONES[right]}" if left in _TENS and right in _ONES else None
