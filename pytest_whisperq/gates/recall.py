"""What the gates on terms and on entities share: judging how many of the things that matter a candidate loses."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on, unless_lost
from pytest_whisperq.judging.verdict import Check, Figure
from pytest_whisperq.measuring.pairs import Pair, PairedTexts
from pytest_whisperq.measuring.power import plan
from pytest_whisperq.measuring.recall import RecallMeasurement, Spotted, measure_recall
from pytest_whisperq.session import Session
from pytest_whisperq.speech.normalizers import Normalizer

Look = Callable[[str, str | None], Counter[str]]
"""A function (normalized text, its language or None) → what of all that is looked for is there, with how often."""

SHOWN = 5
"""How many things a judgement names."""


def judge_recall(
    gate: str,
    texts: PairedTexts,
    look: Look,
    limits: Mapping[str, Any],
    config: GateConfig,
    *,
    notes: Sequence[str] = (),
) -> Outcome:
    """Pass when recall drops by less than ``max_recall_drop`` points, and false alarms rise by less than their limit.

    ``gate`` is also what the things are called. They are words of the corpus, and are named only where the run is not
    redacted.
    """
    rows = [_spotted(pair, look) for pair in texts.pairs]
    measured = measure_recall(rows, texts.clusters, confidence=config.confidence)
    checks = [_recall_check(gate, measured, limits["max_recall_drop"])]
    figures = _figures(gate, measured)
    if (most := limits["max_false_alarms"]) is not None:
        name, size = f"false {gate}", measured.utterances
        checks.append(judge(name, measured.alarms, most, keep="below", unit="points", utterances=size))
    lost = _lost(gate, measured, config)
    judgement = judgement_on(gate, texts, tuple(checks), (), config.seed)
    weights = [row.missed[1] - row.missed[0] for row in rows]
    return Outcome(
        judgement=replace(judgement, figures=figures, notes=(*judgement.notes, *notes, *lost)),
        worst=worst_utterances(texts, weights, "wer"),
        counted=gate,
    )


def foresee_recall(gate: str, session: Session, normalizer: Normalizer, look: Look, limit: float) -> list[str]:
    """Say how many things the references of a corpus have, and what drop of their recall these certify."""
    counts = [
        (look(normalizer(item.reference, item.language), item.language).total(), session.recordings.cluster(item))
        for item in session.corpus.speech
    ]
    rows = [(count, cluster) for count, cluster in counts if count]
    if not rows:
        return [f"no {gate} are said in the corpus: a gate on them cannot pass"]
    counted, clusters = [row[0] for row in rows], [row[1] for row in rows]
    power = plan(counted, clusters, confidence=session.config.confidence, counted=gate, is_share=True)
    return forecast(power, [limit], drop="recall drop", keyword="max_recall_drop")


def _spotted(pair: Pair, look: Look) -> Spotted:
    reference, baseline, candidate = (
        look(text, pair.utterance.language) for text in (pair.reference, pair.baseline, pair.candidate)
    )
    return Spotted(reference=reference, baseline=baseline, candidate=candidate)


def _recall_check(gate: str, measured: RecallMeasurement, limit: float) -> Check:
    size = measured.utterances
    check = judge("recall drop", measured.drop, limit, keep="below", unit="points", utterances=size)
    if not measured.said:
        return replace(check, reason=f"nothing to measure: no {gate} are said in the corpus")
    recall = measured.recalls[0] or 0.0
    check = unless_lost(check, 1 - recall)
    return replace(check, reason=f"{check.reason}; {measured.said} {gate} in {size} utterances")


def _figures(gate: str, measured: RecallMeasurement) -> tuple[Figure, ...]:
    figures = []
    for name, (before, after) in (("recall", measured.recalls), ("precision", measured.precisions)):
        if after is not None:
            baseline = None if before is None else 100 * before
            figures.append(Figure(name=f"{name} of {gate}, %", value=100 * after, baseline=baseline))
    if (alarms := measured.alarms).value is not None:
        name = f"rise of false {gate}, points"
        figures.append(Figure(name=name, value=alarms.value, lower=alarms.lower, upper=alarms.upper))
    return tuple(figures)


def _lost(gate: str, measured: RecallMeasurement, config: GateConfig) -> list[str]:
    """Return in a line which things the candidate loses most; none where it loses none, or nobody shall read them."""
    lost = [one for one in measured.things if one.candidate < one.baseline]
    if not lost or config.redact:
        return []
    named = [f"{one.name} (found {one.candidate} of {one.said} times, by the baseline {one.baseline})" for one in lost]
    return [f"{gate} lost most: {listed(named)}"]


def listed(names: Sequence[str]) -> str:
    """Return the first names in a line, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
