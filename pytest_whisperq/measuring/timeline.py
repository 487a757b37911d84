"""When each word of a stream was first shown, and when it was committed."""

from collections.abc import Sequence
from typing import NamedTuple

from pytest_whisperq.streaming import StreamWord, key
from pytest_whisperq.streaming.simulate import Event

_NEAR = 250
"""So many ms apart, equal words in two windows are taken for the same one."""


class Shown(NamedTuple):
    """A committed word, and when it was first shown and when committed, in ms of the stream."""

    word: StreamWord
    shown: float
    committed: float


def timeline(events: Sequence[Event]) -> list[Shown]:
    """Return when each committed word was shown and committed; shown is when it first stood where it ended up."""
    words: list[Shown] = []
    done = 0
    seen: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        for word in event.shown[done:]:
            seen.setdefault(key(word.text), []).append((word.start, event.done))
        for word in event.committed[done:]:
            near = [at for start, at in seen[key(word.text)] if abs(start - word.start) <= _NEAR]
            words.append(Shown(word, min(near, default=event.done), event.done))
        done = len(event.committed)
    return words
