"""A run compared with runs that were saved before: the last accepted one, and an anchor that stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import exp, hypot, log

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.decoding.transcript_cache import Known
from pytest_whisperq.history.comparison import difference
from pytest_whisperq.history.document import (
    BASELINE,
    CANDIDATE,
    ROW,
    StoredRun,
    corpus_digest,
    read_all,
    utterance_rows,
)
from pytest_whisperq.judging.rule import Outcome, judge
from pytest_whisperq.judging.verdict import Check, Figure, Judgement, Verdict
from pytest_whisperq.measuring.accuracy import DROP_UNITS, bound_drop
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.sequential import AccuracyLimit
from pytest_whisperq.session import Session
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.machine import cpu_features
from pytest_whisperq.system.on_disk import Kept

OPTION = "--whisperq-compare"


class SavedRuns:
    """The saved runs that a run is compared with, ``stored``.

    Raises `ConfigError` for a file that is none, and for a run whose corpus is not fixed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

        config = session.config
        if config.compare and config.on_inconclusive == "extend" and config.max_utterances:
            raise ConfigError(
                "a run that extends --whisperq-max-utterances has no corpus to be compared on",
                where=OPTION,
                remedy="drop either",
            )
        self.stored: tuple[StoredRun, ...] = read_all(config.compare, OPTION)

    def accuracy(self, outcome: Outcome, texts: PairedTexts, limit: AccuracyLimit) -> Outcome:
        """Add to an accuracy gate a check for each saved run: what the candidate lost since then, in points.

        The limit is the gate's own where that is in points, else the configured one.
        """
        if not self.stored:
            return outcome
        max_drop = limit.max_drop if limit.drop_type == "absolute" else self._session.config.max_drop
        for stored in self.stored:
            restored = stored.own_normalizer if stored.normalizer != str(texts.normalizer) else None
            now = self._now(texts, limit.metric, restored or texts.normalizer)
            outcome = judge_since(outcome, stored, now, max_drop=max_drop, confidence=self._session.config.confidence)
            if restored:
                note = f"compared with {stored.name} under its own normalizer, {restored}"
                outcome = replace(outcome, judgement=replace(outcome.judgement, notes=(*outcome.judgement.notes, note)))
        return outcome

    def compared(self, stored: StoredRun, judgements: Iterable[Judgement]) -> set[str]:
        """Return which gates with these judgements were compared with a saved run: of "accuracy" and "speedup".

        The former is, or has failed by itself; the latter where both runs timed the same on the same processor. A
        condition may have compared either.
        """
        compared = set()
        for one in judgements:
            if (one.gate == "accuracy" and one.checks) or any(c.name.startswith(_since(stored)) for c in one.checks):
                compared.add("accuracy")
            if any(figure.name.endswith(_over(stored)) for figure in one.figures):
                compared.add("speedup")
        return compared

    def _now(self, texts: PairedTexts, metric: Metric, normalizer: Normalizer) -> StoredRun:
        """Return this run as far as it is compared: what two of its models say."""
        facts = self._session.recordings.facts
        name = str(texts.candidate.spec)
        known = {BASELINE: Known.of(texts.baseline), name: Known.of(texts.candidate)}
        rows = Kept(utterance_rows(texts.corpus, facts, normalizer, metric, known, redact=True), ROW)
        return StoredRun(
            name="this run",
            document={
                "settings": {"normalizer": str(normalizer), "metric": metric, "device": self._session.config.device},
                "corpus": {"digest": corpus_digest(texts.corpus, facts)},
                "models": {BASELINE: {"role": BASELINE}, name: {"role": CANDIDATE}},
                "utterances": rows,
            },
        )

    def speed(self, outcome: Outcome) -> Outcome:
        """Add to a speed gate how its ratio compares with that of each saved run, on this processor and GPU only."""
        judgement, config = outcome.judgement, self._session.config
        here = cpu_features(), config.threads, config.gpu
        figures, notes = [], []
        for stored in self.stored:
            before = _speedup(stored, judgement.candidate, judgement.baseline, judgement.checks[0].name)
            if before is None:
                continue
            if stored.checkpoint(judgement.candidate) != self._session.source.identity:
                notes.append(f"{stored.name} timed another checkpoint")
            if stored.timed_on != here:
                cpu, threads, gpu = stored.timed_on
                where = "; ".join(filter(None, (cpu, gpu)))
                notes.append(f"not compared with {stored.name}: measured on {where}, {threads} threads")
            elif ratio := _ratio(judgement.checks[0].name + _over(stored), judgement.checks[0], before):
                figures.append(ratio)
        judgement = replace(judgement, figures=(*judgement.figures, *figures), notes=(*judgement.notes, *notes))
        return replace(outcome, judgement=judgement)


def judge_since(outcome: Outcome, stored: StoredRun, now: StoredRun, *, max_drop: float, confidence: float) -> Outcome:
    """Add a check to an outcome: the drop of its candidate since ``stored``, in points, stays below ``max_drop``.

    Both heard the same sounds, so that the drop is paired by utterance. What cannot be compared (another corpus or
    normalizer, no such candidate) is INCONCLUSIVE and says why. A single candidate of the saved run stands for any.
    """
    judgement = outcome.judgement
    known = stored.models(CANDIDATE)
    only = known if len(stored.named(CANDIDATE)) == 1 else []
    then = only[0] if only and judgement.candidate not in known else judgement.candidate
    name = _since(stored) + ("" if then == judgement.candidate else f" ({then})")
    why, remedy = difference(stored, now), "accept a new run with --whisperq-save"
    if stored.metric != now.metric:  # a run is saved in one metric, whatever markers count
        remedy = f"to compare it, save a run with --whisperq-metric {now.metric}"
    if not why and then not in known:
        why = f"{stored.name} has no candidate {then} that heard all of the corpus; it has {', '.join(known) or 'none'}"
    check = (
        _refused(name, max_drop, confidence, f"not compared: {why}; {remedy}")
        if why
        else _check(name, stored, now, (then, judgement.candidate), max_drop, confidence)
    )
    notes = judgement.notes
    if stored.document["verdict"] != Verdict.PASS.value:
        notes = (*notes, f"{stored.name} itself had ended {stored.document['verdict']}")
    return replace(outcome, judgement=replace(judgement, checks=(*judgement.checks, check), notes=notes))


def _check(
    name: str, stored: StoredRun, now: StoredRun, candidates: tuple[str, str], max_drop: float, confidence: float
) -> Check:
    import numpy as np

    before, after, (then, candidate) = stored.utterances, now.utterances, candidates
    counts = [(before[key].errors[then], after[key].errors[candidate], after[key].length) for key in after]
    clusters, _ = now.judged_by
    drop = bound_drop(np.array(counts, np.float64).reshape(-1, 3), clusters, confidence=confidence)
    return judge(name, drop, max_drop, keep="below", unit=DROP_UNITS["absolute"], utterances=len(after))


def _refused(name: str, limit: float, confidence: float, reason: str) -> Check:
    return Check(
        name=name,
        value=None,
        limit=limit,
        keep="below",
        lower=None,
        upper=None,
        confidence=confidence,
        unit=DROP_UNITS["absolute"],
        verdict=Verdict.INCONCLUSIVE,
        reason=reason,
    )


def _since(stored: StoredRun) -> str:
    """Return how the name of a drop since a saved run begins."""
    return f"drop since {stored.name}"


def _over(stored: StoredRun) -> str:
    """Return how the name of a ratio of speedups ends."""
    return f" over that of {stored.name}"


def _speedup(stored: StoredRun, candidate: str, baseline: str, name: str) -> Figure | None:
    for judgement in stored.judgements:
        if (judgement.gate, judgement.candidate, judgement.baseline) == ("speedup", candidate, baseline):
            return next((one for one in judgement.reported().figures if one.name == name), None)
    return None


def _ratio(name: str, now: Check, before: Figure) -> Figure | None:
    """Return one ratio over another, each measured by itself: on the logs their half widths add up as errors do."""
    if not (now.value and now.lower and now.upper and before.lower and before.upper):
        return None
    middle = log(now.value / before.value)
    below = hypot(log(now.value / now.lower), log(before.upper / before.value))
    above = hypot(log(now.upper / now.value), log(before.value / before.lower))
    return Figure(name=name, value=exp(middle), lower=exp(middle - below), upper=exp(middle + above))
