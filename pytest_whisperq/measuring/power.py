"""What a corpus can certify before anything of it is decoded.

A limit M on the accuracy drop is certified when the upper bound of the drop stays below it. For a candidate that is no
worse than the baseline, whose drop scatters with σ (words, standard deviation of the errors gained by one cluster), the
bound of `intervals.bound_ratio` lies with a chance of 90 % below

    M(G) = s + t·√(σ²/(L²·G) + s²) + z·σ/(L·√G),   s = w(G) / (G + 1)

with G clusters of L words, t the quantile of G − 1 degrees of freedom, z that of the normal distribution at 90 %, and
s what the pseudo-clip of the bound adds. The share w of its words that it loses shrinks with the changes that are seen
(`intervals.pseudo_loss`). Where no text changes at all, σ is 0 and w a half, and none can do better.
Where a metric counts characters, these stand for words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import expm1, sqrt

from pytest_whisperq.measuring.groups import numbered
from pytest_whisperq.measuring.intervals import MIN_CLUSTERS, imagined, sum_columns
from pytest_whisperq.measuring.paired_shares import best_bound

CHANCE = 0.9
"""How surely a candidate that is no worse than the baseline is to pass."""

CHANGED = 0.08
"""Share of utterances assumed to gain or lose a word, where nothing is known: what int8 does to small models."""

MANY = 1_000_000
"""Clusters beyond which a limit is called out of reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The size of a corpus and how much its candidate is assumed to scatter.

    ``utterances`` are those of speech, ``length`` how much is said there, in what is ``counted`` (`choices.COUNTED`, or
    things that a gate counts), ``clusters`` the independent groups among them; ``scatter`` is σ, in what is counted, a
    cluster. ``changed`` is the share of clusters whose errors change, and ``change`` by how many on average. ``pilot``
    says from how many utterances of a pilot all this is known, 0 where it is `CHANGED`.
    ``is_share``: what is counted is found or not, and its bound is that of `paired_shares`, too.
    """

    utterances: int
    length: int
    clusters: int
    scatter: float
    changed: float
    change: float
    confidence: float
    counted: str = "words"
    pilot: int = 0
    is_share: bool = False

    @property
    def at_best(self) -> float:
        """The smallest limit, in points, that is certified when not one text changes; infinite for too few clusters."""
        return self._certified(self.clusters, best=True)

    @property
    def likely(self) -> float:
        """The smallest limit, in points, that a candidate no worse than the baseline passes in 90 of 100 runs."""
        return self._certified(self.clusters)

    def needed(self, limit: float, *, best: bool = False) -> int | None:
        """Return how many utterances like these certify ``limit``, in points: likely, or at best. None: never."""
        if limit <= 0:
            return None
        low, high = MIN_CLUSTERS - 1, MANY
        if self._certified(high, best=best) >= limit:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._certified(middle, best=best) >= limit else (low, middle)
        return -(-high * self.utterances // max(self.clusters, 1))

    def _certified(self, clusters: int, *, best: bool = False) -> float:
        """Return M(G) in points for so many clusters; ``best``: if no text changes."""
        if clusters < MIN_CLUSTERS:
            return float("inf")
        from scipy.special import ndtri, stdtrit

        length = max(self.length, 1) / max(self.clusters, 1)
        changed = 0.0 if best else self.changed * clusters
        added = imagined(clusters)
        loss = (added / 2 + changed * self.change / length) / (added + changed)
        pseudo, scatter = loss / (clusters + 1), 0.0 if best else self.scatter / length / sqrt(clusters)
        t = float(stdtrit(clusters - 1, self.confidence))
        bound = pseudo + t * sqrt(scatter**2 + pseudo**2) + float(ndtri(CHANCE)) * scatter
        return 100 * (max(bound, best_bound(clusters, self.confidence)) if self.is_share else bound)


def plan(
    lengths: Sequence[int],
    clusters: Sequence[str],
    *,
    confidence: float,
    counted: str = "words",
    is_share: bool = False,
) -> Power:
    """Return the power of utterances of ``lengths``, in what is ``counted``, in named ``clusters``.

    `CHANGED` of them change by one of what is counted. An empty name is a cluster of its own.

    >>> power = plan([8] * 265, [""] * 265, confidence=0.95)
    >>> f"{power.at_best:.2f} points, if no text changes"
    '0.50 points, if no text changes'
    """
    _, groups = numbered(clusters)
    each = CHANGED * len(lengths) / max(groups, 1)  # words that change in a cluster
    changed = -expm1(-each)
    return Power(
        utterances=len(lengths),
        length=sum(lengths),
        clusters=groups,
        scatter=sqrt(each),
        changed=changed,
        change=each / changed if changed else 0.0,
        confidence=confidence,
        counted=counted,
        is_share=is_share,
    )


def learn(power: Power, gained: Sequence[int], lengths: Sequence[int], clusters: Sequence[str]) -> Power:
    """Return ``power`` with what a pilot tells: errors ``gained`` and length of each utterance decoded already.

    One utterance more is taken to have changed by a word: that none of a few did proves little.
    """
    import numpy as np

    sums = sum_columns((gained, lengths), *numbered(clusters))
    drop = sums[:, 0].sum() / sums[:, 1].sum()
    squares = float(((sums[:, 0] - drop * sums[:, 1]) ** 2).sum())
    each = (squares + 1) / (len(lengths) + 1)
    changes = np.append(np.abs(sums[sums[:, 0] != 0, 0]), 1.0)
    return replace(
        power,
        scatter=sqrt(each * power.utterances / max(power.clusters, 1)),
        changed=len(changes) / (len(sums) + 1),
        change=float(changes.mean()),
        pilot=len(lengths),
    )
