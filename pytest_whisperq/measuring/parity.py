"""How far the two models agree, whatever the reference says."""

from array import array
from dataclasses import dataclass

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.intervals import RATE, SHARE, Interval, bound_ratio
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import ErrorCounts, count_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityMeasurement:
    """Share of identical normalized texts, and the error rate of the candidate compared with the baseline's text."""

    exact_match: Interval
    divergence: Interval
    counts: ErrorCounts


def measure_parity(texts: PairedTexts, *, metric: Metric, confidence: float) -> ParityMeasurement:
    """Measure agreement over the corpus. The pseudo-clip of the bounds is one on which the two differ."""
    import numpy as np

    is_same, counts = array("b"), ErrorCounts()
    for pair in texts.pairs:
        _, baseline, candidate = pair.compared(metric)
        is_same.append(baseline == candidate)
        counts.append(count_errors(baseline, candidate, metric))
    edits = np.array([counts.errors, counts.lengths], np.float64).T
    length = edits[:, 1].mean() if len(edits) else 0.0
    return ParityMeasurement(
        exact_match=bound_ratio(
            np.array([is_same, np.ones(len(is_same))], np.float64).T,
            texts.clusters,
            worse=(1.0, 1.0),
            better=(0.0, 1.0),
            confidence=confidence,
            within=SHARE,
        ),
        divergence=bound_ratio(
            edits,
            texts.clusters,
            worse=(length / 2, length),
            better=(0.0, length),
            confidence=confidence,
            within=RATE,
        ),
        counts=counts,
    )
