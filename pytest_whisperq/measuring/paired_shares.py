"""Bounds for the difference of two shares of the same things, of which those in one cluster may be lost together.

A bound on a mean (`intervals.bound_ratio`) sees what happened. Where all terms of a call are found or none, and one
call in twenty loses them, 40 calls have none such in 13 of 100 corpora, and the bound cannot know of any. A share lies
between nothing and all, and has a bound that does: Tango's score interval (Statistics in Medicine 1998), for as many
independent things as these are worth, as `catastrophe.clustered` has it for one share. How often bounds hold:
``python tests/benchmarks/recall_coverage.py``.
"""

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from pytest_whisperq.measuring.intervals import sum_by_cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_HALVINGS = 50


class Shares(NamedTuple):
    """The share of things that only the second misses, that only the first misses, and how many they are worth."""

    lost: float
    gained: float
    trials: float


def bound_difference(
    counts: "NDArray[np.float64]", clusters: "Sequence[str]", confidence: float
) -> tuple[float, float]:
    """Return one-sided bounds of Σ(lost − gained) / ΣN, each at ``confidence``.

    ``counts`` are rows (gained, lost, N), shape (utterances, 3): of N things what only one of two models finds. The
    things are worth their number over the design effect (Korn & Graubard, Survey Methodology 1998): the scatter of
    lost − gained between clusters over that of as many independent things. One cluster of average size is counted
    besides in which all are lost, so that no loss at all is as good as one thing a cluster. The upper bound takes the
    larger of the shares over all and over clusters, and the lower the smaller.
    """
    import numpy as np

    gained, lost, said = sum_by_cluster(counts, clusters).T
    total, count = float(said.sum()), len(said)
    share, average = float((lost - gained).sum()) / total, total / count
    scatter = float(((lost - gained - share * said) ** 2).sum())
    changed = float((lost + gained).sum())
    effect = (scatter + average**2) / (changed - total * share**2 + average)
    trials = min(max(total / effect, count), total)
    apart = float(np.mean((lost - gained) / said)) - share
    up = Shares(lost=float(lost.sum()) / total + max(apart, 0.0), gained=float(gained.sum()) / total, trials=trials)
    down = Shares(lost=float(gained.sum()) / total + max(-apart, 0.0), gained=float(lost.sum()) / total, trials=trials)
    return -score_bound(down, confidence), score_bound(up, confidence)


def score_bound(shares: Shares, confidence: float) -> float:
    """Return Tango's upper bound of lost − gained: the largest difference that a score test does not reject.

    >>> round(score_bound(Shares(lost=0.0, gained=0.0, trials=40), 0.95), 4)
    0.0634
    """
    from scipy.special import ndtri

    count, lost, gained = shares.trials, shares.lost * shares.trials, shares.gained * shares.trials
    critical = float(ndtri(confidence))

    def rejects(difference: float) -> bool:
        # Of all shares of gained things with this difference, the likeliest.
        linear = (2 * count - lost + gained) * difference - lost - gained
        root = sqrt(max(linear * linear + 8 * count * gained * difference * (1 - difference), 0.0))
        likeliest = (root - linear) / (4 * count)
        variance = count * (2 * likeliest + difference * (1 - difference))
        return (count * difference - lost + gained) ** 2 > critical * critical * variance

    low, high = (lost - gained) / count, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rejects(middle) else (middle, high)
    return high


def best_bound(clusters: int, confidence: float) -> float:
    """Return the upper bound of so many clusters of which nothing is lost: the least that they certify."""
    return score_bound(Shares(lost=0.0, gained=0.0, trials=float(clusters)), confidence)
