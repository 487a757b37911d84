"""How many of the things that matter, such as names and numbers, both models get right: recall and precision.

Things are counted wherever they stand in an utterance: a text that has one of the two in its reference has found one.
What a text has beyond its reference is a false alarm.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.paired_shares import bound_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Spotted:
    """What of all that is looked for an utterance has: each with how often, in the reference and as both models say."""

    reference: Counter[str]
    baseline: Counter[str]
    candidate: Counter[str]

    @property
    def said(self) -> int:
        """How many things its reference has."""
        return self.reference.total()

    @property
    def missed(self) -> tuple[int, int]:
        """How many of them baseline and candidate do not say."""
        return (self.reference - self.baseline).total(), (self.reference - self.candidate).total()

    @property
    def changed(self) -> tuple[int, int]:
        """How many of them only the candidate says, which are gained, and only the baseline, which are lost."""
        before, after = self.reference & self.baseline, self.reference & self.candidate
        return (after - before).total(), (before - after).total()

    @property
    def false(self) -> tuple[int, int]:
        """How many things baseline and candidate say that the reference does not have."""
        return (self.baseline - self.reference).total(), (self.candidate - self.reference).total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One of the things that are looked for: how often it is said, and how often each model finds it there."""

    name: str
    said: int
    baseline: int
    candidate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallMeasurement:
    """Recall and precision of (baseline, candidate) as fractions; None where nothing is said, or nothing found.

    ``drop`` is that of recall, ``alarms`` the rise of false alarms, both in points of the ``said`` things of the
    references. ``utterances`` counts those whose reference has any. ``things`` are all that the references have, those
    of which the candidate loses most first.
    """

    recalls: tuple[float | None, float | None]
    precisions: tuple[float | None, float | None]
    drop: Interval
    alarms: Interval
    said: int
    utterances: int
    things: tuple[Thing, ...]


def measure_recall(rows: Sequence[Spotted], clusters: Sequence[str], *, confidence: float) -> RecallMeasurement:
    """Measure both models on the same utterances; ``clusters`` are their groups.

    The drop of recall is 100·Σ(q − r) / ΣN, with r and q what baseline and candidate miss of the N things in the
    reference of an utterance: an accuracy drop that counts things instead of words (`accuracy.bound_drop`). No bound is
    closer than that of the difference of two shares, for things may be lost cluster by cluster (`paired_shares`).
    Utterances without any are no evidence of recall. The rise of false alarms has the same denominator, which precision
    has not: it is paired. An utterance in which nobody says anything that is looked for is no evidence of it either.
    """
    missed, false, sizes = ([getattr(row, name) for row in rows] for name in ("missed", "false", "said"))
    said = sum(sizes)
    found = [said - sum(counts[model] for counts in missed) for model in (0, 1)]
    wrong = [sum(counts[model] for counts in false) for model in (0, 1)]
    recalls, precisions = (
        tuple(hits / count if count else None for hits, count in zip(found, counts, strict=True))
        for counts in ([said, said], [hits + others for hits, others in zip(found, wrong, strict=True)])
    )
    changed = [(*row.changed, size) for row, size in zip(rows, sizes, strict=True)]
    alarms = [(*counts, size) for counts, size in zip(false, sizes, strict=True)]
    return RecallMeasurement(
        recalls=(recalls[0], recalls[1]),
        precisions=(precisions[0], precisions[1]),
        drop=bound_recall(*_kept(changed, clusters, [size > 0 for size in sizes]), confidence=confidence),
        alarms=bound_drop(*_kept(alarms, clusters, [sum(counts) > 0 for counts in alarms]), confidence=confidence),
        said=said,
        utterances=sum(size > 0 for size in sizes),
        things=_things(rows),
    )


def bound_recall(counts: "NDArray[np.float64]", clusters: Sequence[str], *, confidence: float) -> Interval:
    """Bound the drop of recall in points: rows (gained, lost, N), shape (utterances, 3), as of `Spotted.changed`.

    The bounds are those of an accuracy drop, and no closer than those of `paired_shares`, which also hold where all
    things of a cluster are lost together. Where the former are none, there are none.
    """
    drop = bound_drop(counts, clusters, confidence=confidence)
    if drop.lower is None or drop.upper is None:
        return drop
    lower, upper = bound_difference(counts, clusters, confidence)
    return replace(drop, lower=min(drop.lower, 100 * lower), upper=max(drop.upper, 100 * upper))


def _kept(
    counts: Sequence[tuple[int, int, int]], clusters: Sequence[str], kept: Sequence[bool]
) -> "tuple[NDArray[np.float64], list[str]]":
    import numpy as np

    chosen = np.array([row for row, keep in zip(counts, kept, strict=True) if keep], np.float64).reshape(-1, 3)
    return chosen, [name for name, keep in zip(clusters, kept, strict=True) if keep]


def _things(rows: Sequence[Spotted]) -> tuple[Thing, ...]:
    said: Counter[str] = Counter()
    found: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for row in rows:
        said.update(row.reference)
        for hits, model in zip(found, (row.baseline, row.candidate), strict=True):
            hits.update(row.reference & model)
    things = (Thing(name=name, said=said[name], baseline=found[0][name], candidate=found[1][name]) for name in said)
    return tuple(sorted(things, key=lambda one: (one.candidate - one.baseline, one.candidate - one.said, one.name)))
