"""The accuracy gate slice by slice: a mean over a corpus hides the language or the line that a candidate lost."""

from dataclasses import replace

from pytest_whisperq.judging.rule import Outcome, judge, unless_lost
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.measuring.accuracy import AccuracyMeasurement, measure_accuracy
from pytest_whisperq.measuring.intervals import MIN_CLUSTERS, Interval
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.power import plan
from pytest_whisperq.measuring.scores import count_length
from pytest_whisperq.measuring.sequential import AccuracyLimit
from pytest_whisperq.measuring.slices import Slice, slices_of
from pytest_whisperq.system.column import Column

NAMED = 3
"""How many of the worst slices a gate names that did not pass."""


def judge_slices(whole: Outcome, texts: PairedTexts, limit: AccuracyLimit, *, confidence: float) -> Outcome:
    """Add to the outcome on a corpus a check for each of its slices that is large enough; all have to pass.

    That a candidate passes all is an intersection-union test (Berger, Technometrics 1982): each upper bound at
    ``confidence`` is enough. That one of ``m`` fails is said at Bonferroni's 1 − (1 − confidence) / m, or many slices
    would fail a good candidate by chance; the check of the whole corpus errs besides, as it does alone. A slice in
    which the limit could not be certified if no text changed is named and not judged; with no slice left the gate is
    INCONCLUSIVE.
    """
    parts = slices_of(texts)
    judged = [part for part in parts if _is_enough(part, limit, confidence)]
    small = [part for part in parts if part not in judged]
    strict = 1 - (1 - confidence) / max(len(judged), 1)
    checks = sorted(
        (_check(part, limit, confidence, strict) for part in judged), key=lambda check: -(check.value or 0.0)
    )
    notes = [f"worst slice {checks[0].name}"] if checks else []
    if small:
        notes.append(f"too small to be judged at max_drop={limit.max_drop:g}: {', '.join(part.size for part in small)}")
    if not checks:
        checks = [_nothing(whole.judgement.checks[0])]
    judgement = whole.judgement
    judgement = replace(judgement, checks=(*judgement.checks, *checks), notes=(*judgement.notes, *notes))
    return replace(whole, judgement=judgement)


def name_worst_slices(whole: Outcome, texts: PairedTexts, limit: AccuracyLimit, *, confidence: float) -> Outcome:
    """Note in the outcome of a gate that did not pass which slices lost more than the whole, worst first."""
    judgement = whole.judgement
    value = judgement.checks[0].value
    if judgement.verdict is Verdict.PASS or value is None:
        return whole
    drops = ((part.name, _measured(part, limit, confidence).drop) for part in slices_of(texts))
    lost = [(name, drop) for name, drop in drops if None not in (drop.value, drop.lower, drop.upper)]
    ranked = sorted(lost, key=lambda row: -(row[1].value or 0.0))
    named = [f"{name} {_figures(drop)}" for name, drop in ranked[:NAMED] if (drop.value or 0.0) > value]
    if not named:
        return whole
    note = f"worst slices ({judgement.checks[0].unit}): {'; '.join(named)}"
    return replace(whole, judgement=replace(judgement, notes=(*judgement.notes, note)))


def _figures(drop: Interval) -> str:
    return f"{drop.value:+.2f} ({drop.lower:+.2f} … {drop.upper:+.2f})"


def _measured(
    part: Slice, limit: AccuracyLimit, confidence: float, lower_confidence: float | None = None
) -> AccuracyMeasurement:
    return measure_accuracy(
        part.texts,
        metric=limit.metric,
        drop_type=limit.drop_type,
        confidence=confidence,
        lower_confidence=lower_confidence,
        bounds=limit.bounds,
        seed=limit.seed,
    )


def _is_enough(part: Slice, limit: AccuracyLimit, confidence: float) -> bool:
    lengths = Column("i", (count_length(pair.compared(limit.metric)[0], limit.metric) for pair in part.texts.pairs))
    power = plan(lengths, part.texts.clusters, confidence=confidence)
    return power.clusters >= MIN_CLUSTERS and (limit.drop_type != "absolute" or power.at_best < limit.max_drop)


def _check(part: Slice, limit: AccuracyLimit, confidence: float, strict: float) -> Check:
    measurement, size = _measured(part, limit, confidence, strict), len(part.texts.pairs)
    check = judge(part.name, measurement.drop, limit.max_drop, keep="below", unit=measurement.unit, utterances=size)
    check = unless_lost(check, measurement.baseline_rate)
    return replace(check, reason=f"{check.reason}; {size} utterances, lower bound at {100 * strict:.4g}%")


def _nothing(whole: Check) -> Check:
    """Return the check of a gate on slices that found none to judge: nothing was shown of any."""
    return replace(
        whole,
        name="slices",
        value=None,
        lower=None,
        upper=None,
        verdict=Verdict.INCONCLUSIVE,
        reason="no slice is large enough for this limit, or the corpus has no column that slices it",
    )
