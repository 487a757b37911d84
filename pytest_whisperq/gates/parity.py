"""The gate on parity: whether a candidate says what its baseline says, right or wrong."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.choices import COUNTED, Metric
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.gates.keywords import METRIC, Keyword, limit
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on
from pytest_whisperq.judging.verdict import Figure
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.parity import measure_parity
from pytest_whisperq.session import Session


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the agreement with the baseline on the whole corpus. Without ``min_exact_match`` that is only reported."""
    judge = partial(
        judge_parity,
        min_exact_match=limits["min_exact_match"],
        max_divergence=limits["max_divergence"],
        metric=limits["metric"] or session.metric,
        confidence=session.config.confidence,
        seed=session.config.seed,
    )
    return session.once(EarlyStopping).judge_all(candidate, judge)


GATE = Gate(
    name="parity",
    summary="the candidate says what the baseline says, within its limits",
    keywords={
        "min_exact_match": limit("min_exact_match"),
        "max_divergence": limit("max_divergence"),
        "metric": Keyword(METRIC, option="metric"),
    },
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    needs_whole_corpus=True,
)


def judge_parity(
    texts: PairedTexts,
    *,
    min_exact_match: float | None,
    max_divergence: float,
    metric: Metric = "wer",
    confidence: float,
    seed: int,
) -> Outcome:
    """Pass when both models agree: divergence bounded below its limit, and the exact-match rate above, if it has one.

    How many texts stay the same to the letter depends on how long they are, so that no limit fits every corpus.
    """
    measurement = measure_parity(texts, metric=metric, confidence=confidence)
    size, unit = len(texts.pairs), f"of {COUNTED[metric]}"
    exact = measurement.exact_match
    checks = [judge("divergence", measurement.divergence, max_divergence, keep="below", unit=unit, utterances=size)]
    figures: list[Figure] = []
    if min_exact_match is not None:
        check = judge("exact match", exact, min_exact_match, keep="above", unit="of utterances", utterances=size)
        checks.insert(0, check)
    elif exact.value is not None:
        figures.append(_in_percent("exact match, %", exact))
    worst = worst_utterances(texts, measurement.counts.errors, metric)
    judgement = judgement_on("parity", texts, tuple(checks), (), seed, metric)
    return Outcome(judgement=replace(judgement, figures=tuple(figures)), worst=worst, counted=COUNTED[metric])


def _in_percent(name: str, share: Interval) -> Figure:
    value, lower, upper = (None if one is None else 100 * one for one in (share.value, share.lower, share.upper))
    return Figure(name=name, value=value or 0.0, lower=lower, upper=upper)
