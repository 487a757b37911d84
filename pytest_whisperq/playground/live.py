"""Streams of microphones: sound as it arrives becomes windows, and what is heard in these is merged at once.

A stream belongs to whoever knows its id. Lag and backlog are on a clock of each model's own, as if it had the machine
for itself: here both models, and all browsers, take turns.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_whisperq.contract.known_bad import SeedTail
from pytest_whisperq.gates.streams import PER_MS
from pytest_whisperq.playground.models import HeardWords, Models
from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.streaming import Chunk, StreamProfile, TimeAnchoredMerge, join
from pytest_whisperq.streaming.chunks import SHORTEST_WINDOW
from pytest_whisperq.streaming.simulate import Event, Playback
from pytest_whisperq.system.errors import CorpusError, StreamError, WhisperqError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 600
"""Seconds after which a stream is over, so that it cannot fill the memory."""

MOST = 8
"""Streams that may be open at a time."""

IDLE = 60.0
"""Seconds without sound after which a stream is stopped, as by a browser that was closed."""

_KEPT = 600.0  # seconds for which a stream that is over can still be looked at
RATES = (4_000, 384_000)
"""Samples per second that a microphone may have, at least and at most."""

Point = tuple[float, float]


def mono(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples of shape (n,) or (n, channels) as one channel, float32; integers become parts of full scale.

    Raises `CorpusError` for what is not a number. Silence stays silence: nothing is divided by its loudness.
    """
    import numpy as np

    scale = 1.0 if np.issubdtype(samples.dtype, np.floating) else float(np.iinfo(samples.dtype).max) + 1
    one = samples.mean(axis=1) if samples.ndim == 2 else samples
    if not np.isfinite(one).all():
        raise CorpusError(
            "gives samples that are not numbers (NaN or infinity)", where="the microphone", remedy="choose another one"
        )
    return (one / scale).astype(np.float32)


class Microphone:
    """Makes 16 kHz mono of sound that arrives in pieces, without a seam between them."""

    def __init__(self) -> None:
        self._rate = SAMPLE_RATE
        self._resampler: Any = None

    def push(self, samples: NDArray[Any], rate: int) -> NDArray[np.float32]:
        """Return what there is of the next piece, shape (n,) or (n, channels); the rest comes with the one after.

        Raises `StreamError` for a rate that no microphone has, `CorpusError` as `mono` does.
        """
        import numpy as np

        if not RATES[0] <= rate <= RATES[1]:
            raise StreamError(f"{rate} samples per second", where="the microphone", remedy="choose another one")
        before = np.zeros(0, np.float32)
        if rate != self._rate:  # the first piece, or another microphone
            before = self.flush()
            self._rate = rate
        if rate == SAMPLE_RATE:
            return np.concatenate([before, mono(samples)])
        if self._resampler is None:
            import soxr

            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        return np.concatenate([before, self._resampler.resample_chunk(mono(samples))])

    def flush(self) -> NDArray[np.float32]:
        """Return what is left."""
        import numpy as np

        resampler, self._resampler = self._resampler, None
        empty = np.zeros(0, np.float32)
        return empty if resampler is None else resampler.resample_chunk(empty, last=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A part of a stream that is decoded: its number, where it is, in ms, and its samples."""

    seq: int
    start: int
    end: int
    final: bool
    samples: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a reader sees of one model's stream. Points are seconds of the stream and seconds.

    ``lags``: when a word was said, and how long after that it was committed. ``backlog``: when a window was there, and
    how long it waited for those before it. ``naive`` is what the merge that cuts a tenth off made of the same windows.
    """

    committed: str
    tentative: str
    naive: str
    lags: tuple[Point, ...]
    backlog: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A stream as it stands. ``waiting`` counts the windows that are not decoded yet."""

    seconds: float
    waiting: int
    is_over: bool
    error: str
    sides: tuple[Side, ...]


class _Merged:
    """What becomes of one model's windows."""

    def __init__(self, profile: StreamProfile) -> None:
        self._anchored = Playback(TimeAnchoredMerge(profile))
        self._naive = Playback(SeedTail())
        self._event = Event(0, 0.0, 0.0, (), ())
        self._shown = ""
        self._lags: list[Point] = []
        self._backlog: list[Point] = []

    def hear(self, chunk: Chunk, took: float) -> None:
        self._take(self._anchored.push(chunk, took))
        waited = max(0.0, self._event.done - took - chunk.end)
        self._backlog.append((chunk.end / 1000, waited / 1000))
        self._shown = join(self._naive.push(chunk, took).committed)

    def flush(self) -> None:
        self._take(self._anchored.flush())

    def _take(self, event: Event) -> None:
        for word in event.committed[len(self._event.committed) :]:
            self._lags.append((word.end / 1000, (event.done - word.end) / 1000))
        self._event = event

    def side(self) -> Side:
        return Side(
            committed=join(self._event.committed),
            tentative=join(self._event.tentative),
            naive=self._shown,
            lags=tuple(self._lags),
            backlog=tuple(self._backlog),
        )


class LiveStream:
    """One microphone, heard by so many models as one merges. Every method may be called from any thread."""

    def __init__(self, profile: StreamProfile, language: str | None, models: int = 2) -> None:
        import numpy as np

        self.language = language
        self.touched = time.monotonic()
        self._profile = profile
        self._lock = threading.Lock()
        self._microphone = Microphone()
        self._samples: NDArray[np.float32] = np.zeros(0, np.float32)  # all that a window may still want
        self._kept_from = 0  # ms of the stream at which these begin
        self._waiting: deque[tuple[int, int, int, bool]] = deque()
        self._seq = self._cut = 0  # how many windows there are, and where the last one ends
        self._taken = 0  # windows that are being decoded
        self._merged = [_Merged(profile) for _ in range(models)]
        self._error = ""
        self._is_stopped = self._is_over = False

    @property
    def _length(self) -> int:
        """How much sound there is, in ms."""
        return self._kept_from + len(self._samples) // PER_MS

    def feed(self, samples: NDArray[Any], rate: int) -> None:
        """Take the next piece of sound, shape (n,) or (n, channels); none after `stop`.

        Raises `CorpusError` or `StreamError` for what no microphone gives.
        """
        with self._lock:
            self.touched = time.monotonic()
            if self._is_stopped:
                return
            self._append(self._microphone.push(samples, rate))
            if self._length >= 1000 * LONGEST:
                self._stop()

    def stop(self) -> None:
        """Hear what is left and commit it: the stream is over once that is done."""
        with self._lock:
            self.touched = time.monotonic()
            self._stop()

    def _append(self, samples: NDArray[np.float32]) -> None:
        import numpy as np

        self._samples = np.concatenate([self._samples, samples])
        while self._cut + self._profile.hop <= self._length:
            self._add(self._cut + self._profile.hop, final=False)

    def _add(self, end: int, *, final: bool) -> None:
        self._waiting.append((self._seq, max(0, end - self._profile.window), end, final))
        self._seq, self._cut = self._seq + 1, end

    def _stop(self) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        self._append(self._microphone.flush())
        if self._cut < self._length and self._length >= SHORTEST_WINDOW:
            self._add(self._length, final=True)
        self._end()

    def _end(self) -> None:
        """Commit what is left, once there is nothing more to hear."""
        if self._is_stopped and not (self._waiting or self._taken or self._is_over):
            for one in self._merged:
                one.flush()
            self._is_over = True

    @property
    def is_over(self) -> bool:
        """Whether all of it is decoded and committed."""
        return self._is_over

    def take(self) -> Window | None:
        """Return the next window to decode; None while there is none."""
        with self._lock:
            if not self._waiting or self._taken:
                return None
            seq, start, end, final = self._waiting.popleft()
            self._taken = 1
            first = (start - self._kept_from) * PER_MS
            part = self._samples[first : first + (end - start) * PER_MS].copy()
            earliest = self._waiting[0][1] if self._waiting else max(0, self._cut + 1 - self._profile.window)
            if earliest > self._kept_from:
                self._samples = self._samples[(earliest - self._kept_from) * PER_MS :].copy()
                self._kept_from = earliest
            return Window(seq=seq, start=start, end=end, final=final, samples=part)

    def heard(self, window: Window, said: Sequence[HeardWords]) -> None:
        """Merge what each model said in the window that was taken last."""
        with self._lock:
            self._taken = 0
            for merged, one in zip(self._merged, said, strict=True):
                merged.hear(Chunk(window.seq, window.start, window.end, one.words, window.final), one.took)
            self._end()

    def fail(self, error: str) -> None:
        """End the stream with what went wrong; what was heard until then stays."""
        with self._lock:
            self._error, self._is_stopped, self._taken = error, True, 0
            self._waiting.clear()
            self._end()

    def view(self) -> View:
        """Return the stream as it stands."""
        with self._lock:
            return View(
                seconds=self._length / 1000,
                waiting=len(self._waiting) + self._taken,
                is_over=self._is_over,
                error=self._error,
                sides=tuple(one.side() for one in self._merged),
            )


class Live:
    """All streams of a playground, and the one thread that decodes their windows in turn."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._streams: dict[str, LiveStream] = {}
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="whisperq-streams", daemon=True)
        self._thread.start()

    def open(self, language: str | None) -> str:
        """Begin a stream and return its id, which nobody can guess.

        Raises `StreamError` for a language that the models do not know, where too many are open, and where none can be.
        """
        if self._models.unstreamed:
            raise StreamError(self._models.unstreamed, where="streaming")
        if language is not None and language not in self._models.languages:
            raise StreamError(f"{language!r} is no language of the model", where="streaming", remedy="choose another")
        with self._lock:
            if sum(not one.is_over for one in self._streams.values()) >= MOST:
                raise StreamError(f"{MOST} are open already", where="streaming", remedy="stop one of them")
            name = secrets.token_urlsafe(16)
            self._streams[name] = LiveStream(self._models.windows, language, len(self._models.both))
            return name

    def stream(self, name: str) -> LiveStream:
        """Return the stream of an id; raise `StreamError` where there is none, or no longer."""
        with self._lock:
            if name not in self._streams:
                raise StreamError("there is no such stream, or no longer", where="streaming", remedy="begin a new one")
            return self._streams[name]

    def wake(self) -> None:
        """Say that a stream may have something to decode."""
        self._work.set()

    def close(self) -> None:
        """End the thread; what it decodes is finished."""
        self._is_closed = True
        self._work.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closed:
            self._work.wait(timeout=1.0)
            self._work.clear()
            while sum(self._decode(stream) for stream in self._tended()):
                if self._is_closed:
                    return

    def _tended(self) -> list[LiveStream]:
        """Return the streams; those that nobody feeds are stopped, and those long over forgotten."""
        now = time.monotonic()
        with self._lock:
            for name, stream in list(self._streams.items()):
                if stream.is_over and now - stream.touched > _KEPT:
                    del self._streams[name]
                elif not stream.is_over and now - stream.touched > IDLE:
                    stream.stop()
            return list(self._streams.values())

    def _decode(self, stream: LiveStream) -> bool:
        """Decode the next window of a stream; return whether there was one."""
        window = stream.take()
        if window is None:
            return False
        try:
            stream.heard(window, self._models.listen(window.samples, window.start, stream.language))
        except WhisperqError as error:
            stream.fail(str(error))
        return True
