"""The gate on what streaming costs: words, lag, retractions of committed words, and computing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.choices import COUNTED, Metric
from pytest_whisperq.gates.baselines import unquantized
from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.gates.keywords import Keyword, between, limit, whole
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.gates.simulated import refuse_simulated
from pytest_whisperq.gates.stream_figures import StreamedWords, how_streamed, measure, timelines
from pytest_whisperq.gates.streams import Streams
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on, unless_lost
from pytest_whisperq.judging.verdict import Check, Figure, Verdict
from pytest_whisperq.measuring.accuracy import AccuracyMeasurement, measure_accuracy
from pytest_whisperq.measuring.intervals import RATE, SHARE, Interval, bound_ratio, pseudo_loss
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.scores import ErrorCount
from pytest_whisperq.measuring.streaming import percentile
from pytest_whisperq.session import Session

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


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge what a candidate loses by streaming, how late it commits words, and whether it keeps up.

    Compared with itself offline; the same backend at float32 stands beside it, and what the merge counts on is measured
    of that. Without ``max_rtf`` computing is only reported: it is this machine's. Without ``max_commit_lag`` a word is
    late when not the merge alone can have held it back, which waits for a window and a hop.
    """
    if limits["max_rtf"] is not None:
        refuse_simulated(candidate, "whisperq_streaming: max_rtf")
    spec, streams = session.spec(candidate), session.once(Streams)
    baseline = unquantized(spec, "streaming")
    profile = streams.profile(baseline)
    base_words, words = (measure(streams, model, profile) for model in (baseline, spec))
    outcome = judge_streaming(
        base_words,
        words,
        StreamLimits(
            wer_gap=limits["max_wer_gap"],
            commit_lag=limits["max_commit_lag"] or (profile.window + profile.hop) / 1000,
            retractions=limits["max_retractions"],
            rtf=limits["max_rtf"],
        ),
        metric=session.config.metric or choose_metric(session.recordings.long_form),
        notes=how_streamed(streams, spec, profile),
        confidence=session.config.confidence,
        seed=session.config.seed,
    )
    return replace(outcome, judgement=replace(outcome.judgement, series=timelines(streams, spec, profile)))


GATE = Gate(
    name="streaming",
    summary="streaming costs less than max_wer_gap points, words are final in max_commit_lag s, and stay",
    keywords={
        "max_wer_gap": limit("max_wer_gap"),
        "max_commit_lag": limit("max_commit_lag"),
        "max_retractions": Keyword(whole(0, 10**6), default=0),
        "max_rtf": Keyword(between(0, 1000, never=0)),
    },
    run=run,
    hears_speech=True,
)


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
    """Pass when streaming costs few words, 95 % of those committed are soon, and nothing is retracted.

    The gap is that of the candidate streamed to the candidate offline. What quantization costs only when streaming is
    the difference of the gaps of candidate and baseline: reported with its interval.
    """
    measurement, base = (
        measure_accuracy(one.texts, metric=metric, drop_type="absolute", confidence=confidence, by_piece=True)
        for one in (candidate, baseline)
    )
    gap = judge(
        "gap",
        measurement.drop,
        limits.wer_gap,
        keep="below",
        unit=measurement.unit,
        utterances=len(candidate.texts.pairs),
    )
    checks = [
        unless_lost(gap, measurement.baseline_rate, "the candidate offline"),
        _lag_check(candidate, limits.commit_lag, confidence),
        _retraction_check(candidate.retractions, limits.retractions),
    ]
    rtf = _real_time_factor(candidate.costs, confidence)
    if limits.rtf is not None:
        pairs = len(candidate.texts.pairs)
        checks.append(judge("RTF", rtf, limits.rtf, keep="below", unit="of the sound's time", utterances=pairs))
    extra = _interaction(base, measurement, candidate.texts.clusters, confidence)
    figures = [
        *(
            [Figure(name="gap by quantization, points", value=extra.value, lower=extra.lower, upper=extra.upper)]
            if extra.value is not None
            else []
        ),
        *(
            Figure(name=name, value=100 * of(measurement.candidate_counts), baseline=100 * of(base.candidate_counts))
            for name, of in (("streamed insertions, %", _insertions), ("streamed deletions, %", _deletions))
        ),
        *(
            Figure(name=name, value=100 * of(measurement.baseline_counts), baseline=100 * of(base.baseline_counts))
            for name, of in (("offline insertions, %", _insertions), ("offline deletions, %", _deletions))
        ),
        *(
            Figure(name=name, value=value, baseline=baseline.figures.get(name))
            for name, value in candidate.figures.items()
        ),
    ]
    weights = [
        s.errors - o.errors for o, s in zip(measurement.baseline_counts, measurement.candidate_counts, strict=True)
    ]
    rates = ((f"baseline_{metric}", measurement.baseline_rate), (f"candidate_{metric}", measurement.candidate_rate))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    judgement = judgement_on("streaming", candidate.texts, tuple(checks), details, seed, metric)
    return Outcome(
        judgement=replace(judgement, baseline="itself offline", figures=tuple(figures), notes=tuple(notes)),
        worst=worst_utterances(candidate.texts, weights, metric, names=("offline", "streamed")),
        counted=COUNTED[metric],
    )


def _lag_check(words: StreamedWords, limit: float, confidence: float) -> Check:
    """Bound the share of words committed later than ``limit`` s; a word never committed is an error, and has no lag.

    The pseudo-clip is an utterance of which half the words are late, as it is where words are lost.
    """
    known = [[lag for lag in lags if lag is not None] for lags in words.lags.values()]
    every = [lag / 1000 for lags in known for lag in lags]
    count = sum(map(len, words.lags.values()))
    average = len(every) / max(len(words.texts.pairs), 1)
    late = bound_ratio(
        _rows([(sum(lag >= 1000 * limit for lag in lags), len(lags)) for lags in known]),
        list(words.lags),
        worse=(average / 2, average),
        better=(0.0, average),
        confidence=confidence,
        within=SHARE,
        by_piece=True,
    )
    check = judge("late words", late, TOLERATED, keep="below", unit="of words", utterances=len(words.texts.pairs))
    if not every:
        return replace(check, reason="no word was committed")
    lags = f"median {percentile(every, 0.5):.2f} s, 95th percentile {percentile(every, 0.95):.2f} s"
    reason = f"{len(every)} of {count} words, late if committed {limit:g} s or more after they were said; {lags}"
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
        reason=f"committed words were retracted {count} times, {limit} are tolerated",
    )


def _real_time_factor(costs: Mapping[str, Sequence[tuple[float, float]]], confidence: float) -> Interval:
    rows = [row for group in costs.values() for row in group]
    names = [name for name, group in costs.items() for _ in group]
    took, sound = (fmean(column) for column in zip(*rows, strict=True))
    return bound_ratio(
        _rows(rows),
        names,
        worse=(2 * took, sound),
        better=(0.0, sound),
        confidence=confidence,
        within=RATE,
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
    columns = _rows(rows)
    lost = 100 * length * pseudo_loss(columns[:, 0] / 100, columns[:, 1], [""] * len(columns))
    return bound_ratio(
        columns, clusters, worse=(lost, length), better=(-lost, length), confidence=confidence, by_piece=True
    )


def _rows(rows: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(rows, np.float64).reshape(-1, 2)


def _insertions(counts: Sequence[ErrorCount]) -> float:
    return sum(count.insertions for count in counts) / sum(count.length for count in counts)


def _deletions(counts: Sequence[ErrorCount]) -> float:
    return sum(count.deletions for count in counts) / sum(count.length for count in counts)
