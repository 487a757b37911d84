"""How far the two models agree, whatever the reference says."""

from dataclasses import dataclass

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.intervals import RATE, SHARE, Interval, bound_ratio
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import ErrorCount, count_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityMeasurement:
    """Share of identical normalized texts, and the error rate of the candidate compared with the baseline's text."""

    exact_match: Interval
    divergence: Interval
    counts: tuple[ErrorCount, ...]


def measure_parity(texts: PairedTexts, *, metric: Metric, confidence: float) -> ParityMeasurement:
    """Measure agreement over the corpus. The pseudo-clip of the bounds is one on which the two differ."""
    import numpy as np

    text_pairs = [pair.compared(metric)[1:] for pair in texts.pairs]
    counts = tuple(count_errors(baseline, candidate, metric) for baseline, candidate in text_pairs)
    matches = np.array([(baseline == candidate, 1.0) for baseline, candidate in text_pairs], np.float64).reshape(-1, 2)
    edits = np.array([(count.errors, count.length) for count in counts], np.float64).reshape(-1, 2)
    length = edits[:, 1].mean() if len(edits) else 0.0
    return ParityMeasurement(
        exact_match=bound_ratio(
            matches, texts.clusters, worse=(1.0, 1.0), better=(0.0, 1.0), confidence=confidence, within=SHARE
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
