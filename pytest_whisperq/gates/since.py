"""The accuracy gate against a saved run: a candidate may not fall behind what was accepted before."""

from __future__ import annotations

from dataclasses import replace

from pytest_whisperq.history.comparison import difference
from pytest_whisperq.history.document import CANDIDATE, StoredRun
from pytest_whisperq.judging.rule import Outcome, judge
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.measuring.accuracy import DROP_UNITS, bound_drop


def judge_since(outcome: Outcome, stored: StoredRun, now: StoredRun, *, max_drop: float, confidence: float) -> Outcome:
    """Add a check to an outcome: the drop of its candidate since ``stored``, in points, stays below ``max_drop``.

    Both heard the same sounds, so that the drop is paired by utterance. What cannot be compared (another corpus or
    normalizer, no such candidate) is INCONCLUSIVE and says why. A single candidate of the saved run stands for any.
    """
    judgement = outcome.judgement
    known = stored.models(CANDIDATE)
    only = known if len(stored.named(CANDIDATE)) == 1 else []
    then = only[0] if only and judgement.candidate not in known else judgement.candidate
    name = f"drop since {stored.name}" + ("" if then == judgement.candidate else f" ({then})")
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

    before, after, (then, candidate) = stored.heard, now.heard, candidates
    counts = [(before[key].errors[then], after[key].errors[candidate], after[key].length) for key in after]
    drop = bound_drop(
        np.array(counts, np.float64).reshape(-1, 3), [one.cluster for one in after.values()], confidence=confidence
    )
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
