"""A stream on a virtual clock: what was decoded once is merged as if it arrived live, at the speed that was measured.

Decoding happens at any time and on any machine; only how long each window took enters here. The same windows give the
same text however busy the machine was, and times that can be told apart from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_whisperq.streaming.chunks import Chunk, Merger, StreamWord
from pytest_whisperq.streaming.overlap import StreamProfile
from pytest_whisperq.system.errors import StreamError


@dataclass(frozen=True, slots=True)
class Event:
    """What is known after a window, or after the flush, which comes last. Times in milliseconds of the stream.

    `sent`: how much sound had arrived; `done`: when the window was decoded, which is later by the computing of this
    window and by the backlog of those before; `took`: that computing; `committed`: all that is final by then,
    `tentative`: all that is shown besides.
    """

    sent: int
    done: float
    took: float
    committed: tuple[StreamWord, ...]
    tentative: tuple[StreamWord, ...]

    @property
    def shown(self) -> tuple[StreamWord, ...]:
        """All that a reader sees."""
        return self.committed + self.tentative


def windows(length: int, profile: StreamProfile) -> list[tuple[int, int]]:
    """Return start and end of the windows in which a recording of `length` ms is heard, the last one up to its end.

    The first windows are shorter: sound is decoded as soon as a hop of it is there. Raises `StreamError` for a
    recording without length.
    """
    if length < 1:
        raise StreamError(f"a recording of {length} ms has nothing to stream", remedy="stream a longer one")
    ends = [*range(profile.hop, length, profile.hop), length]
    return [(max(0, end - profile.window), end) for end in ends]


class Playback:
    """Pushes windows into a merge as they would arrive, each after it was decoded, and keeps the clock.

    A window is decoded when its sound is there and the one before is done: nothing is skipped, so that a model slower
    than the stream falls behind without end.
    """

    def __init__(self, merge: Merger) -> None:
        self._merge = merge
        self._done = 0.0
        self._sent = 0

    def push(self, chunk: Chunk, took: float) -> Event:
        """Hear one more window, whose decoding took so many ms."""
        self._done = max(float(chunk.end), self._done) + took
        self._sent = chunk.end
        update = self._merge.push(chunk)
        return Event(chunk.end, self._done, took, tuple(self._merge.committed), update.tentative)

    def flush(self) -> Event:
        """Commit what is left: the stream is over."""
        self._merge.flush()
        return Event(self._sent, self._done, 0.0, tuple(self._merge.committed), ())


def play(chunks: Sequence[Chunk], took: Sequence[float], merge: Merger) -> tuple[Event, ...]:
    """Push `chunks` as they would arrive, each after it was decoded in `took` ms, then flush; one event each."""
    playback = Playback(merge)
    events = [playback.push(chunk, cost) for chunk, cost in zip(chunks, took, strict=True)]
    return (*events, playback.flush())
