"""LocalAgreement, corrected: what the last n windows begin with alike is committed (Liu et al. 2020, arXiv:2005.11185).

As commonly written it loses words said twice, because it strips what it committed by comparing texts; counts a window
that is sent again as agreement; forgets everything at an empty window; and waits for ever where windows differ in
capitals or commas. Here what is committed is known by its time, windows vote once, an empty one has no say, words are
compared as `key` says, and nothing waits longer than `max_lag`. It knows nothing of the ends of windows, where models
err: for those take `TimeAnchoredMerge`.
"""

from collections import deque
from itertools import takewhile

from pytest_whisperq.streaming.chunks import Chunk, StreamWord, Update, key
from pytest_whisperq.streaming.level import Level
from pytest_whisperq.streaming.overlap import StreamProfile


class LocalAgreement:
    """Commits the longest common beginning of the last `profile.votes` windows.

    Where they go on to differ, what the newest says is committed ``max_lag`` ms after it was said: unless told
    otherwise, while the next window still holds it whole, for what has slid out of a window is lost.
    """

    level = Level.JITTER

    def __init__(self, profile: StreamProfile | None = None, *, max_lag: int | None = None) -> None:
        self.profile = profile or StreamProfile()
        self.profile.check()
        whole = self.profile.window - self.profile.hop - self.profile.longest_word
        self._max_lag = max_lag or whole
        self._tolerance = self.profile.repeat_spacing - 2 * self.profile.jitter
        self._committed: list[StreamWord] = []
        self._chunks: deque[Chunk] = deque(maxlen=self.profile.votes)
        self._over = False

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        """Every word committed so far."""
        return tuple(self._committed)

    @property
    def state_size(self) -> int:
        """How many words it keeps, besides those it has committed."""
        return sum(len(chunk.words) for chunk in self._chunks)

    def push(self, chunk: Chunk) -> Update:
        """Hear one more chunk; raise `RuntimeError` after `flush`."""
        if self._over:
            raise RuntimeError("the stream was flushed; begin a new one with a new merge")
        newest = self._chunks[-1] if self._chunks else None
        if chunk.words and (newest is None or chunk.end > newest.end):  # sound that was heard before is no evidence
            self._chunks.append(chunk)
        open_words = [self._open(one) for one in self._chunks]
        agreed = 0
        if len(self._chunks) == self.profile.votes:
            together = zip(*open_words, strict=False)
            agreed = len(list(takewhile(lambda words: len({key(word.text) for word in words}) == 1, together)))
        latest = open_words[-1] if open_words else []
        waited = sum(chunk.end - word.end >= self._max_lag for word in latest)
        return self._commit(latest, max(agreed, waited))

    def flush(self) -> Update:
        """Commit what is left: the stream is over."""
        self._over = True
        latest = self._open(self._chunks[-1]) if self._chunks else []
        update = self._commit(latest, len(latest))
        self._chunks.clear()
        return update

    def _open(self, chunk: Chunk) -> list[StreamWord]:
        """Return the words of a chunk that are not committed yet."""
        words = [word for word in chunk.words if key(word.text)]
        if not self._committed:
            return words
        last = self._committed[-1]
        for index in range(len(words) - 1, -1, -1):
            same = key(words[index].text) == key(last.text)
            if same and abs(words[index].start - last.start) < self._tolerance:
                return words[index + 1 :]
        return [word for word in words if word.start >= self.profile.earliest_next(last.start, last.end)]

    def _commit(self, words: list[StreamWord], count: int) -> Update:
        done = []
        for word in words[:count]:
            start = max(word.start, self._committed[-1].start if self._committed else word.start)
            done.append(StreamWord(word.text, start, max(word.end, start)))
            self._committed.append(done[-1])
        return Update(tuple(done), tuple(words[count:]))
