"""Fail a plainly broken candidate before the corpus is through, with a test that is valid whenever one stops.

Null hypothesis: over clusters like those of the corpus, the accuracy drop is at most the limit; that is, a cluster's
contrast X = Σ(q - r) - M·Σd (errors q of the candidate, r of the baseline, limit M as a fraction, d the denominator of
the drop type) has a mean of at most 0. Clusters come in a seeded random order. If the null holds, each is a bet that
wins nothing on average: the wealth K = mean over bets λ of Π max(1 + λX, 0) is a nonnegative supermartingale, and ever
reaches 1/α with a chance of at most α (Ville). The null falls when it does. Betting: Waudby-Smith and Ramdas, JRSS-B
2024, arXiv:2010.09686; a fixed uniform mixture of bets has nothing to tune on the data.

Two things are declared, for no test of a mean does without a bound of what may outweigh the rest (Bahadur and Savage,
1956):

- The cap. The largest bet is 1/C, C a quarter of the words of an average cluster and what the limit allows in the
  worst one, M·max Σd. A bet is exact as long as no cluster lets the candidate mend more errors of the baseline than
  that quarter; a cluster that does takes all that the bet has won. With r + M·d of the worst cluster as the cap, a
  broken candidate is known after a quarter of a corpus with large clusters instead of a tenth.
- The grant. Where the baseline says more wrong words than the reference has words, as a loop does, a candidate may mend
  a hundred errors in one clip. This surplus of all clips is granted to every candidate in advance, spread evenly.

What the claim leaves out: a candidate that is worse nearly everywhere and makes up for it in a few clusters, none of
which has come yet. If the baseline loops in one clip of 100 and the candidate mends every loop while it loses as much
elsewhere, it is failed in 15 of 100 corpora: those that hold fewer loops than they should. Intervals miss them too.
"""

import hashlib
from array import array
from collections.abc import Sequence
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from pytest_whisperq.config.choices import Bounds, DropType, Metric
from pytest_whisperq.measuring.groups import Groups, grouped
from pytest_whisperq.measuring.intervals import MIN_CLUSTERS
from pytest_whisperq.measuring.pairs import Pair, PairedTexts
from pytest_whisperq.measuring.scores import ErrorCount, ErrorCounts, as_compared, count_errors
from pytest_whisperq.system.column import Column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BETS = 10
"""Bets in the mixture, evenly spaced up to 1 / cap."""

SHARE = 0.2
"""Part of the error that the confidence allows which stopping early may take. The interval of a candidate that is not
stopped fails at the rest, so that both together wrongly fail no oftener than that."""


class AccuracyLimit(NamedTuple):
    """What an accuracy gate demands; ``max_drop`` in the unit of its drop type (`measuring.accuracy.DROP_UNITS`).

    ``bounds`` names the test behind the interval, ``seed`` is that of its sign-flips.
    """

    max_drop: float
    drop_type: DropType = "absolute"
    metric: Metric = "wer"
    bounds: Bounds = "t"
    seed: int = 0


def shuffled(clusters: Sequence[str], seed: int) -> "array[int]":
    """Return the indices of utterances, cluster after cluster, the clusters in a random order.

    Ordered by a seeded hash of the cluster's name: neither the manifest's order nor the platform matters.
    """
    groups = clusters if isinstance(clusters, Groups) else grouped(clusters)
    return groups.one_by_one(_order(groups, seed))


def _order(groups: Groups, seed: int) -> "NDArray[np.intp]":
    """Return the numbers of groups in the order of their hashes."""
    import numpy as np

    digests = bytearray()
    for number in range(groups.size):
        name = f"{seed}:order:{groups.name(number)}".encode("utf-8", "surrogateescape")
        digests += hashlib.sha256(name).digest()
    columns = np.frombuffer(digests, ">u8").reshape(-1, 4) if digests else np.empty((0, 4))
    return np.lexsort(columns.T[::-1])


class BettingTest:
    """Tests whether the contrasts of independent clusters have a mean of at most 0, cluster by cluster.

    ``rejected`` once that is untenable. ``cap`` and ``grant`` are in errors a cluster.
    """

    def __init__(self, *, cap: float, grant: float = 0.0, alpha: float) -> None:
        import numpy as np

        self._bets: NDArray[np.float64] = np.arange(1, BETS + 1) / (BETS * cap)
        self._wealth: NDArray[np.float64] = np.ones(BETS)
        self._grant = grant
        self._alpha = alpha
        self.steps = 0
        self.rejected = False

    @classmethod
    def against(cls, baseline: Sequence[ErrorCount], allowed: Sequence[float], alpha: float) -> "BettingTest":
        """Return the test whose cap and grant follow from the baseline and from the errors ``allowed`` a cluster."""
        clusters = len(allowed)
        cap = sum(count.length for count in baseline) / clusters / 4 + max(0.0, max(allowed))
        grant = sum(max(count.errors - count.length, 0) for count in baseline) / clusters
        return cls(cap=cap, grant=grant, alpha=alpha)

    def add(self, contrast: float) -> None:
        """Bet on one more cluster. Fewer than `MIN_CLUSTERS` of them reject nothing."""
        import numpy as np

        self._wealth = self._wealth * np.maximum(1 + self._bets * (contrast - self._grant), 0)
        self.steps += 1
        self.rejected = self.rejected or (self.steps >= MIN_CLUSTERS and self.wealth >= 1 / self._alpha)

    @property
    def wealth(self) -> float:
        """What 1 has become."""
        return float(self._wealth.sum()) / BETS


class EarlyFail:
    """Whether a candidate's accuracy has failed beyond doubt, as its texts come in.

    ``texts`` are the references and what the baseline said, in the order of `shuffled`; its candidate is not looked at.
    """

    def __init__(self, texts: PairedTexts, limit: AccuracyLimit, alpha: float) -> None:
        import numpy as np

        self._texts, self._limit, self._alpha = texts, limit, alpha
        self._baseline = ErrorCounts(self._count(pair, pair.baseline) for pair in texts.pairs)
        last = np.flatnonzero(np.diff(texts.clusters.numbers, append=-1) != 0)  # of each cluster
        self._ends = array("q", (last + 1).tobytes())
        self._possible = sum(map(self._denominator, self._baseline)) > 0  # else there is no drop to speak of
        self._restart()

    def _restart(self) -> None:
        self._counted = Column("q")  # the hash of each text that was
        self._stop: int | None = None
        if self._possible:
            allowed, counts = array("d"), iter(self._baseline)
            for start, end in pairwise(chain((0,), self._ends)):
                allowed.append(sum(map(self._allowed, islice(counts, end - start))))
            self._test = BettingTest.against(self._baseline, allowed, self._alpha)

    def after(self, texts: Sequence[str]) -> int | None:
        """Return after how many utterances, whole clusters, the test fails the candidate; None while it does not.

        ``texts`` are the raw ones of the first utterances: a function of them alone, however they arrive.
        """
        if any(hash(text) != counted for text, counted in zip(texts, self._counted, strict=False)):
            self._restart()
        while self._possible and self._stop is None and self._test.steps < len(self._ends):
            start, end = len(self._counted), self._ends[self._test.steps]
            if end > len(texts):
                break
            self._test.add(sum(self._counted_contrast(index, texts[index]) for index in range(start, end)))
            self._stop = end if self._test.rejected else None
        return self._stop if self._stop is not None and self._stop <= len(texts) else None

    def _counted_contrast(self, index: int, text: str) -> float:
        self._counted.append(hash(text))
        base, pair = self._baseline[index], self._texts.pairs[index]
        count = self._count(pair, self._texts.normalizer(text, pair.utterance.language))
        return count.errors - base.errors - self._allowed(base)

    def _allowed(self, base: ErrorCount) -> float:
        return self._limit.max_drop / 100 * self._denominator(base)

    def _count(self, pair: Pair, text: str) -> ErrorCount:
        metric = self._limit.metric
        reference, hypothesis = (as_compared(one, pair.utterance, metric) for one in (pair.reference, text))
        return count_errors(reference, hypothesis, metric)

    def _denominator(self, count: ErrorCount) -> int:
        of_type = {"absolute": count.length, "relative": count.errors, "accuracy-ratio": count.length - count.errors}
        return of_type[self._limit.drop_type]
