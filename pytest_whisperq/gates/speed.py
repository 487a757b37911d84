"""The gate on how fast a candidate is: a ratio measured in this run, never a time from another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp

from pytest_whisperq.gates.footprint import judgement_of
from pytest_whisperq.judging.rule import Outcome, judge
from pytest_whisperq.judging.verdict import TIMES, Check, Figure, Series, Verdict
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.timing import CONTROL_CONFIDENCE, Timing, enough
from pytest_whisperq.models.store import Artifact


def judge_speedup(
    models: tuple[Artifact, Artifact],
    compute_types: tuple[str, str],
    stage: str,
    timing: Timing,
    *,
    min_ratio: float,
    budget: float,
    figures: Sequence[Figure] = (),
    notes: Sequence[str] = (),
    seed: int,
) -> Outcome:
    """Pass when the lower bound of the speedup is above ``min_ratio``; no verdict where the baseline beats itself.

    ``models`` are baseline and candidate, ``compute_types`` what they execute; ``budget`` is what the rounds were
    allowed to take, in seconds.
    """
    baseline, candidate = models
    check = speed_check(stage, timing, min_ratio, budget)
    judgement = judgement_of("speedup", baseline, candidate, (check,), compute_types[1])
    if compute_types[0] != baseline.spec.promised:
        judgement = replace(judgement, baseline=f"{judgement.baseline} → {compute_types[0]}")
    control = _figure(f"{stage} control, {100 * CONTROL_CONFIDENCE:g}%", timing.control)
    own = [f"{stage} over {judgement.baseline}: {len(timing.rounds)} rounds"]
    own += [f"{count} discarded: {reason}" for reason, count in timing.discarded.items()]
    gains = tuple((float(number), exp(one.gain)) for number, one in enumerate(timing.rounds, 1))
    judgement = replace(
        judgement,
        figures=(*control, *figures),
        notes=("; ".join(own), *notes),
        series=(Series(name=f"{stage} speedup", over="round", points=gains),),
        seed=seed,
    )
    return Outcome(judgement=judgement)


def speed_check(stage: str, timing: Timing, min_ratio: float, budget: float) -> Check:
    """Judge one speedup."""
    found = timing.speedup
    name = f"{stage} speedup"
    check = judge(name, found, min_ratio, keep="above", unit=TIMES, utterances=len(timing.rounds))
    more = f"raise --whisperq-timing-budget ({budget:g} s)"
    least, fewest = enough(len(timing.kept)), min(timing.kept.values())
    if fewest < least:
        lost = sum(timing.discarded.values())
        disturbed = f", {lost} were disturbed ({', '.join(timing.discarded)})" if lost else ""
        quiet = "; time on a quieter machine, or with fewer --whisperq-threads" if lost else ""
        where = f" of one of {len(timing.kept)} clips" if len(timing.kept) > 1 else ""
        reason = f"{fewest} undisturbed rounds{where}, {least} are needed{disturbed}; {more}{quiet}"
        return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
    if not timing.is_steady:
        low, high = timing.control.lower, timing.control.upper
        reason = (
            f"the baseline against itself is {low:.2f} … {high:.2f} times as fast: timing cannot be trusted here now; "
            "time on a quieter machine"
        )
        return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
    if check.verdict is Verdict.INCONCLUSIVE:
        return replace(check, reason=f"the limit lies within the bounds of {len(timing.rounds)} rounds; {more}")
    return check


def speed_figure(name: str, timing: Timing) -> tuple[Figure, ...]:
    """Return a speedup that nothing is demanded of, if it could be measured."""
    return _figure(name, timing.speedup)


def _figure(name: str, found: Interval) -> tuple[Figure, ...]:
    if found.value is None:
        return ()
    return (Figure(name=name, value=found.value, lower=found.lower, upper=found.upper),)


def implausible(stages: Mapping[str, Timing]) -> str:
    """Return in words that the pipeline gained more, or less, than its stages allow; "" if it did not.

    What a pipeline does besides (features, language) gains nothing, so that its ratio has to lie between those of its
    stages and 1 (Amdahl).
    """
    found = {name: timing.speedup for name, timing in stages.items()}
    if any(None in (one.lower, one.upper) for one in found.values()):
        return ""
    low = min(1.0, *(found[name].lower or 0.0 for name in ("encoder", "decoder")))
    high = max(1.0, *(found[name].upper or 0.0 for name in ("encoder", "decoder")))
    own = found["pipeline"]
    if (own.upper or 0.0) >= low and (own.lower or 0.0) <= high:
        return ""
    return (
        f"pipeline speedup {own.value:.2f} is outside of what its stages allow ({low:.2f} … {high:.2f}): "
        "look at how much the candidate says"
    )
