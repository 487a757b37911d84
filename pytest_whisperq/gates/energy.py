"""The gate on what a transcript costs: processor time, and joules where the machine counts them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.baselines import timed_against
from pytest_whisperq.gates.keywords import Keyword, limit, pair
from pytest_whisperq.gates.on_device import refuse_on_device
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.gates.simulated import refuse_simulated
from pytest_whisperq.gates.speedup import stopwatch_of, unless_doubtful
from pytest_whisperq.judging.rule import Outcome, judge, judgement_of
from pytest_whisperq.judging.verdict import Check, Figure, Verdict
from pytest_whisperq.measuring import energy
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.stopwatch import Stopwatch
from pytest_whisperq.measuring.timing import Round, Spent, Timing
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import DecodeError
from pytest_whisperq.system.machine import cpu_features

_HOUR = 3600


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge processor seconds of the pipeline, and its joules where they are told, in the rounds of the speed gate.

    Processor seconds are those of all threads together: a model that is twice as fast on four times the threads costs
    twice as much.
    """
    refuse_simulated(candidate, GATE.marker)
    refuse_on_device(candidate, GATE.marker, "what a transcript costs")
    spec, watch, budget = session.spec(candidate), session.once(stopwatch_of), session.config.timing_budget
    base = timed_against(session, spec, limits["baseline"], GATE.marker)
    costs: dict[str, Callable[[Round], Spent]] = {"processor time": lambda one: one.cpu}
    if is_told := bool(energy.read()):
        costs["energy"] = _joules
    checks, figures = [], list[Figure]()
    for name, of in costs.items():

        def check(timing: Timing, name: str = name) -> Check:
            return cost_check(name, timing, limits["max_ratio"], budget)

        def is_clear(timing: Timing, check: Callable[[Timing], Check] = check) -> bool:
            return check(timing).verdict is not Verdict.INCONCLUSIVE

        timing = watch.time(base, spec, "pipeline", is_clear=is_clear, of=of)
        checks.append(check(timing))
        figures += _per_hour(name, watch, base, timing, of)
    artifacts = session.built(base), session.built(spec)
    judgement = judgement_of(GATE.name, *artifacts, tuple(checks), watch.load(spec).compute_type)
    threads = session.config.threads
    notes = [f"{threads} thread{'s' if threads > 1 else ''} each on {cpu_features()}, one clip at a time"]
    if not is_told:
        notes.append("joules are not gated: this system lets nobody read what its processors take (RAPL)")
    judgement = replace(judgement, figures=tuple(figures), notes=tuple(notes), seed=session.config.seed)
    return Outcome(judgement=judgement)


GATE = Gate(
    name="energy",
    summary="transcribing takes less than max_ratio of the baseline's processor time, and of its joules where told",
    keywords={"max_ratio": limit("max_energy_ratio", default=1.0), "baseline": Keyword(pair)},
    run=run,
    is_timed=True,
)


def cost_check(name: str, timing: Timing, max_ratio: float, budget: float) -> Check:
    """Judge what the candidate takes as a share of what the baseline does; ``timing`` is of that cost."""
    gain = timing.speedup
    ratio = Interval(
        value=None if gain.value is None else 1 / gain.value,
        lower=None if gain.upper is None else 1 / gain.upper,
        upper=None if gain.lower is None else 1 / gain.lower,
        confidence=gain.confidence,
        clusters=gain.clusters,
    )
    count = len(timing.rounds)
    check = judge(name, ratio, max_ratio, keep="below", unit="of the baseline", utterances=count)
    return unless_doubtful(check, timing, "cheap", budget)


def _joules(one: Round) -> Spent:
    if one.joules is None:
        raise DecodeError("the counters of energy stopped while it was measured", where=GATE.marker, remedy="run again")
    return one.joules


def _per_hour(
    name: str, watch: Stopwatch, base: ModelSpec, timing: Timing, of: Callable[[Round], Spent]
) -> list[Figure]:
    """Return what an hour of sound takes: of this machine, for people to read."""
    clips = watch.replay_clips(base)
    heard = sum(clips[one.clip].seconds for one in timing.rounds) / _HOUR
    if not heard:
        return []
    unit = "joules" if name == "energy" else "processor seconds"
    before, after = (sum(getattr(of(one), side) for one in timing.rounds) / heard for side in ("before", "after"))
    return [Figure(name=f"{unit} an hour of sound", value=after, baseline=before)]
