"""From a measurement and a limit to a verdict. Never on a point estimate: only a confidence bound passes or fails."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from pytest_whisperq.measure.accuracy import DropType, measure_accuracy
from pytest_whisperq.measure.error_rate import Metric
from pytest_whisperq.measure.intervals import MIN_CLUSTERS, Interval
from pytest_whisperq.measure.pairs import Pair, PairedTexts
from pytest_whisperq.measure.parity import measure_parity
from pytest_whisperq.verdict import Check, Judgement, Verdict

WORST = 5
"""How many utterances a failing gate shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A judgement and the utterances that weighed most against the candidate, worst first.

    Each comes with its weight in words, or in characters under CER. They stay out of the judgement, which may be
    stored or sent: these are somebody's words.
    """

    judgement: Judgement
    worst: tuple[tuple[int, Pair], ...]


def judge(name: str, interval: Interval, limit: float, *, keep: str, unit: str, utterances: int) -> Check:
    """Judge one value: PASS when the bound facing the limit clears it, FAIL when the other one is beyond it.

    ``keep`` is "below" or "above" the limit.
    """
    good, bad = (interval.upper, interval.lower) if keep == "below" else (interval.lower, interval.upper)
    sign = 1 if keep == "below" else -1
    if interval.value is None:
        verdict = Verdict.INCONCLUSIVE
        reason = (
            "undefined: the baseline makes no error (use drop_type='absolute'), or says no word to diverge from"
            if utterances
            else "nothing to measure: the corpus has no speech"
        )
    elif good is None or bad is None:
        verdict = Verdict.INCONCLUSIVE
        reason = (
            f"{interval.clusters} independent utterances or clusters; at least {MIN_CLUSTERS} are needed for any bound"
            if interval.clusters < MIN_CLUSTERS
            else "no bound: in some resamples the baseline makes no error; use drop_type='absolute'"
        )
    elif sign * good < sign * limit:
        verdict, reason = Verdict.PASS, f"the bound facing the limit is {keep} it"
    elif sign * bad > sign * limit:
        verdict, reason = Verdict.FAIL, f"even the more favourable bound is not {keep} the limit"
    else:
        verdict, reason = Verdict.INCONCLUSIVE, _undecided(interval.value, good, limit, sign, utterances)
    return Check(
        name=name,
        value=interval.value,
        limit=limit,
        keep=keep,
        lower=interval.lower,
        upper=interval.upper,
        confidence=interval.confidence,
        unit=unit,
        verdict=verdict,
        reason=reason,
    )


def judge_accuracy(
    texts: PairedTexts,
    *,
    max_drop: float,
    drop_type: DropType = "absolute",
    metric: Metric = "wer",
    confidence: float,
    seed: int,
) -> Outcome:
    """Pass when the upper bound of the accuracy drop is below ``max_drop`` (unit: `measure.accuracy.DROP_UNITS`)."""
    found = measure_accuracy(texts, metric=metric, drop_type=drop_type, confidence=confidence, seed=seed)
    name = "drop" if metric == "wer" else f"{metric.upper()} drop"
    check = judge(name, found.drop, max_drop, keep="below", unit=found.unit, utterances=len(texts.pairs))
    if check.verdict is Verdict.PASS and found.baseline_rate is not None and found.baseline_rate >= 1.0:
        reason = (
            f"the baseline itself gets {found.baseline_rate:.0%} wrong: it does not transcribe this corpus, and "
            "keeping up with it proves nothing; check model and language"
        )
        check = replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
    weights = [q.errors - r.errors for r, q in zip(found.baseline_counts, found.candidate_counts, strict=True)]
    rates = ((f"baseline_{metric}", found.baseline_rate), (f"candidate_{metric}", found.candidate_rate))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    return _outcome("accuracy", texts, (check,), details, weights, seed)


def judge_parity(
    texts: PairedTexts, *, min_exact_match: float, max_divergence: float, confidence: float, seed: int
) -> Outcome:
    """Pass when both models agree: exact-match rate bounded above, divergence bounded below their limits."""
    found = measure_parity(texts, confidence=confidence, seed=seed)
    size = len(texts.pairs)
    checks = (
        judge("exact match", found.exact_match, min_exact_match, keep="above", unit="of utterances", utterances=size),
        judge("divergence", found.divergence, max_divergence, keep="below", unit="of words", utterances=size),
    )
    return _outcome("parity", texts, checks, (), [count.errors for count in found.counts], seed)


def _undecided(value: float, good: float, limit: float, sign: int, utterances: int) -> str:
    room, width = sign * (limit - value), abs(good - value)
    if room == 0:
        return "the value is exactly the limit, and a bound on that side of it cannot be had; loosen the limit a little"
    if room <= 0:
        return "the value is on the wrong side of the limit, but the bounds do not exclude chance"
    needed = ceil(utterances * (width / room) ** 2)  # the width of an interval shrinks with the root of the sample
    return f"the limit lies within the bounds; up to about {needed} utterances like these would decide"


def _baseline_name(texts: PairedTexts) -> str:
    spec = texts.baseline.spec
    same = spec.source.identity == texts.candidate.spec.source.identity
    name = str(spec) if same else f"{spec}@{spec.source.name}"
    return f"{name} → {texts.baseline.compute_type}" if texts.baseline.fell_back else name


def _outcome(
    gate: str,
    texts: PairedTexts,
    checks: tuple[Check, ...],
    details: tuple[tuple[str, float], ...],
    weights: Sequence[int],
    seed: int,
) -> Outcome:
    ranked = sorted(zip(weights, texts.pairs, strict=True), key=lambda row: (-row[0], row[1].utterance.id))
    judgement = Judgement(
        gate=gate,
        candidate=str(texts.candidate.spec),
        baseline=_baseline_name(texts),
        compute_type=texts.candidate.compute_type,
        fell_back=texts.candidate.fell_back,
        operations="; ".join(filter(None, (texts.candidate.operations, texts.candidate.artifact.calibration))),
        corpus=texts.corpus.name,
        normalizer=str(texts.normalizer),
        utterances=len(texts.pairs),
        words=sum(len(pair.reference.split()) for pair in texts.pairs),
        seed=seed,
        checks=checks,
        details=details,
    )
    return Outcome(judgement=judgement, worst=tuple(row for row in ranked[:WORST] if row[0] > 0))
