"""The gate on a condition: limits of other gates, joined by "and" and "or" to one verdict.

Verdicts are joined by Kleene's strong logic of three values (Introduction to Metamathematics, 1952, § 64). "and" is the
worst of them and "or" the best, so that what cannot be told makes no PASS: something else has to.

Each way to hold may be taken by chance. Of m ways, the bounds of each are drawn at 1 − (1 − confidence) / m
(Bonferroni; `config.conditions.chances`), so that a condition that does not hold passes no oftener than one limit.

What the verdict does not depend on is not measured: with "drop<0.3 or speedup>2" nothing is timed where the first
holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.conditions import EXAMPLE, Comparison, Condition, chances, comparisons, parse, problem
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.keywords import Keyword
from pytest_whisperq.gates.registry import Gate, get_gate
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import ConfigError


class Part(NamedTuple):
    """The gate that judges a quantity, the keyword that is its limit, and which check counts; "" for all of them."""

    gate: str
    keyword: str
    check: str = ""


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "size-ratio": Part("size", "max_ratio"),
        "drop": Part("accuracy", "max_drop"),
        "divergence": Part("parity", "max_divergence", "divergence"),
        "exact-match": Part("parity", "min_exact_match", "exact match"),
        "recall-drop": Part("terms", "max_recall_drop", "recall drop"),
        "false-alarms": Part("terms", "max_false_alarms", "false terms"),
        "catastrophes": Part("catastrophe", "max_rate"),
        "language-agreement": Part("language", "min_agreement"),
        "translation-drop": Part("translation", "max_drop"),
        "shift": Part("timestamps", "max_shift"),
        "wer-gap": Part("streaming", "max_wer_gap", "gap"),
        "commit-lag": Part("streaming", "max_commit_lag", "late words"),
        "memory-ratio": Part("memory", "max_ratio"),
        "energy-ratio": Part("energy", "max_ratio"),
        "speedup": Part("speedup", "min_ratio"),
    }
)
"""Every quantity of a condition, in the order in which they are measured: what costs least comes first."""


class AtConfidence:
    """A run's session at other confidences, one for each: gates share what they measure there."""

    def __init__(self, session: Session) -> None:
        self._sessions = {session.config.confidence: session}
        self._session = session

    def shared_among(self, ways: int) -> Session:
        """Return the session in which each of so many ways may err with an equal part of the error."""
        confidence = 1 - (1 - self._session.config.confidence) / ways if ways > 1 else self._session.config.confidence
        if confidence not in self._sessions:
            other = self._session.at(confidence)
            other.once(EarlyStopping).declared = self._session.once(EarlyStopping).declared
            self._sessions[confidence] = other
        return self._sessions[confidence]


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the comparisons of a condition one by one, by the gates that have these limits, until it is decided."""
    condition = _condition(limits)
    ways = chances(condition)
    strict = session.once(AtConfidence).shared_among(ways)
    outcomes: dict[Comparison, Outcome] = {}
    verdicts: dict[Comparison, Verdict] = {}
    while undecided := open_comparisons(condition, verdicts):
        one = min(undecided, key=lambda comparison: list(PARTS).index(comparison.quantity))
        outcomes[one] = _judged(strict, candidate, one)
        verdicts[one] = outcomes[one].judgement.verdict
    return _together(condition, outcomes, combined(condition, verdicts), ways)


def _parts(limits: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(PARTS[one.quantity].gate for one in comparisons(_condition(limits))))


GATE = Gate(
    name="limit",
    summary="a condition on several limits holds, such as drop<0.3 or (drop<1.0 and speedup>2)",
    keywords={"condition": Keyword(problem, option="limit")},
    run=run,
    extendable=True,
    parts=_parts,
    first="condition",
)


def _condition(limits: Mapping[str, Any]) -> Condition:
    if limits["condition"] is None:
        raise ConfigError(
            "has no condition",
            where="whisperq_limit",
            remedy=f"write one, such as {EXAMPLE!r}, or give --whisperq-limit",
        )
    return parse(limits["condition"])


def combined(condition: Condition, verdicts: Mapping[Comparison, Verdict]) -> Verdict:
    """Return what the ``verdicts`` on its comparisons make of a condition; one that has none yet is INCONCLUSIVE."""
    if isinstance(condition, Comparison):
        return verdicts.get(condition, Verdict.INCONCLUSIVE)
    of_parts = [combined(part, verdicts) for part in condition.parts]
    return Verdict.worst(of_parts) if condition.word == "and" else Verdict.best(of_parts)


def open_comparisons(condition: Condition, verdicts: Mapping[Comparison, Verdict]) -> list[Comparison]:
    """Return the comparisons without a verdict on which that of the condition may still depend."""
    if isinstance(condition, Comparison):
        return [] if condition in verdicts else [condition]
    if combined(condition, verdicts) is not Verdict.INCONCLUSIVE:
        return []
    return [one for part in condition.parts for one in open_comparisons(part, verdicts)]


def _judged(session: Session, candidate: Candidate, one: Comparison) -> Outcome:
    """Return what the gate of a quantity says, with the checks that count."""
    part = PARTS[one.quantity]
    gate = get_gate(part.gate)
    outcome = gate.run(session, candidate, gate.limits(session.config, {part.keyword: one.limit}))
    checks = tuple(check for check in outcome.judgement.checks if part.check in ("", check.name))
    return replace(outcome, judgement=replace(outcome.judgement, checks=checks))


def _together(condition: Condition, outcomes: Mapping[Comparison, Outcome], verdict: Verdict, ways: int) -> Outcome:
    """Return the outcome of a condition: that of the gate that heard most, with what the others found."""
    main = max(outcomes.values(), key=lambda one: (one.judgement.utterances, bool(one.judgement.compute_type)))
    judgements = [one.judgement for one in outcomes.values()]
    notes = _distinct(note for one in judgements for note in one.notes)
    if ways > 1:
        notes.append(f"{ways} ways to pass share the error that the confidence allows")
    if unmeasured := [str(one) for one in dict.fromkeys(comparisons(condition)) if one not in outcomes]:
        notes.append(f"not judged, for the verdict does not depend on it: {', '.join(unmeasured)}")
    judgement = replace(
        main.judgement,
        gate="limit",
        checks=tuple(check for one in judgements for check in one.checks),
        details=tuple({name: value for one in judgements for name, value in one.details}.items()),
        notes=tuple(notes),
        scores=(),  # under another normalizer a single limit may fall, not the condition
        figures=tuple(_distinct(figure for one in judgements for figure in one.figures)),
        series=tuple(_distinct(series for one in judgements for series in one.series)),
        condition=str(condition),
        combined=verdict,
    )
    return replace(main, judgement=judgement)


def _distinct(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))
