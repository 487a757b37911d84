"""The merge of this package: words are told apart by when they were said, and committed when windows agree.

Every window votes, at each place in time where a word was heard, on what was said there. Windows know best about their
inside; near their ends they only propose. A word is committed once enough windows have it in their inside and most of
them agree, or when no later window can know better. Text alone cannot tell "no no" heard twice from "no no no no";
times can, as long as they are more exact than equal words are far apart (`StreamProfile.check`).
"""

from collections.abc import Callable, Mapping
from itertools import islice
from types import MappingProxyType

from pytest_whisperq.streaming.chunks import Chunk, StreamWord, Update
from pytest_whisperq.streaming.level import Level
from pytest_whisperq.streaming.overlap import StreamProfile
from pytest_whisperq.streaming.slots import Slot, Window, WindowWord, hear, pair

LONG_AGO = -(10**15)
"""Before any stream, in ms."""


class TimeAnchoredMerge:
    """Commits what `profile.votes` windows agree on, slot by slot; see `StreamProfile` for what it counts on.

    numbers tells the one word that two words in a row make ("twenty", "five" → "25"), or None: then a window that
    writes digits agrees with one that writes words. Windows that hold back agreement are not waited for longer than
    `max_lag` ms (default: the length of a window).
    """

    level = Level.DISTURBED
    waivers: Mapping[str, str] = MappingProxyType(
        {"numbers": "where windows write them in two ways, pass numbers=english_tens"}
    )

    def __init__(
        self,
        profile: StreamProfile | None = None,
        *,
        numbers: Callable[[str, str], str | None] | None = None,
        max_lag: int | None = None,
    ) -> None:
        self.profile = profile or StreamProfile()
        self.profile.check()
        self._numbers = numbers
        self._max_lag = max_lag or self.profile.window
        jitter = self.profile.jitter
        self._guard = self.profile.edge + jitter
        self._tolerance = min(self.profile.repeat_spacing - 2 * jitter, max(4 * jitter + 1, 200))
        self._committed: list[StreamWord] = []
        self._slots: list[Slot] = []
        self._closed = 0  # so many of the slots, the first ones, are committed; they are kept to know their words again
        self._windows: dict[Window, set[int]] = {}  # what each window has said so far, every time it was decoded
        self._origin: int | None = None  # where the first window starts: there is no sound before it
        self._left = self._right = LONG_AGO  # the latest start and end of a window
        self._begun = LONG_AGO  # where the sound begins that has been heard without a gap
        self._over = False

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        """Every word committed so far."""
        return tuple(self._committed)

    @property
    def state_size(self) -> int:
        """How many votes and windows it keeps, besides the words it has committed."""
        return sum(map(len, self._windows.values())) + sum(1 + len(slot.votes) for slot in self._slots)

    def push(self, chunk: Chunk) -> Update:
        """Hear one more chunk; raise `RuntimeError` after `flush`."""
        if self._over:
            raise RuntimeError("the stream was flushed; begin a new one with a new merge")
        window = (chunk.start, chunk.end)
        digest = hash((chunk.words, chunk.final))
        is_known = digest in self._windows.get(window, ())
        # Nothing where a window heard something before is a decoder that failed; nothing in new sound is silence.
        is_late = chunk.end <= self._floor() or (not chunk.words and chunk.end <= self._right)
        if chunk.seq == 0 and chunk.start < chunk.end:  # not before: it would make itself late
            self._origin = chunk.start
        if chunk.end == chunk.start or is_known or is_late:
            return Update((), self._tentative())
        inner = (
            chunk.start if chunk.start == self._origin else chunk.start + self._guard,
            chunk.end if chunk.final else chunk.end - self._guard,
        )
        if chunk.start > self._right:  # the stream begins, or sound is lost
            self._begun = chunk.start
        self._vote(chunk, window, inner)
        if chunk.words:
            self._windows.setdefault(window, set()).add(digest)
        self._left, self._right = max(self._left, chunk.start), max(self._right, chunk.end)
        done = self._commit()
        floor = self._floor()
        for old in [old for old in self._windows if old[1] <= floor]:
            del self._windows[old]
        return Update(done, self._tentative())

    def flush(self) -> Update:
        """Commit what is left: the stream is over."""
        self._over = True
        done = self._commit(everything=True)
        self._slots.clear()
        self._closed = 0
        self._windows.clear()
        return Update(done, ())

    def _floor(self) -> int:
        """Windows that end here or earlier say nothing about what is still open."""
        closed = self._slots[self._closed - 1].start if self._closed else LONG_AGO
        return max(closed - 2 * self._tolerance, self._passed)

    @property
    def _known_from(self) -> int:
        """From here to the latest end all sound has been in the inside of some window, or at its end."""
        return self._begun if self._begun == self._origin else self._begun + self._guard

    @property
    def _passed(self) -> int:
        """What starts earlier no later window can have in its inside."""
        guard = self._guard if self._origin is not None and self._left > self._begun else 0
        return self._left + guard - self._tolerance

    def _vote(self, chunk: Chunk, window: Window, inner: Window) -> None:
        last = self._slots[self._closed - 1] if self._closed else None
        early = last.start - self._tolerance if last else LONG_AGO
        words = hear([word for word in chunk.words if word.end > early], window, inner, (self._known_from, self._right))
        if self._numbers:
            words = _joined(words, self._numbers)
            if not chunk.final:
                _open(words, inner[1] - self.profile.longest_word)
        if last:
            words = [word for word in words if not self._is_told(word, last)]
        places = pair(words, self._slots, self._closed, self._tolerance)
        new: list[tuple[int, Slot]] = []
        matched: set[int] = set()
        position = self._closed  # new slots come after all that is committed
        for word, place in zip(words, places, strict=True):
            if place >= 0:
                position = max(position, place + 1)
                # What earlier windows had in their inside, and only ends have heard, is not there.
                if place >= self._closed and (self._slots[place].secure or not word.retold):
                    matched.add(place)
                    self._slots[place].hear(window, word)
            elif not word.retold:
                slot = Slot(word.start, word.end, word.key)
                slot.hear(window, word)
                new.append((position, slot))
        gone = [
            index
            for index in range(self._closed, len(self._slots))
            if index not in matched and self._is_gone(self._slots[index], window, inner)
        ]
        self._rebuild(new, gone)

    def _is_told(self, word: WindowWord, last: Slot) -> bool:
        """Tell whether a word began so early that it is committed, or too late; `last` is what was committed last.

        "five" where "25" ends is told too: a window that begins within a number hears the half of it.
        """
        twice = 2 * self.profile.jitter
        may_be_half = self._numbers and word.start < last.end - twice and word.end <= last.end + twice
        if may_be_half and any(mark.isdigit() for mark in last.key):
            return True
        return word.start < self.profile.earliest_next(last.start, last.end)

    def _is_gone(self, slot: Slot, window: Window, inner: Window) -> bool:
        """Let a window that should have heard a word and did not vote against it; return whether that is its end."""
        if slot.start < inner[0] or slot.end > inner[1]:
            return False
        if not slot.secure:
            return True
        slot.miss(window)
        return False

    def _rebuild(self, new: list[tuple[int, Slot]], gone: list[int]) -> None:
        for index in reversed(gone):
            del self._slots[index]
        for number, (position, slot) in enumerate(new):
            index = position + number - sum(lost < position for lost in gone)
            while index < len(self._slots) and self._slots[index].start <= slot.start:
                index += 1
            self._slots.insert(index, slot)

    def _commit(self, *, everything: bool = False) -> tuple[StreamWord, ...]:
        done: list[StreamWord] = []
        while self._closed < len(self._slots):
            slot = self._slots[self._closed]
            told, agree, known = slot.decide()
            agreed = agree >= self.profile.votes and 2 * agree > known
            passed = self._origin is not None and slot.start < self._passed
            if not (everything or agreed or passed or self._right - slot.end >= self._max_lag):
                break
            if told is None:
                del self._slots[self._closed]
                continue
            for word in told.words:
                start = max(word.start, self._committed[-1].start if self._committed else word.start)
                done.append(StreamWord(word.text, start, max(word.end, start)))
                self._committed.append(done[-1])
            slot.votes.clear()
            slot.key = told.key
            self._closed += 1
        if self._closed:
            floor = self._slots[self._closed - 1].start - 2 * self._tolerance
            old = sum(slot.start < floor for slot in islice(self._slots, self._closed))
            del self._slots[:old]
            self._closed -= old
        return tuple(done)

    def _tentative(self) -> tuple[StreamWord, ...]:
        words: list[StreamWord] = []
        for slot in islice(self._slots, self._closed, None):
            told, _, _ = slot.decide()
            if told is not None:
                words += told.words
        return tuple(words)


def _joined(words: list[WindowWord], numbers: Callable[[str, str], str | None]) -> list[WindowWord]:
    """Make one of two words in a row that say one number; what the end of a window puts between does not part them."""
    joined: list[WindowWord] = []
    before = 0  # the last word in the inside, or the last of all
    for word in words:
        left = joined[before] if joined else None
        if left and len(left.words) == 1 and (number := numbers(left.key, word.key)):
            inside = left.inside and word.inside
            joined[before] = WindowWord(
                number, left.words + word.words, inside, min(left.depth, word.depth), left.retold
            )
            continue
        joined.append(word)
        if word.inside or not joined[before].inside:
            before = len(joined) - 1
    return joined


def _open(words: list[WindowWord], latest: int) -> None:
    """Take the last word in the inside for one at the end, if it starts after `latest`: it may be half a number."""
    for index in range(len(words) - 1, -1, -1):
        if words[index].inside:
            if words[index].start > latest:
                words[index] = words[index]._replace(inside=False)
            return
