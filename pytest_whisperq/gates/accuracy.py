"""Gates on what is said: accuracy, parity and language, each from two transcripts of one corpus."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_whisperq.config.choices import Bounds, DropType, Metric
from pytest_whisperq.judging.rule import WORST, Evidence, Outcome, judge, judgement_on, unless_lost
from pytest_whisperq.judging.verdict import Check, Score
from pytest_whisperq.measuring.accuracy import AccuracyMeasurement, measure_accuracy
from pytest_whisperq.measuring.error_rate import COUNTED, align
from pytest_whisperq.measuring.language import measure_language
from pytest_whisperq.measuring.pairs import Pair, PairedTexts
from pytest_whisperq.measuring.parity import measure_parity
from pytest_whisperq.speech.normalizers import Normalizer


def judge_accuracy(
    texts: PairedTexts,
    *,
    max_drop: float,
    drop_type: DropType = "absolute",
    metric: Metric = "wer",
    bounds: Bounds = "t",
    others: Sequence[Normalizer] = (),
    confidence: float,
    fail_confidence: float | None = None,
    seed: int,
) -> Outcome:
    """Pass when the upper bound of the accuracy drop is below ``max_drop`` (unit: `measuring.accuracy.DROP_UNITS`).

    ``others`` are normalizers under which the same transcripts are scored too; the verdict is that of ``texts`` alone.
    ``fail_confidence`` is that of the lower bound where part of its error is spent elsewhere (`measuring.sequential`).
    """
    scored = []
    for own in (texts, *map(texts.under, others)):
        found = measure_accuracy(
            own,
            metric=metric,
            drop_type=drop_type,
            confidence=confidence,
            lower_confidence=fail_confidence,
            bounds=bounds,
            seed=seed,
        )
        scored.append((own, found, _drop_check(found, metric, max_drop, len(own.pairs))))
    _, found, check = scored[0]
    weights = [q.errors - r.errors for r, q in zip(found.baseline_counts, found.candidate_counts, strict=True)]
    rates = ((f"baseline_{metric}", found.baseline_rate), (f"candidate_{metric}", found.candidate_rate))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    scores = tuple(
        Score(
            normalizer=str(own.normalizer),
            utterances=len(own.pairs),
            baseline_rate=found.baseline_rate,
            candidate_rate=found.candidate_rate,
            check=check,
        )
        for own, found, check in scored
    )
    notes = () if bounds == "t" else (f"bounds by {bounds}",)
    return Outcome(
        judgement=replace(judgement_on("accuracy", texts, (check,), details, seed, metric), scores=scores, notes=notes),
        worst=worst_utterances(texts, weights, metric),
        counted=COUNTED[metric],
    )


def _drop_check(found: AccuracyMeasurement, metric: Metric, max_drop: float, utterances: int) -> Check:
    name = "drop" if metric == "wer" else f"{metric.upper()} drop"
    check = judge(name, found.drop, max_drop, keep="below", unit=found.unit, utterances=utterances)
    return unless_lost(check, found.baseline_rate)


def judge_parity(
    texts: PairedTexts,
    *,
    min_exact_match: float,
    max_divergence: float,
    metric: Metric = "wer",
    confidence: float,
    seed: int,
) -> Outcome:
    """Pass when both models agree: exact-match rate bounded above, divergence bounded below their limits."""
    found = measure_parity(texts, metric=metric, confidence=confidence)
    size, unit = len(texts.pairs), f"of {COUNTED[metric]}"
    checks = (
        judge("exact match", found.exact_match, min_exact_match, keep="above", unit="of utterances", utterances=size),
        judge("divergence", found.divergence, max_divergence, keep="below", unit=unit, utterances=size),
    )
    worst = worst_utterances(texts, [count.errors for count in found.counts], metric)
    judgement = judgement_on("parity", texts, checks, (), seed, metric)
    return Outcome(judgement=judgement, worst=worst, counted=COUNTED[metric])


def judge_language(texts: PairedTexts, *, min_agreement: float, confidence: float, seed: int) -> Outcome:
    """Pass when the candidate detects the baseline's languages: the lower bound of the share is above the limit."""
    found = measure_language(texts, confidence=confidence)
    check = judge(
        "same language",
        found.agreement,
        min_agreement,
        keep="above",
        unit="of utterances",
        utterances=len(texts.pairs),
    )
    rates = (("baseline_language", found.baseline_right), ("candidate_language", found.candidate_right))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    worst = tuple(
        Evidence(
            utterance=pair.utterance,
            weight=1,
            rows=(
                ("spoken", pair.utterance.language or "unknown"),
                ("baseline", f"{pair.baseline_language}"),
                ("candidate", f"{pair.candidate_language}"),
                ("reference", pair.reference),
            ),
        )
        for pair in texts.pairs
        if pair.baseline_language != pair.candidate_language
    )
    judgement = judgement_on("language", texts, (check,), details, seed)
    return Outcome(judgement=judgement, worst=worst[:WORST], counted="other language")


def worst_utterances(
    texts: PairedTexts,
    weights: Sequence[int],
    metric: Metric,
    names: tuple[str, str] = ("baseline", "candidate"),
) -> tuple[Evidence, ...]:
    """Return the utterances of most weight with their three texts word under word; ``names`` are of what was heard."""
    ranked = sorted(zip(weights, texts.pairs, strict=True), key=lambda row: (-row[0], row[1].utterance.id))
    return tuple(
        Evidence(utterance=pair.utterance, weight=weight, rows=_aligned(pair, metric, names))
        for weight, pair in ranked[:WORST]
        if weight > 0
    )


def _aligned(pair: Pair, metric: Metric, names: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(("reference", *names), align(*pair.compared(metric)), strict=True))
