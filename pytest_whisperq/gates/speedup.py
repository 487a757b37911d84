"""The gate on how fast a candidate is: a ratio measured in this run, never a time from another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import exp
from statistics import median, quantiles
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.baselines import other_precision, timed_against
from pytest_whisperq.gates.keywords import Keyword, limit, one_of, pair
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.gates.saved_runs import SavedRuns
from pytest_whisperq.gates.simulated import refuse_simulated
from pytest_whisperq.judging.rule import Outcome, baseline_name, judge, judgement_of
from pytest_whisperq.judging.verdict import TIMES, Check, Figure, Series, Verdict
from pytest_whisperq.measuring.contention import ProcessorState, unseen
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.stopwatch import FIRST, STAGES, ReplayClip, Stage, Stopwatch
from pytest_whisperq.measuring.timing import CONTROL_CONFIDENCE, Timing, enough
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import WhisperqError
from pytest_whisperq.system.machine import described

ROUNDS_FOR_TAILS = 20
"""Rounds without which nobody can say what one run in twenty exceeds."""


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge one stage, or all of them together; what the other stages, and another baseline, say is reported.

    ``baseline``: ``BACKEND:PRECISION``; None for the same backend at float32, which shows what the precision gave.
    """
    refuse_simulated(candidate, "whisperq_speedup")
    stage: Stage = limits["stage"]
    min_ratio, spec = limits["min_ratio"], session.spec(candidate)
    watch, budget = session.once(stopwatch_of), session.config.timing_budget
    base = timed_against(session, spec, limits["baseline"], GATE.marker)

    def is_clear(timing: Timing) -> bool:
        return speed_check(stage, timing, min_ratio, budget).verdict is not Verdict.INCONCLUSIVE

    timing = watch.time(base, spec, stage, is_clear=is_clear)
    timings: dict[str, Timing] = {name: timing if name == stage else watch.time(base, spec, name) for name in STAGES}
    figures = [
        figure for name, one in timings.items() if name != stage for figure in speed_figure(f"{name} speedup", one)
    ]
    figures += _latencies(watch, base, spec, timings)
    threads = session.config.threads
    counts = [len(one.tokens) for one in watch.replay_clips(base)], watch.counts(spec, base)
    notes = [
        f"{threads} thread{'s' if threads > 1 else ''} each on {described(session.config.device)}, one clip at a time",
        f"tokens said about the {len(counts[0])} clips: {sum(counts[0])} → {sum(counts[1])}",
    ]
    if stage != "encoder" and len(timing.kept) < len(counts[0]):
        notes.append(
            f"{stage} timed on {len(timing.kept)} of these clips: rounds take too long for more; raise "
            f"--whisperq-timing-budget ({budget:g} s) to time all"
        )
    if hidden := unseen(ProcessorState.read()):
        notes.append(f"disturbances this system does not tell of: {', '.join(hidden)}")
    if doubt := implausible(timings):
        notes.append(doubt)
    if (other := _other(session, base, spec)) is not None:
        name = baseline_name(other, spec)
        try:
            figures += speed_figure(f"{stage} speedup over {name}", watch.time(other, spec, stage))
        except WhisperqError as error:  # the verdict does not depend on it
            notes.append(f"not timed against {name}: {error}")
    outcome = judge_speedup(
        (session.store.get(base), session.store.get(spec)),
        (watch.load(base).compute_type, watch.load(spec).compute_type),
        stage,
        timing,
        min_ratio=min_ratio,
        budget=budget,
        figures=figures,
        notes=notes,
        seed=session.config.seed,
    )
    return session.once(SavedRuns).speed(outcome)


GATE = Gate(
    name="speedup",
    summary="the candidate is more than min_ratio times as fast as its baseline, in one stage or in all",
    keywords={
        "min_ratio": limit("min_speedup", default=1.0),
        "stage": Keyword(one_of("encoder", "decoder", "pipeline"), default="pipeline"),
        "baseline": Keyword(pair),
    },
    run=run,
    is_timed=True,
)


def stopwatch_of(session: Session) -> Stopwatch:
    """Return what times the models of a run; every gate shares what was timed."""
    return Stopwatch(session.decoder, session.corpus, session.config)


def _other(session: Session, base: ModelSpec, spec: ModelSpec) -> ModelSpec | None:
    """Return the baseline that was not chosen: what quantization gave, or what the whole move gave."""
    both = (other_precision(spec), session.baseline_spec)
    return next((one for one in both if one is not None and one not in (base, spec)), None)


def _latencies(watch: Stopwatch, base: ModelSpec, spec: ModelSpec, timings: Mapping[str, Timing]) -> list[Figure]:
    """Return times that hold on this machine only: for people to read, nothing is ever compared with them."""
    clips, rows = watch.replay_clips(base), list[tuple[str, float, float]]()

    def add(name: str, stage: Timing, of: Callable[[Sequence[float], Sequence[ReplayClip]], float]) -> None:
        if stage.rounds:
            round_clips = [clips[one.clip] for one in stage.rounds]
            before, after = zip(*((one.seconds.before, one.seconds.after) for one in stage.rounds), strict=True)
            rows.append((name, of(before, round_clips), of(after, round_clips)))

    add("encoder, ms a window", timings["encoder"], lambda times, _: 1e3 * median(times))
    add(
        "decoder, ms a token",
        timings["decoder"],
        lambda times, clips: 1e3 * sum(times) / sum(len(one.tokens) for one in clips),
    )
    pipeline = timings["pipeline"]
    add("RTFx", pipeline, lambda times, clips: sum(one.seconds for one in clips) / sum(times))
    add("latency p50, ms", pipeline, lambda times, _: 1e3 * median(times))
    if len(pipeline.rounds) >= ROUNDS_FOR_TAILS:
        add("latency p95, ms", pipeline, lambda times, _: 1e3 * quantiles(times, n=20, method="inclusive")[-1])
    add("time to first token, ms", watch.time(base, spec, FIRST), lambda times, _: 1e3 * median(times))
    rows.append(("load, s", watch.load(base).seconds, watch.load(spec).seconds))
    return [Figure(name=name, value=after, baseline=before) for name, before, after in rows]


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
    counts = [f"{stage} over {judgement.baseline}: {len(timing.rounds)} rounds"]
    counts += [f"{count} discarded: {reason}" for reason, count in timing.discarded.items()]
    gains = tuple((float(number), exp(one.seconds.gain)) for number, one in enumerate(timing.rounds, 1))
    judgement = replace(
        judgement,
        figures=(*control, *figures),
        notes=("; ".join(counts), *notes),
        series=(Series(name=f"{stage} speedup", over="round", points=gains),),
        seed=seed,
    )
    return Outcome(judgement=judgement)


def speed_check(stage: str, timing: Timing, min_ratio: float, budget: float) -> Check:
    """Judge one speedup."""
    check = judge(
        f"{stage} speedup", timing.speedup, min_ratio, keep="above", unit=TIMES, utterances=len(timing.rounds)
    )
    return unless_doubtful(check, timing, "fast", budget)


def unless_doubtful(check: Check, timing: Timing, what: str, budget: float) -> Check:
    """Return a check of rounds without a verdict where these are too few, or the baseline beats itself.

    ``what`` says what was compared: how "fast" both are.
    """
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
            f"the baseline against itself is {low:.2f} … {high:.2f} times as {what}: timing cannot be trusted here "
            "now; time on a quieter machine"
        )
        return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
    if check.verdict is Verdict.INCONCLUSIVE:
        return replace(check, reason=f"the limit lies within the bounds of {len(timing.rounds)} rounds; {more}")
    return check


def speed_figure(name: str, timing: Timing) -> tuple[Figure, ...]:
    """Return a speedup that nothing is demanded of, if it could be measured."""
    return _figure(name, timing.speedup)


def _figure(name: str, interval: Interval) -> tuple[Figure, ...]:
    if interval.value is None:
        return ()
    return (Figure(name=name, value=interval.value, lower=interval.lower, upper=interval.upper),)


def implausible(stages: Mapping[str, Timing]) -> str:
    """Return in words that the pipeline gained more, or less, than its stages allow; "" if it did not.

    What a pipeline does besides (features, language) gains nothing, so that its ratio has to lie between those of its
    stages and 1 (Amdahl).
    """
    speedups = {name: timing.speedup for name, timing in stages.items()}
    if any(None in (one.lower, one.upper) for one in speedups.values()):
        return ""
    low = min(1.0, *(speedups[name].lower or 0.0 for name in ("encoder", "decoder")))
    high = max(1.0, *(speedups[name].upper or 0.0 for name in ("encoder", "decoder")))
    pipeline = speedups["pipeline"]
    if (pipeline.upper or 0.0) >= low and (pipeline.lower or 0.0) <= high:
        return ""
    return (
        f"pipeline speedup {pipeline.value:.2f} is outside of what its stages allow ({low:.2f} … {high:.2f}): "
        "look at how much the candidate says"
    )
