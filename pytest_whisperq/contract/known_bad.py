"""Merges that people use and that break the contract, written from descriptions: the kit proves itself on them.

None is meant for use. `BROKEN` says which invariant each breaks, at which level. All do the same with every profile.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord, TextMerge, Update, key


def _seed_tail(shown: Sequence[str], window_words: Sequence[str]) -> list[str]:
    """Cut the last tenth of the characters shown, and append all that was heard."""
    text = " ".join(shown)
    return f"{text[: -int(0.1 * len(text))]} {' '.join(window_words)}".split()


def _suffix_prefix(shown: Sequence[str], window_words: Sequence[str]) -> list[str]:
    """Append what was heard behind the longest end of the text that it begins with."""
    for length in range(min(len(shown), len(window_words)), 0, -1):
        if list(shown[-length:]) == list(window_words[:length]):
            return [*shown, *window_words[length:]]
    return [*shown, *window_words]


def _longest_common_sequence(shown: Sequence[str], window_words: Sequence[str]) -> list[str]:
    """Slide one text over the other and cut both in the middle of where most words match, if more than one does."""
    best, cut = 0.0, (len(shown), 0)
    for length in range(1, len(shown) + len(window_words)):
        left = (max(0, len(shown) - length), min(len(shown), len(shown) + len(window_words) - length))
        right = (max(0, length - len(shown)), min(len(window_words), length))
        matches = sum(a == b for a, b in zip(shown[slice(*left)], window_words[slice(*right)], strict=True))
        worth = matches / length + length / 10_000
        if matches > 1 and worth > best:
            best, cut = worth, ((left[0] + left[1]) // 2, (right[0] + right[1]) // 2)
    return [*shown[: cut[0]], *window_words[cut[1] :]]


class SeedTail(TextMerge):
    """Book and demo code: cut the tail, append the new text. Its text cannot grow beyond ten windows."""

    def __init__(self, _profile: StreamProfile | None = None) -> None:
        super().__init__(_seed_tail)


class SuffixPrefix(TextMerge):
    """The textbook's: what the text ends with and the window begins with is the overlap."""

    def __init__(self, _profile: StreamProfile | None = None) -> None:
        super().__init__(_suffix_prefix)


class LongestCommonSequence(TextMerge):
    """Of chunked pipelines: the overlap is where the most words match; it can take words back."""

    def __init__(self, _profile: StreamProfile | None = None) -> None:
        super().__init__(_longest_common_sequence)


class AgreementStrip:
    """LocalAgreement-2 as streaming servers have it: a window that begins with words just committed loses them."""

    level = Level.TIMED

    def __init__(self, _profile: StreamProfile | None = None) -> None:
        self._committed: list[StreamWord] = []
        self._before: list[StreamWord] = []

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        """Every word committed so far."""
        return tuple(self._committed)

    @property
    def state_size(self) -> int:
        """How many words it keeps."""
        return len(self._before)

    def push(self, chunk: Chunk) -> Update:
        """Hear one more chunk."""
        last = self._committed[-1].end if self._committed else 0
        new = [word for word in chunk.words if word.start > last - 100]
        if new and self._committed and abs(new[0].start - last) < 1000:
            for length in range(1, min(5, len(self._committed), len(new)) + 1):
                if [w.text for w in self._committed[-length:]] == [w.text for w in new[:length]]:
                    del new[:length]
                    break
        same = 0
        while same < min(len(new), len(self._before)) and new[same].text == self._before[same].text:
            same += 1
        self._committed += new[:same]
        self._before = new[same:]
        return Update(tuple(new[:same]), tuple(self._before))

    def flush(self) -> Update:
        """Commit what is left."""
        done, self._before = tuple(self._before), []
        self._committed += done
        return Update(done, ())


class LastWindow:
    """Shows the newest window, and commits the last one: right as long as that has heard all of the stream."""

    level = Level.DISTURBED

    def __init__(self, _profile: StreamProfile | None = None) -> None:
        self.committed: tuple[StreamWord, ...] = ()
        self._newest = Chunk(0, 0, 0)
        self._over = False

    @property
    def state_size(self) -> int:
        """How many words it keeps."""
        return len(self._newest.words)

    def push(self, chunk: Chunk) -> Update:
        """Hear one more chunk; raise `RuntimeError` after `flush`."""
        if self._over:
            raise RuntimeError("the stream was flushed; begin a new one with a new merge")
        is_again = (chunk.start, chunk.end) == (self._newest.start, self._newest.end) and not chunk.words
        if chunk.end > chunk.start and chunk.end >= self._newest.end and not is_again:
            self._newest = chunk
        return Update((), tuple(word for word in self._newest.words if key(word.text)))

    def flush(self) -> Update:
        """Commit what the last window heard."""
        done = tuple(word for word in self._newest.words if key(word.text))
        self._newest, self._over = Chunk(0, 0, 0), True
        self.committed += done
        return Update(done)


BROKEN = (
    (SeedTail, "exact_recovery", Level.TEXT),
    (SeedTail, "idempotence", Level.TEXT),
    (SuffixPrefix, "repeats", Level.TIMED),
    (SuffixPrefix, "edge_robustness", Level.EDGES),
    (LongestCommonSequence, "exact_recovery", Level.TEXT),
    (LongestCommonSequence, "idempotence", Level.TEXT),
    (LongestCommonSequence, "repeats", Level.TIMED),
    (AgreementStrip, "repeats", Level.TIMED),
    (AgreementStrip, "idempotence", Level.TEXT),
    (AgreementStrip, "edge_robustness", Level.EDGES),
    (LastWindow, "exact_recovery", Level.TEXT),
    (LastWindow, "latency", Level.TEXT),
)
"""Merge, check, and the level at which the kit finds it."""
