"""How much worse the candidate translates than the baseline: chrF or BLEU of the corpus, by sacrebleu, with bounds.

Both are functions of counts that are summed over sentences (Popović, WMT 2015; Papineni et al., ACL 2002): n-grams
that match, and how many there are. The drop is the difference of two such functions of the same corpus. Its bounds are
those of a t test, on the delete-one jackknife of whole clusters (Efron & Stein, Ann. Stat. 1981; Miller, Biometrika
1974), which needs no more than the sums without each cluster. As in `measuring.intervals` they are drawn as if there
were one cluster more, on which the unwelcome thing happened: half of what the baseline matches in an average cluster is
lost. How often they hold: ``python tests/benchmarks/translation_coverage.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pytest_whisperq.measuring.intervals import MIN_CLUSTERS, Interval, sum_by_cluster
from pytest_whisperq.system import optional_imports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TranslationMetric = Literal["chrf", "bleu"]
"""By what translations are scored."""

METRICS: tuple[TranslationMetric, ...] = get_args(TranslationMetric)

NAMES: Mapping[TranslationMetric, str] = MappingProxyType({"chrf": "chrF", "bleu": "BLEU"})
"""Each metric as people write it."""


class Scorer(NamedTuple):
    """A metric of sacrebleu: counts of each sentence, and the score from 0 to 100 that sums of them make.

    ``matches`` says which of the counts are of n-grams that match, ``signature`` all that sacrebleu wants to be quoted.
    """

    counts: "Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]"
    score: "Callable[[NDArray[np.float64]], float]"
    matches: slice
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationMeasurement:
    """The scores of both models, 0 to 100, and of the transcripts as they are; positive drops are worse.

    ``lost`` has the points that each sentence loses by itself.
    """

    baseline: float
    candidate: float
    untranslated: float
    drop: Interval
    lost: tuple[float, ...]
    signature: str


def scorer(metric: TranslationMetric) -> Scorer:
    """Return a metric with sacrebleu's own defaults; raises `MissingDependency` without sacrebleu."""
    library = optional_imports.require(
        "sacrebleu.metrics", extra="translation", purpose=f"score translations by {NAMES[metric]}"
    )
    measure: Any = library.CHRF() if metric == "chrf" else library.BLEU(force=True)

    def counts(texts: Sequence[str], references: Sequence[str]) -> "NDArray[np.float64]":
        import numpy as np

        return np.array(measure._extract_corpus_statistics(list(texts), [list(references)]), np.float64)

    def score(sums: "NDArray[np.float64]") -> float:
        return float(measure._compute_score_from_stats(sums.tolist()).score)

    # chrF: of each order the n-grams of hypothesis and reference, and those in both. BLEU: two lengths, of each order
    # those in both, then those of the hypothesis.
    matches = slice(2, None, 3) if metric == "chrf" else slice(2, 2 + measure.max_ngram_order)
    measure.corpus_score(["a"], [["a"]])  # the signature tells how many references a sentence has
    return Scorer(counts, score, matches, f"{NAMES[metric]} {measure.get_signature()}")


def measure_translation(
    references: Sequence[str],
    baseline: Sequence[str],
    candidate: Sequence[str],
    transcripts: Sequence[str],
    clusters: Sequence[str],
    *,
    metric: TranslationMetric,
    confidence: float,
) -> TranslationMeasurement:
    """Score what two models say in English, as it is written, and bound the drop; each argument has a text a sentence.

    ``transcripts`` are the references of what was said, in the language that was spoken.
    """
    by = scorer(metric)
    before, after, as_said = (by.counts(texts, references) for texts in (baseline, candidate, transcripts))
    return TranslationMeasurement(
        baseline=by.score(before.sum(axis=0)),
        candidate=by.score(after.sum(axis=0)),
        untranslated=by.score(as_said.sum(axis=0)),
        drop=bound_score_drop(before, after, clusters, by, confidence=confidence),
        lost=tuple(by.score(one) - by.score(other) for one, other in zip(before, after, strict=True)),
        signature=by.signature,
    )


def bound_score_drop(
    before: "NDArray[np.float64]",
    after: "NDArray[np.float64]",
    clusters: Sequence[str],
    by: Scorer,
    *,
    confidence: float,
) -> Interval:
    """Bound what a score of the corpus drops by, in points: counts of both models, shape (sentences, counts).

    A bound is None with fewer than `MIN_CLUSTERS` clusters.
    """
    import numpy as np

    value = by.score(before.sum(axis=0)) - by.score(after.sum(axis=0))
    pairs = sum_by_cluster(np.hstack([before, after]), clusters)
    count = len(pairs)
    if count < MIN_CLUSTERS:
        return Interval(value=value, lower=None, upper=None, confidence=confidence, clusters=count)
    whole = before.sum(axis=0) / count
    spoiled = whole.copy()
    spoiled[by.matches] /= 2
    _, upper = _jackknife(np.vstack([pairs, np.hstack([whole, spoiled])]), by, confidence)
    lower, _ = _jackknife(np.vstack([pairs, np.hstack([spoiled, whole])]), by, confidence)
    return Interval(
        value=value, lower=min(lower, value), upper=max(upper, value), confidence=confidence, clusters=count
    )


def _jackknife(pairs: "NDArray[np.float64]", by: Scorer, confidence: float) -> tuple[float, float]:
    """Return the bounds of a t test; the last row is imagined, and counts no degree of freedom."""
    import numpy as np
    from scipy.special import stdtrit

    half, count = pairs.shape[1] // 2, len(pairs)
    sums = pairs.sum(axis=0)
    without = np.array([by.score(row[:half]) - by.score(row[half:]) for row in sums - pairs])
    spread = sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    value = by.score(sums[:half]) - by.score(sums[half:])
    t = float(stdtrit(count - 2, confidence))
    return value - t * spread, value + t * spread
