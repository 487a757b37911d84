"""Recall and false alarms: what is counted, and how often the bounds of planted candidates hold."""

from collections import Counter

import numpy as np
import pytest

from pytest_whisperq.measuring.recall import Spotted, bound_recall, measure_recall


def spotted(reference: str, baseline: str, candidate: str) -> Spotted:
    return Spotted(
        reference=Counter(reference.split()), baseline=Counter(baseline.split()), candidate=Counter(candidate.split())
    )


def test_what_is_counted() -> None:
    rows = [spotted("a a b", "a b c", "a"), spotted("", "", "b"), spotted("c", "", "c"), spotted("", "", "")]
    found = measure_recall(rows, [""] * 4, confidence=0.95)
    assert (found.said, found.utterances) == (4, 2)
    assert found.recalls == (2 / 4, 2 / 4)
    assert found.precisions == (2 / 3, 2 / 3)
    assert (found.drop.value, found.alarms.value) == (0.0, 0.0)
    assert [(one.name, one.said, one.baseline, one.candidate) for one in found.things] == [
        ("b", 1, 1, 0),
        ("a", 2, 1, 1),
        ("c", 1, 0, 1),
    ]


def test_nothing_said_is_nothing_known() -> None:
    found = measure_recall([spotted("", "", "a")] * 9, [""] * 9, confidence=0.95)
    assert (found.recalls, found.drop.value, found.drop.upper) == ((None, None), None, None)
    assert found.precisions == (None, 0.0)
    assert measure_recall([], [], confidence=0.95).drop.upper is None


def test_utterances_without_any_say_nothing_of_recall() -> None:
    rows = [spotted("a", "a", "a" if number % 10 else "") for number in range(100)]
    with_others = rows + [spotted("", "", "")] * 900
    few, many = (measure_recall(one, [""] * len(one), confidence=0.95) for one in (rows, with_others))
    assert (few.drop, few.alarms) == (many.drop, many.alarms)
    assert few.drop.value == pytest.approx(10.0)


RUNS = 200


@pytest.mark.parametrize(("clusters", "together"), [(100, False), (40, True), (100, True), (200, True)])
def test_bounds_of_planted_losses_hold(clusters: int, together: bool) -> None:
    """Candidates lose 6 % of all things: few have an upper bound below that, and few a lower one above.

    There are 200 utterances of one or two things. Of each cluster a share of its own is lost, or all or nothing.
    """
    below = above = 0
    places = np.arange(200) % clusters
    for seed in range(RUNS):
        random = np.random.default_rng(seed)
        share = random.random(clusters) < 0.06 if together else random.beta(1.2, 18.8, clusters)
        is_said = np.arange(2) < random.integers(1, 3, 200)[:, None]
        is_lost = (random.random((200, 2)) < share[places][:, None]) & is_said
        counts = np.column_stack([np.zeros(200), is_lost.sum(axis=1), is_said.sum(axis=1)])
        drop = bound_recall(counts, list(map(str, places)), confidence=0.95)
        assert drop.lower is not None
        assert drop.upper is not None
        below += drop.upper < 6.0
        above += drop.lower > 6.0
    assert below <= 0.07 * RUNS
    assert above <= 0.07 * RUNS


def test_false_alarms_are_bounded_likewise() -> None:
    """A false one comes to every eleventh utterance, and 1.5 true ones to each."""
    below = 0
    for seed in range(RUNS // 2):
        random = np.random.default_rng(seed)
        said = random.integers(1, 3, 200).tolist()
        invented = (random.random(200) < 0.09).tolist()
        pairs = zip(said, invented, strict=True)
        texts = [("a b"[: 2 * many - 1], " x" * wrong) for many, wrong in pairs]
        rows = [spotted(text, text, text + more) for text, more in texts]
        alarms = measure_recall(rows, [""] * 200, confidence=0.95).alarms
        assert alarms.upper is not None
        below += alarms.upper < 6.0
    assert below <= 0.1 * RUNS // 2
