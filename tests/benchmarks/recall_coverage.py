"""How often bounds on the recall of terms hold: ``python tests/benchmarks/recall_coverage.py [TRIALS]``.

200 utterances with one or two terms each, in 40, 100 or 200 clusters, and candidates that lose and gain known shares of
them: each term by itself, with a correlation in clusters, or all of a cluster at once. Of each kind of loss the figures
are those of the shares at which the upper bound held least often. Seeded: the figures repeat.
"""

import sys

import numpy as np

from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.recall import bound_recall

CONFIDENCE = 0.95
UTTERANCES = 200
CLUSTERS = (40, 100, 200)
SHARES = ((0.02, 0.0), (0.06, 0.0), (0.15, 0.0), (0.06, 0.03), (0.05, 0.05))
"""Lost, and gained of what is not lost."""

ALIKE = {"each by itself": 0.0, "correlation 0.3": 0.3, "all of a cluster or none": 1.0}


def shares(random: np.random.Generator, mean: float, alike: float, clusters: int) -> np.ndarray:
    """Draw the share of each cluster, with an intraclass correlation."""
    if not mean or not alike:
        return np.full(clusters, mean)
    if alike == 1:
        return (random.random(clusters) < mean).astype(float)
    size = 1 / alike - 1
    return random.beta(size * mean, size * (1 - mean), clusters)


def planted(
    random: np.random.Generator, lost: float, gained: float, alike: float, clusters: int
) -> tuple[np.ndarray, list[str]]:
    """Return what of the terms of each utterance a candidate gains and loses, rows (gained, lost, N); and clusters."""
    places = np.arange(UTTERANCES) % clusters
    is_said = np.arange(2) < random.integers(1, 3, UTTERANCES)[:, None]
    is_lost, may_gain = (
        random.random((UTTERANCES, 2)) < shares(random, mean, alike, clusters)[places][:, None]
        for mean in (lost, gained)
    )
    counts = [(one & is_said).sum(axis=1) for one in (may_gain & ~is_lost, is_lost, is_said)]
    return np.column_stack(counts).astype(float), [str(place) for place in places]


def cell(clusters: int, alike: float, lost: float, gained: float, trials: int) -> list[float]:
    """Return how often our upper bound held with its width, then the t bound alone, then how often our lower held."""
    truth = 100 * (lost - gained * (1 - lost))
    sums = np.zeros(5)
    for trial in range(trials):
        random = np.random.default_rng(
            [2026, clusters, round(100 * lost), round(100 * gained), round(10 * alike), trial]
        )
        counts, names = planted(random, lost, gained, alike, clusters)
        ours, plain = (bound(counts, names, confidence=CONFIDENCE) for bound in (bound_recall, bound_drop))
        upper, t_upper, lower, value = map(_there, (ours.upper, plain.upper, ours.lower, ours.value))
        sums += [upper >= truth, upper - value, t_upper >= truth, t_upper - value, lower <= truth]
    return list(sums / trials)


def _there(bound: float | None) -> float:
    assert bound is not None  # of 40 clusters and more there is one
    return bound


def main(trials: int) -> None:
    """Print the table."""
    print("| clusters | lost | upper bound | t alone | lower bound |\n| --- | --- | --- | --- | --- |")
    for clusters in CLUSTERS:
        for name, alike in ALIKE.items():
            cells = [cell(clusters, alike, *pair, trials) for pair in SHARES]
            least, t_least, lower = (100 * min(row[place] for row in cells) for place in (0, 2, 4))
            width, t_width = (sum(row[place] for row in cells) / len(cells) for place in (1, 3))
            figures = f"{least:.1f} % ({width:.2f}) | {t_least:.1f} % ({t_width:.2f}) | {lower:.1f} %"
            print(f"| {clusters} | {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
