"""Confidence bounds for ratios of sums over utterances: the one interval behind every gate.

Method: paired bootstrap over utterances (Bisani & Ney, ICASSP 2004), resampling whole clusters where utterances share
recordings (Liu & Peng, arXiv:1912.09508), one-sided percentile bounds.

A plain percentile bootstrap cannot see what did not happen: when no clip differs it collapses to zero width, and on few
or rarely wrong clips its bound covers far less than it claims. Each bound is therefore drawn as if the corpus held one
clip more, on which the unwelcome thing happened: a pseudo-clip of average length with half its words changed. With it a
perfect score on ten clips proves little and on a thousand proves much, as it should. Where clips come in clusters it is
a cluster of average size: what goes wrong together counts together, or thirty clusters of ten would pass for 300 clips.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 4000
"""Bootstrap resamples: the 5 % quantile is then known to about ±0.35 percentage points of probability."""

MIN_CLUSTERS = 5
"""Fewer independent groups than this bound nothing."""

Statistic = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""From sums, shape (resamples, columns), to the statistic, shape (resamples,); NaN where it is undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A point estimate and its two one-sided bounds at ``confidence``; None where the data allow no statement.

    A confidence of None: what was counted is its own bound, and of a few runs the bounds are the extremes.
    """

    value: float | None
    lower: float | None
    upper: float | None
    confidence: float | None
    clusters: int


def bound_sums(
    columns: "NDArray[np.float64]",
    statistic: Statistic,
    clusters: Sequence[str],
    *,
    worse: Sequence[float],
    better: Sequence[float],
    confidence: float,
    seed: int,
) -> Interval:
    """Bound ``statistic`` of the column sums of ``columns``, shape (utterances, columns).

    ``clusters`` names each utterance's group; an empty name is a group of its own. ``worse`` and ``better`` are
    the rows of the pseudo-clips that move the statistic up and down; the upper bound is drawn with the first, the
    lower with the second. Same seed, same bounds.
    """
    import numpy as np

    groups = _sum_by_cluster(columns, clusters)
    count = groups.shape[0]
    value = _finite(statistic(columns.sum(axis=0, keepdims=True))[0]) if columns.shape[0] else None
    if value is None or count < MIN_CLUSTERS:
        return Interval(value=value, lower=None, upper=None, confidence=confidence, clusters=count)
    bounds = []
    for pseudo, level in ((better, 1.0 - confidence), (worse, confidence)):
        rows = np.vstack([groups, np.asarray(pseudo, np.float64) * (columns.shape[0] / count)])
        # As many draws as there are clusters, each cluster or the pseudo-clip with equal chance.
        weights = np.random.default_rng(seed).multinomial(count, np.full(count + 1, 1 / (count + 1)), size=RESAMPLES)
        drawn = statistic(weights @ rows)
        bounds.append(_finite(np.quantile(drawn, level)) if np.isfinite(drawn).all() else None)
    lower, upper = bounds
    return Interval(
        value=value,
        lower=None if lower is None else min(lower, value),
        upper=None if upper is None else max(upper, value),
        confidence=confidence,
        clusters=count,
    )


def ratio(sums: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Statistic of two columns: first sum over second; NaN where the second is zero."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


def _sum_by_cluster(columns: "NDArray[np.float64]", clusters: Sequence[str]) -> "NDArray[np.float64]":
    import numpy as np

    names = [name or f"\0{index}" for index, name in enumerate(clusters)]
    if not names:
        return columns
    unique, inverse = np.unique(np.asarray(names), return_inverse=True)
    sums = np.zeros((unique.shape[0], columns.shape[1]))
    np.add.at(sums, inverse, columns)
    return sums


def _finite(value: float) -> float | None:
    return float(value) if abs(value) < float("inf") else None  # False for NaN too
