"""The utterances that a failing gate shows: the heaviest, and of these the first by name."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.judging.rule import WORST
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.system.on_disk import Made


@pytest.mark.parametrize("most", [0, 1, 3, 50])
def test_the_worst_are_those_of_all_sorted_and_the_light_ones_are_not_looked_at(
    make_pairs: Callable[..., PairedTexts], most: int
) -> None:
    texts = make_pairs([f"text {number}" for number in range(60)])
    pairs = random.Random(0).sample(texts.pairs, 60)
    for seed in range(20):
        weights = [random.Random(seed * 100 + place).randint(-2, most) for place in range(60)]
        looked_at: set[int] = set()
        lazy = Made(lambda place: looked_at.add(place) or pairs[place], range(60))  # noqa: B023 - called in here
        found = worst_utterances(replace(texts, pairs=lazy), weights, "wer")
        ranked = sorted(zip(weights, pairs, strict=True), key=lambda row: (-row[0], row[1].utterance.id))
        expected = [(pair.utterance.id, weight) for weight, pair in ranked[:WORST] if weight > 0]
        assert [(one.utterance.id, one.weight) for one in found] == expected
        assert all(weights[place] >= (expected[-1][1] if expected else 99) for place in looked_at)


def test_each_utterance_has_a_weight(make_pairs: Callable[..., PairedTexts]) -> None:
    with pytest.raises(ValueError, match="1 weights of 2 utterances"):
        worst_utterances(make_pairs(["a", "b"]), [1], "wer")
