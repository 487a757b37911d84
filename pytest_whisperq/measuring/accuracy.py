"""How much worse the candidate transcribes than the baseline, with bounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_whisperq.config.choices import Bounds, DropType, Metric
from pytest_whisperq.measuring.groups import Groups, GroupSums, numbered
from pytest_whisperq.measuring.intervals import (
    MIN_CLUSTERS,
    SUMS,
    Between,
    Interval,
    bound_ratio,
    judged_by,
    pseudo_loss,
)
from pytest_whisperq.measuring.mapsswe import bound_segments, segments
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import ErrorCounts, count_errors, score
from pytest_whisperq.measuring.sign_flip import flip_signs
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.normalizers import Normalizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DROP_UNITS: Mapping[DropType, str] = MappingProxyType(
    {
        "absolute": "points",
        "relative": "% of the error rate",
        "accuracy-ratio": "% of the accuracy",
    }
)
"""Each drop type → the unit of its limit. Accuracy is 100·(1 − error rate); MLPerf's "99 % of accuracy" is 1 %."""

_UNFLIPPED = (
    "too few clusters, or too few with anything to compare errors with, for a sign-flip bound at this confidence; use "
    "--whisperq-bounds t"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyMeasurement:
    """Error rates of both models as fractions, and the drop in the unit of its type; positive means worse."""

    baseline_rate: float | None
    candidate_rate: float | None
    drop: Interval
    unit: str
    length: int
    baseline_counts: ErrorCounts
    candidate_counts: ErrorCounts


def measure_accuracy(
    texts: PairedTexts,
    *,
    metric: Metric,
    drop_type: DropType,
    confidence: float,
    lower_confidence: float | None = None,
    bounds: Bounds = "t",
    seed: int = 0,
    by_piece: bool = False,
) -> AccuracyMeasurement:
    """Measure the drop over the corpus, paired by utterance.

    All three types are a difference of error sums over another sum: Δ = Σ(q − r) / Σd with r, q the errors of baseline
    and candidate, N the reference length, and d = N (absolute), r (relative) or N − r (accuracy ratio). The lower
    bound is that of ``lower_confidence`` where one is given. ``bounds`` names the test behind both; ``seed`` is that of
    the sign-flips, ``by_piece`` as in `bound_drop`. Raises ValueError for MAPSSWE of anything but the words of an
    absolute drop.
    """
    import numpy as np

    clusters, size = texts.clusters, len(texts.pairs)
    own = np.arange(size, dtype=np.int32), size  # what is imagined is of one utterance where clusters are pieces
    sums = GroupSums(*(own if by_piece else numbered(clusters)), columns=3)
    baseline, candidate = ErrorCounts(), ErrorCounts()
    for place, pair in enumerate(texts.pairs):
        reference, *hypotheses = pair.compared(metric)
        base, cand = (count_errors(reference, hypothesis, metric) for hypothesis in hypotheses)
        sums.add(place, base.errors, cand.errors, base.length)
        baseline.append(base)
        candidate.append(cand)
    counts = sums.table
    if bounds == "mapsswe":
        if (metric, drop_type) != ("wer", "absolute"):
            raise ValueError("MAPSSWE bounds an absolute drop of word accuracy only")
        cut = [segment for pair in texts.pairs for segment in segments(*pair.compared(metric))]
        drop = bound_segments(cut, int(counts[:, 2].sum()), confidence=confidence, lower_confidence=lower_confidence)
    else:
        drop = bound_drop(
            counts,
            clusters if by_piece else SUMS,
            drop_type=drop_type,
            confidence=confidence,
            lower_confidence=lower_confidence,
            test=partial(flip_signs, seed=seed) if bounds == "sign-flip" else None,
            by_piece=by_piece,
        )
        if bounds == "sign-flip" and drop.clusters >= MIN_CLUSTERS and None in (drop.lower, drop.upper):
            drop = replace(drop, unbounded=_UNFLIPPED)
    return AccuracyMeasurement(
        baseline_rate=baseline.rate,
        candidate_rate=candidate.rate,
        drop=drop,
        unit=DROP_UNITS[drop_type],
        length=int(counts[:, 2].sum()),
        baseline_counts=baseline,
        candidate_counts=candidate,
    )


def drop_between(
    items: Sequence[Utterance],
    before: Sequence[str],
    after: Sequence[str],
    *,
    normalizer: Normalizer,
    metric: Metric,
    confidence: float,
) -> Interval:
    """Bound the drop in points between two texts of each utterance, where no set of transcripts is kept of either."""
    counts = counts_between(items, before, after, normalizer=normalizer, metric=metric)
    return bound_drop(counts, groups_of(items), confidence=confidence)


def counts_between(
    items: Sequence[Utterance], before: Sequence[str], after: Sequence[str], *, normalizer: Normalizer, metric: Metric
) -> "NDArray[np.float64]":
    """Return rows (r, q, N), shape (utterances, 3), of two texts of each utterance: their errors, words."""
    import numpy as np

    counted = ErrorCounts(), ErrorCounts()
    for item, *texts in zip(items, before, after, strict=True):
        for counts, text in zip(counted, texts, strict=True):
            counts.append(score(item, text, normalizer, metric))
    one, other = counted
    return np.column_stack([one.errors, other.errors, one.lengths]).astype(np.float64)


def groups_of(items: Sequence[Utterance]) -> Groups:
    """Return the groups by which the bounds of utterances are drawn of which no sound is known."""
    return judged_by([item.cluster or item.id for item in items], [item.id for item in items])[0]


def bound_drop(
    counts: "NDArray[np.float64]",
    clusters: Sequence[str],
    *,
    drop_type: DropType = "absolute",
    confidence: float,
    lower_confidence: float | None = None,
    test: "Callable[[NDArray[np.float64], float], Between] | None" = None,
    by_piece: bool = False,
) -> Interval:
    """Bound the drop in the unit of ``drop_type``: rows (r, q, N), shape (utterances, 3), as in `measure_accuracy`.

    Rows may be the sums of clusters already, see `bound_ratio`.
    ``by_piece``: clusters are pieces of long recordings, such as their windows. What is imagined to be lost besides is
    then of one utterance. Of a whole piece it would be several points of ten minutes of speech.
    """
    import numpy as np

    length = float(counts[:, 2].mean()) if len(counts) else 0.0
    units = [""] * len(counts) if by_piece else clusters
    lost = length * pseudo_loss(counts[:, 1] - counts[:, 0], counts[:, 2], units)
    return bound_ratio(
        _contrast(counts, drop_type),
        clusters,
        worse=_contrast(np.array([(0.0, lost, length)]), drop_type)[0],
        better=_contrast(np.array([(lost, 0.0, length)]), drop_type)[0],
        confidence=confidence,
        lower_confidence=lower_confidence,
        test=test,
        by_piece=by_piece,
    )


def _contrast(counts: "NDArray[np.float64]", drop_type: DropType) -> "NDArray[np.float64]":
    """From rows of (r, q, N) to rows of (100·(q − r), d), whose sums make the drop."""
    import numpy as np

    r, q, n = counts.T
    return np.column_stack([100.0 * (q - r), {"absolute": n, "relative": r, "accuracy-ratio": n - r}[drop_type]])
