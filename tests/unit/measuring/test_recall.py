"""Recall and false alarms: what is counted, and how often the bounds of planted candidates hold."""

from collections import Counter

import numpy as np
import pytest

from pytest_whisperq.measuring.recall import Spotted, measure_recall


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


RUNS = 100


def planted(seed: int, *, lost: float, invented: float, clusters: int) -> tuple[list[Spotted], list[str]]:
    """Return 200 utterances of one or two things; of each cluster a share of its own is lost, ``lost`` on average."""
    random, count = np.random.default_rng(seed), 200
    share = random.beta(20 * lost + 1e-9, 20 * (1 - lost), clusters)
    said = random.integers(1, 3, count)
    kept = random.random((count, 2)) >= share[np.arange(count) % clusters][:, None]
    false = random.random(count) < invented
    names = ("a", "b")
    rows = [
        Spotted(
            reference=Counter(names[:many]),
            baseline=Counter(names[:many]),
            candidate=Counter([name for name, keep in zip(names[:many], keeps, strict=False) if keep] + ["x"] * wrong),
        )
        for many, keeps, wrong in zip(said.tolist(), kept.tolist(), false.tolist(), strict=True)
    ]
    return rows, [str(one % clusters) for one in range(count)]


@pytest.mark.parametrize("clusters", [200, 100])
def test_bounds_of_planted_losses_hold(clusters: int) -> None:
    """Candidates lose 6 % of all things: few have an upper bound below that, and few a lower one above."""
    below = above = 0
    for seed in range(RUNS):
        rows, names = planted(seed, lost=0.06, invented=0.0, clusters=clusters)
        drop = measure_recall(rows, names, confidence=0.95).drop
        assert drop.lower is not None
        assert drop.upper is not None
        below += drop.upper < 6.0
        above += drop.lower > 6.0
    assert below <= 0.1 * RUNS
    assert above <= 0.1 * RUNS


def test_false_alarms_are_bounded_likewise() -> None:
    """A false one comes to every eleventh utterance, and 1.5 true ones to each."""
    below = 0
    for seed in range(RUNS):
        rows, names = planted(seed, lost=0.0, invented=0.09, clusters=200)
        alarms = measure_recall(rows, names, confidence=0.95).alarms
        assert alarms.upper is not None
        below += alarms.upper < 6.0
    assert below <= 0.1 * RUNS
