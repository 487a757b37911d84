"""How far the two models agree, whatever the reference says."""

from dataclasses import dataclass

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.groups import GroupSums, numbered
from pytest_whisperq.measuring.intervals import RATE, SHARE, SUMS, Interval, bound_ratio
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
    size = len(texts.pairs)
    sums, counts = GroupSums(*numbered(texts.clusters), columns=4), ErrorCounts()
    for place, pair in enumerate(texts.pairs):
        _, baseline, candidate = pair.compared(metric)
        count = count_errors(baseline, candidate, metric)
        sums.add(place, baseline == candidate, 1, count.errors, count.length)
        counts.append(count)
    table = sums.table
    groups = max(len(table), 1)
    each, length = size / groups, float(table[:, 3].sum()) / groups  # of an average cluster
    return ParityMeasurement(
        exact_match=bound_ratio(
            table[:, :2],
            SUMS,
            worse=(each, each),
            better=(0.0, each),
            confidence=confidence,
            within=SHARE,
        ),
        divergence=bound_ratio(
            table[:, 2:],
            SUMS,
            worse=(length / 2, length),
            better=(0.0, length),
            confidence=confidence,
            within=RATE,
        ),
        counts=counts,
    )
