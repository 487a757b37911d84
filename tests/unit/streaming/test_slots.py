"""Which word of a window belongs to which place: `pair` against a search through all ways to pair them."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import pytest

from pytest_whisperq.streaming import StreamWord
from pytest_whisperq.streaming.slots import OTHER, SECURE, Slot, WindowWord, pair

TOLERANCE = 200

Ways = Iterator[list[tuple[int, int]]]


def ways(words: int, slots: int) -> Ways:
    """Every way to pair some words with as many slots, both in order."""
    for count in range(min(words, slots) + 1):
        for these in combinations(range(words), count):
            for those in combinations(range(slots), count):
                yield list(zip(these, those, strict=True))


def worth(word: WindowWord, slot: Slot, *, closed: bool) -> float | None:
    """What the documentation of `pair` says that a pair is worth; None for one that may not be."""
    distance = abs(word.start - slot.start)
    if distance >= TOLERANCE or (closed and word.key != slot.key):
        return None
    near = (1 - distance / TOLERANCE) * (1 if word.inside else 0.5)
    if word.key != slot.key:
        return OTHER * near
    return near + (SECURE if slot.secure and word.inside else 0)


def total(pairs: Sequence[tuple[int, int]], heard: Sequence[WindowWord], slots: Sequence[Slot], closed: int) -> float:
    worths = [worth(heard[word], slots[slot], closed=slot < closed) for word, slot in pairs]
    return -1.0 if None in worths else sum(one for one in worths if one is not None)


def test_of_all_ways_to_pair_words_with_places_one_is_taken_that_is_worth_most() -> None:
    rng = random.Random(0)
    for case in range(400):
        words, places = (sorted(rng.randrange(500) for _ in range(rng.randrange(5))) for _ in range(2))
        heard = [
            WindowWord(text := rng.choice("abc"), (StreamWord(text, start, start + 50),), rng.random() < 0.6, 0, False)
            for start in words
        ]
        slots = [Slot(start, start + 50, rng.choice("abc"), secure=rng.random() < 0.6) for start in places]
        closed = rng.randrange(len(slots) + 1)
        found = pair(heard, slots, closed, TOLERANCE)
        assert len(found) == len(heard), case
        pairs = [(word, slot) for word, slot in enumerate(found) if slot >= 0]
        assert all(before[1] < after[1] for before, after in pairwise(pairs)), f"both stay in order (case {case})"
        best = max(total(way, heard, slots, closed) for way in ways(len(heard), len(slots)))
        assert total(pairs, heard, slots, closed) == pytest.approx(best), case


def test_a_word_belongs_to_no_place_that_is_as_far_as_the_tolerance() -> None:
    word = WindowWord("a", (StreamWord("a", 1000, 1050),), True, 0, False)
    near, far = Slot(1199, 1250, "a"), Slot(1200, 1250, "a")
    assert pair([word], [near], 0, TOLERANCE) == [0]
    assert pair([word], [far], 0, TOLERANCE) == [-1]
