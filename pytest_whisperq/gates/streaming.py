"""The gate on what streaming costs: words, lag, words taken back, and computing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.gates.quality import worst_utterances
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on, unless_lost
from pytest_whisperq.judging.verdict import Check, Figure, Verdict
from pytest_whisperq.measuring.accuracy import AccuracyMeasurement, measure_accuracy
from pytest_whisperq.measuring.error_rate import COUNTED, ErrorCount
from pytest_whisperq.measuring.intervals import Interval, bound_ratio
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.streaming import percentile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERATED = 0.05
"""The share of words that may be committed later: the gate is on the 95th percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What is demanded: points, seconds, windows, computing by sound; None demands nothing of computing."""

    wer_gap: float
    commit_lag: float
    retractions: int
    rtf: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedWords:
    """What one model's streams came to.

    texts: offline and streamed, as baseline and candidate. lags: for each 30 s of a recording, the ms after which its
    words were committed, None for those that never were. costs: likewise, the windows' computing and new sound in ms.
    figures: whatever else was measured, by name.
    """

    texts: PairedTexts
    lags: Mapping[str, Sequence[float | None]]
    costs: Mapping[str, Sequence[tuple[float, float]]]
    retractions: int
    figures: Mapping[str, float]


def judge_streaming(
    baseline: StreamedWords,
    candidate: StreamedWords,
    limits: StreamLimits,
    *,
    metric: Metric,
    notes: Sequence[str],
    confidence: float,
    seed: int,
) -> Outcome:
    """Pass when streaming costs few words, 95 % of those committed are soon, and nothing is taken back.

    The gap is that of the candidate streamed to the candidate offline. What quantization costs only when streaming is
    the difference of the gaps of candidate and baseline: reported with its interval.
    """
    own, base = (
        measure_accuracy(one.texts, metric=metric, drop_type="absolute", confidence=confidence)
        for one in (candidate, baseline)
    )
    gap = judge("gap", own.drop, limits.wer_gap, keep="below", unit=own.unit, utterances=len(candidate.texts.pairs))
    checks = [
        unless_lost(gap, own.baseline_rate, "the candidate offline"),
        _lag_check(candidate, limits.commit_lag, confidence),
        _retraction_check(candidate.retractions, limits.retractions),
    ]
    rtf = _real_time_factor(candidate.costs, confidence)
    if limits.rtf is not None:
        pairs = len(candidate.texts.pairs)
        checks.append(judge("RTF", rtf, limits.rtf, keep="below", unit="of the sound's time", utterances=pairs))
    extra = _interaction(base, own, candidate.texts.clusters, confidence)
    figures = [
        *(
            [Figure(name="gap by quantization, points", value=extra.value, lower=extra.lower, upper=extra.upper)]
            if extra.value is not None
            else []
        ),
        *(
            Figure(name=name, value=100 * of(own.candidate_counts), baseline=100 * of(base.candidate_counts))
            for name, of in (("streamed insertions, %", _insertions), ("streamed deletions, %", _deletions))
        ),
        *(
            Figure(name=name, value=100 * of(own.baseline_counts), baseline=100 * of(base.baseline_counts))
            for name, of in (("offline insertions, %", _insertions), ("offline deletions, %", _deletions))
        ),
        *(
            Figure(name=name, value=value, baseline=baseline.figures.get(name))
            for name, value in candidate.figures.items()
        ),
    ]
    weights = [s.errors - o.errors for o, s in zip(own.baseline_counts, own.candidate_counts, strict=True)]
    rates = ((f"baseline_{metric}", own.baseline_rate), (f"candidate_{metric}", own.candidate_rate))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    judgement = judgement_on("streaming", candidate.texts, tuple(checks), details, seed, metric)
    return Outcome(
        judgement=replace(judgement, baseline="itself offline", figures=tuple(figures), notes=tuple(notes)),
        worst=worst_utterances(candidate.texts, weights, metric, names=("offline", "streamed")),
        counted=COUNTED[metric],
    )


def _lag_check(words: StreamedWords, limit: float, confidence: float) -> Check:
    """Bound the share of words committed later than ``limit`` s; a word never committed is an error, and has no lag."""
    known = [[lag for lag in lags if lag is not None] for lags in words.lags.values()]
    every = [lag / 1000 for lags in known for lag in lags]
    said = sum(map(len, words.lags.values()))
    average = len(every) / max(len(known), 1)
    late = bound_ratio(
        _rows([(sum(lag >= 1000 * limit for lag in lags), len(lags)) for lags in known]),
        list(words.lags),
        worse=(average / 2, average),
        better=(0.0, average),
        confidence=confidence,
    )
    check = judge("late words", late, TOLERATED, keep="below", unit="of words", utterances=len(words.texts.pairs))
    if not every:
        return replace(check, reason="no word was committed")
    lags = f"median {percentile(every, 0.5):.2f} s, 95th percentile {percentile(every, 0.95):.2f} s"
    reason = f"{len(every)} of {said} words, late if committed {limit:g} s or more after they were said; {lags}"
    return replace(check, reason=f"{reason}; {check.reason}")


def _retraction_check(count: int, limit: int) -> Check:
    verdict = Verdict.PASS if count <= limit else Verdict.FAIL
    return Check(
        name="retractions",
        value=float(count),
        limit=float(limit + 1 if limit else 0),
        keep="below" if limit else "at",
        lower=float(count),
        upper=float(count),
        confidence=None,
        unit="windows",
        verdict=verdict,
        reason=f"committed words were taken back {count} times, {limit} are tolerated",
    )


def _real_time_factor(costs: Mapping[str, Sequence[tuple[float, float]]], confidence: float) -> Interval:
    rows = [row for own in costs.values() for row in own]
    names = [name for name, own in costs.items() for _ in own]
    took, sound = (fmean(column) for column in zip(*rows, strict=True))
    return bound_ratio(
        _rows(rows),
        names,
        worse=(2 * took, sound),
        better=(0.0, sound),
        confidence=confidence,
    )


def _interaction(
    baseline: AccuracyMeasurement, candidate: AccuracyMeasurement, clusters: Sequence[str], confidence: float
) -> Interval:
    """Bound what quantization adds to the gap: (q_streamed − q_offline) − (r_streamed − r_offline), in points."""
    rows = []
    for counts in zip(
        candidate.candidate_counts,
        candidate.baseline_counts,
        baseline.candidate_counts,
        baseline.baseline_counts,
        strict=True,
    ):
        streamed, offline, base_streamed, base_offline = (count.errors for count in counts)
        rows.append((100.0 * (streamed - offline - base_streamed + base_offline), float(counts[0].length)))
    length = fmean(row[1] for row in rows)
    return bound_ratio(
        _rows(rows), clusters, worse=(50 * length, length), better=(-50 * length, length), confidence=confidence
    )


def _rows(rows: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(rows, np.float64).reshape(-1, 2)


def _insertions(counts: Sequence[ErrorCount]) -> float:
    return sum(count.insertions for count in counts) / sum(count.length for count in counts)


def _deletions(counts: Sequence[ErrorCount]) -> float:
    return sum(count.deletions for count in counts) / sum(count.length for count in counts)
