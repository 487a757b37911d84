"""How much windows have to overlap before any merge, and before ours, can be right.

A word that straddles every window's end is whole in none, so that overlaps shorter than the longest word lose words
whatever the merge does. Where a model errs near the ends of its window (the edge zone) and tells times with some
jitter, a merge needs every word inside enough windows, away from their ends.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from pytest_whisperq.system.errors import StreamError


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamProfile:
    """What a merge may count on. Times in milliseconds.

    window, hop: length of a window and the longest step from one to the next. edge: how far from the ends of a window
    its words may be wrong. jitter: how far a word's start and end may be off, at most. longest_word. repeat_spacing:
    from the start of a word to the start of the next equal one, at least. votes: in how many windows a word is heard
    before it is committed.
    """

    window: int = 6000
    hop: int = 1000
    edge: int = 250
    jitter: int = 40
    longest_word: int = 800
    repeat_spacing: int = 260
    votes: int = 2

    def __post_init__(self) -> None:
        for name in ("window", "hop", "longest_word", "repeat_spacing", "votes"):
            if getattr(self, name) < 1:
                raise StreamError(f"{name} is {getattr(self, name)}", remedy="a stream needs 1 or more")
        for name in ("edge", "jitter"):
            if getattr(self, name) < 0:
                raise StreamError(f"{name} is {getattr(self, name)}", remedy="it cannot be negative")

    @property
    def margin(self) -> int:
        """How far from the ends of a window a word is surely heard right, and surely told to be inside."""
        return self.edge + 2 * self.jitter

    @property
    def overlap(self) -> int:
        """How much of a window is heard again in the next one, at least."""
        return self.window - self.hop

    def earliest_next(self, start: int, end: int) -> int:
        """Return from when on a word may be heard that follows one heard from `start` to `end`, all in ms.

        Words may overlap, so that its start counts, not its end; earlier than that it would be the same word.
        """
        return min(start + 2 * self.jitter + 1, end - 2 * self.jitter)

    def check(self) -> None:
        """Raise `StreamError` where no merge, or not ours, can be right, with what to change."""
        needed = required_overlap(self)
        if self.overlap < self.longest_word:
            raise StreamError(
                f"windows of {self.window} ms every {self.hop} ms overlap by {self.overlap} ms: a word of "
                f"{self.longest_word} ms may be whole in none of them, and no merge can be right",
                remedy=f"use windows of {self.hop + needed} ms, or hop less",
            )
        if self.overlap < needed:
            raise StreamError(
                f"windows of {self.window} ms every {self.hop} ms overlap by {self.overlap} ms; to hear each word "
                f"{self.votes} times {self.margin} ms away from the ends of a window takes {needed} ms",
                remedy=f"use windows of {self.hop + needed} ms, hop less, or ask for fewer votes",
            )
        if self.repeat_spacing < 6 * self.jitter + 2:
            raise StreamError(
                f"a word may come again after {self.repeat_spacing} ms and its time may be {self.jitter} ms off: one "
                f"word heard twice looks like two",
                remedy=f"times have to be exact to {max(0, self.repeat_spacing - 2) // 6} ms",
            )


def required_overlap(profile: StreamProfile) -> int:
    """Return the least overlap of two windows, in ms, with which every word is well inside `votes` windows.

    window - 2 (edge + 2 jitter) - longest_word >= votes * hop, solved for window - hop.

    >>> required_overlap(StreamProfile(window=8000, hop=1000, votes=2)) + 1000 <= 8000
    True
    """
    return (profile.votes - 1) * profile.hop + 2 * profile.margin + profile.longest_word


def widened(profile: StreamProfile) -> StreamProfile:
    """Return the same with windows long enough for a merge to be right."""
    return replace(profile, window=max(profile.window, profile.hop + required_overlap(profile)))


def save_profile(profile: StreamProfile, path: Path) -> None:
    """Write a profile as JSON, which `load_profile` reads; raise `StreamError` where that cannot be."""
    try:
        path.write_text(json.dumps(asdict(profile), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StreamError(f"the profile cannot be written ({error.strerror or error})", where=str(path)) from error


def load_profile(path: Path, option: str) -> StreamProfile:
    """Read a profile: a JSON object of whole numbers, those left out being the default's.

    Raises `StreamError` naming ``option`` and the file.
    """
    known = [field.name for field in fields(StreamProfile)]
    try:
        return _profile(json.loads(path.read_text(encoding="utf-8")), known)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise StreamError(reason, where=f"{option}: {path}") from error
    except ValueError as error:
        raise StreamError(f"is not JSON ({error})", where=f"{option}: {path}") from error
    except StreamError as error:
        raise error.within(f"{option}: {path}") from error


def _profile(values: object, known: Sequence[str]) -> StreamProfile:
    if not isinstance(values, dict):
        raise StreamError("holds no JSON object", remedy='write one such as {"window": 6000, "hop": 1000}')
    for name, value in values.items():
        if name not in known:
            raise StreamError(f"unknown key {name!r}", remedy=f"valid: {', '.join(known)}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise StreamError(f"must be a whole number (got {value!r})", where=name)
    profile = StreamProfile(**values)
    profile.check()
    return profile
