"""Places in time where a word was heard, what each window said there, and which word of a window belongs to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_whisperq.streaming.chunks import StreamWord, key

Window = tuple[int, int]

SECURE = 0.5
"""What a slot that was heard well inside a window is worth more: garbage of the same text does not take its word."""

OTHER = 0.25
"""Worth of putting a word where another was heard: less than any pair of equal words that are the same one."""


class WindowWord(NamedTuple):
    """A word of a window, or what two words say together ("twenty five").

    `inside` where the window knows best, `depth` is the distance to its nearer end in ms, `retold` are words at its
    beginning that earlier windows had in their inside: they prove nothing that is not known.
    """

    key: str
    words: tuple[StreamWord, ...]
    inside: bool
    depth: int
    retold: bool

    @property
    def start(self) -> int:
        """Where it begins, in ms."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """Where it ends, in ms."""
        return self.words[-1].end


@dataclass(slots=True)
class Slot:
    """A place where some window heard a word. A vote of None is a window that should have heard it and did not."""

    start: int
    end: int
    key: str
    votes: dict[Window, WindowWord | None] = field(default_factory=dict)
    secure: bool = False

    def hear(self, window: Window, word: WindowWord) -> None:
        """Count what a window says; its time counts unless a safer one is known."""
        self.votes.pop(window, None)  # a window that is decoded again has the last word, and only one
        self.votes[window] = word
        if word.inside or not self.secure:
            self.start, self.end, self.key = word.start, word.end, word.key
        self.secure = self.secure or word.inside

    def miss(self, window: Window) -> None:
        """Count a window in which nothing was heard here."""
        self.votes.pop(window, None)
        self.votes[window] = None

    def decide(self) -> tuple[WindowWord | None, int, int]:
        """Return what was heard here (None: nothing), how many windows say so, and how many know.

        Windows know in whose inside it lies; where there is none, those at whose ends it lies are asked. The word is
        told as heard farthest from an end: there, nothing is taken for the first or last word of a sentence.
        """
        inside = [vote for vote in self.votes.values() if vote is None or vote.inside]
        votes = inside or [*self.votes.values()]
        counts: dict[str, int] = {}
        for vote in votes:
            label = vote.key if vote else ""
            counts[label] = counts.pop(label, 0) + 1  # the latest comes last
        best = max(counts.values())
        label = next(label for label in reversed(counts) if counts[label] == best)
        agree = best if inside else 0
        if not label:
            return None, agree, len(inside)
        told = max((vote for vote in votes if vote and vote.key == label), key=lambda vote: vote.depth)
        return told, agree, len(inside)


def pair(words: Sequence[WindowWord], slots: Sequence[Slot], closed: int, tolerance: int) -> list[int]:
    """Return for each word the index of its slot, or -1.

    Both are in order of time and stay so. Of all ways to pair them the one is taken that is worth most: equal words
    are worth 1 - distance of their starts / tolerance (half of it at the end of a window) and `SECURE`, others a
    quarter of it. That worth falls with distance is what keeps "no no no" from moving on by one. The first `closed`
    slots are committed: only an equal word can belong to one of them.
    """
    # best[j]: (worth, last pair) of the best way to pair the words so far with the first j slots
    best: list[tuple[float, int]] = [(0.0, -1)] * (len(slots) + 1)
    pairs: list[tuple[int, int, int]] = []  # word, slot, pair before
    places = [slot.start for slot in slots]
    for number, word in enumerate(words):
        start, spelled, inside = word.start, word.key, word.inside
        fresh: list[tuple[int, float]] = []
        for index, place in enumerate(places):
            distance = place - start if place > start else start - place
            if distance >= tolerance:
                continue
            near = 1 - distance / tolerance
            slot = slots[index]
            if slot.key == spelled:
                worth = (near if inside else near / 2) + (SECURE if slot.secure and inside else 0)
            elif index >= closed:
                worth = OTHER * (near if inside else near / 2)
            else:
                continue
            fresh.append((index, best[index][0] + worth))
        befores = [best[index][1] for index, _ in fresh]
        for (index, total), before in zip(fresh, befores, strict=True):
            if total > best[index + 1][0]:
                mark = (total, len(pairs))
                pairs.append((number, index, before))
                for later in range(index + 1, len(best)):
                    if best[later][0] >= total:
                        break
                    best[later] = mark
    indices = [-1] * len(words)
    last = best[-1][1]
    while last >= 0:
        number, index, last = pairs[last]
        indices[number] = index
    return indices


def hear(words: Sequence[StreamWord], window: Window, inner: Window, known: Window) -> list[WindowWord]:
    """Return words of a window in order of time, cut to it, with how far inside they are; what is no word is left out.

    What lies in `known` earlier windows have had in their inside, or at its end.
    """
    first, last = window
    window_words = []
    for word in words:
        if spelled := key(word.text):
            start = min(max(word.start, first), last)
            end = min(max(word.end, start), last)
            inside = start >= inner[0] and end <= inner[1]
            depth = min(start - first, last - end)
            retold = known[0] <= start < min(inner[0], known[1])
            window_words.append(WindowWord(spelled, (StreamWord(word.text, start, end),), inside, depth, retold))
    window_words.sort(key=lambda word: word.words[0].start)
    return window_words
