"""The gate on catastrophic utterances (empty, looping, cut off …), which a mean over words does not show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.keywords import limit
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Evidence, Outcome, judge, judgement_on
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.measuring.catastrophe import (
    Catastrophe,
    CatastropheMeasurement,
    least,
    measure_catastrophes,
)
from pytest_whisperq.measuring.catastrophe_kinds import KINDS
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import align
from pytest_whisperq.session import Session

SHOWN = 3
"""How many utterances of each kind a failing gate shows."""


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the share of utterances, non-speech included, that are catastrophic and of the baseline are not."""
    config = session.config
    judge = partial(judge_catastrophe, max_rate=limits["max_rate"], confidence=config.confidence, seed=config.seed)
    return session.once(EarlyStopping).judge_all(candidate, judge)


GATE = Gate(
    name="catastrophe",
    summary="few utterances are newly catastrophic (empty, loop, cut off ...), non-speech included",
    keywords={"max_rate": limit("max_catastrophes")},
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    needs_whole_corpus=True,
)


def judge_catastrophe(texts: PairedTexts, *, max_rate: float, confidence: float, seed: int) -> Outcome:
    """Pass when the exact upper bound of the share of newly catastrophic utterances is below ``max_rate``."""
    measurement = measure_catastrophes(texts, confidence=confidence)
    checks = (_check(measurement, max_rate, confidence),)
    details = tuple(
        (key, value)
        for key, value in (
            ("no_regression", measurement.no_regression.value),
            ("no_regression_lower", measurement.no_regression.lower),
        )
        if value is not None
    )
    return Outcome(
        judgement=judgement_on("catastrophe", texts, checks, details, seed),
        worst=tuple(_evidence(one) for one in _shown(measurement.catastrophes)),
        counted="new catastrophes",
    )


def _check(measurement: CatastropheMeasurement, max_rate: float, confidence: float) -> Check:
    count, aside = measurement.at_risk, measurement.left_aside
    check = judge("new catastrophes", measurement.rate, max_rate, keep="below", unit="of utterances", utterances=count)
    if measurement.rate.value is None:
        reason = f"all {aside} utterances are catastrophic as the baseline says them, none is left to judge"
        return replace(check, reason=f"{reason}; check model and language") if aside else check
    kinds = Counter(kind for one in measurement.catastrophes for kind in one.kinds)
    listed = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    reason = f"{len(measurement.catastrophes)} of {count} utterances{f' ({listed})' if listed else ''}"
    if aside:
        reason += f", {aside} left aside, catastrophic already as the baseline says them"
    if check.verdict is Verdict.INCONCLUSIVE:
        within = f" in {measurement.clusters} clusters" if measurement.clusters < count else ""
        needed = ceil(least(max_rate, confidence) * count / measurement.clusters)
        reason += f"; {count} utterances{within} without a catastrophe certify {100 * measurement.best:.2f} % at best"
        reason += f"; {needed} without one would certify the limit"
    return replace(check, reason=reason)


def _shown(catastrophes: Sequence[Catastrophe]) -> list[Catastrophe]:
    """Return the first catastrophes of every kind, each once, in the order of the kinds."""
    shown: list[Catastrophe] = []
    for kind in KINDS:
        of_kind = [one for one in catastrophes if kind in one.kinds]
        shown += [one for one in of_kind[:SHOWN] if one not in shown]
    return shown


def _evidence(catastrophe: Catastrophe) -> Evidence:
    rows = align(catastrophe.reference, catastrophe.baseline, catastrophe.candidate)
    labelled = zip(("reference", "baseline", "candidate"), rows, strict=True)
    return Evidence(
        utterance=catastrophe.utterance,
        weight=len(catastrophe.kinds),
        rows=(("kinds", ", ".join(catastrophe.kinds)), *labelled),
    )
