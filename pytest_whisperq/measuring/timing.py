"""How much faster one model is than another: paired, interleaved rounds and the ratio they bound.

In a round both models do the same work twice, in a fresh random order, so that whatever drifts (clock frequency,
caches, neighbours) meets both alike. The baseline's second run is the control, which has to be as fast as the first.
The speedup is exp(mean of y), y the mean log time of the baseline's runs less that of the candidate's, its bounds those
of a t test. Processor time and energy of the same runs are bounded in the same way.

Clips take turns, and a candidate may gain on one and lose on another: what is typical of a clip (its median) is taken
off before outliers are sought and put on again afterwards, or the clip on which the candidate loops would be thrown out
as one. What is left is Winsorized by 20 % at each end, with Yuen's deviation (Biometrika 1974): an interrupt in ten
rounds would otherwise outweigh them all.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, floor, log, sqrt
from typing import NamedTuple

from pytest_whisperq.measuring import energy
from pytest_whisperq.measuring.contention import ProcessorState, contention, robbed, uneven
from pytest_whisperq.measuring.intervals import Interval

MIN_ROUNDS, PER_CLIP = 5, 4
"""Fewer undisturbed rounds of a single clip bound nothing; nor do fewer of any of several clips."""

LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280)
"""After so many undisturbed rounds it is seen whether the verdict is clear; and once more when the budget is spent."""

TRIMMED = 0.2
CONTROL_CONFIDENCE = 0.995
"""One-sided; a control that is beyond its bound at this confidence is a machine whose timing cannot be trusted."""

SHORTEST = 0.05
"""Seconds that a contestant should work at a time: a scheduler's time slices are a tenth of it."""

_IDLE, _PATIENCE = 0.25, 0.3

Work = Callable[[int], None]
"""What a contestant does in a round, on the clip of that number."""


class Spent(NamedTuple):
    """What each contestant of a round took of something, such as seconds, both twice."""

    baseline: float
    control: float
    candidate: float
    again: float

    @property
    def before(self) -> float:
        """What the baseline took."""
        return sqrt(self.baseline * self.control)

    @property
    def after(self) -> float:
        """What the candidate took."""
        return sqrt(self.candidate * self.again)

    @property
    def gain(self) -> float:
        """Log of how many times less the candidate took."""
        return log(self.before / self.after)

    @property
    def drift(self) -> float:
        """Log of how many times less the control took: nothing but noise."""
        return log(self.baseline) - log(self.control)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the contestants took on a clip, and what disturbed them.

    ``seconds`` pass on the wall; ``cpu`` are seconds of all threads of this process together; ``joules`` are those of
    the whole machine, None where it does not tell them.
    """

    clip: int
    seconds: Spent
    cpu: Spent
    joules: Spent | None = None
    disturbed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What some rounds say: the speedup, the control's, and how many rounds were kept and discarded, by reason.

    Or how many times less of something else the candidate takes, where `measure` was asked for that.

    ``kept``: clip → its undisturbed rounds, 0 for one whose rounds were all disturbed.
    """

    speedup: Interval
    control: Interval
    rounds: tuple[Round, ...]
    kept: Mapping[int, int]
    discarded: Mapping[str, int]

    @property
    def is_steady(self) -> bool:
        """Whether the baseline is as fast as itself, as far as its bounds can tell."""
        low, high = self.control.lower, self.control.upper
        return low is None or high is None or low <= 1 <= high


def rounds(
    baseline: Work,
    candidate: Work,
    clips: int,
    seed: int,
    *,
    repeats: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    cpu: Callable[[], float] = time.process_time,
    joules: Callable[[], energy.Counters] = energy.read,
    state: Callable[[], ProcessorState] = ProcessorState.read,
) -> Iterator[Round]:
    """Run round after round, as long as one asks; clips take turns, and the order within a round is drawn afresh.

    Each contestant does its work ``repeats`` times in a row; what it takes is that of once.
    """
    draw = random.Random(seed)  # noqa: S311 - an order, not a secret
    number = 0
    while True:
        order = [("baseline", baseline), ("control", baseline), ("candidate", candidate), ("again", candidate)]
        draw.shuffle(order)
        seconds, cpus, taken, why, runs = {}, {}, dict[str, float](), "", []
        for name, work in order:
            settle()
            before, used, spent, start = state(), cpu(), joules(), clock()
            for _ in range(repeats):
                work(number % clips)
            passed = max(clock() - start, 1e-9)
            cpus[name] = max(cpu() - used, 1e-9) / repeats
            if (used_up := energy.between(spent, joules())) is not None:
                taken[name] = used_up / repeats
            runs.append((before, state()))
            why = why or contention(*runs[-1], passed)
            seconds[name] = passed / repeats
        why = why or robbed(runs) or uneven([after for _, after in runs])
        yield Round(
            clip=number % clips,
            seconds=Spent(**seconds),
            cpu=Spent(**cpus),
            joules=Spent(**taken) if len(taken) == len(order) else None,
            disturbed=why,
        )
        number += 1


def settle() -> None:
    """Wait until this process's threads are idle: some runtimes spin for a while, on a processor that others need."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        used, since = time.process_time(), time.perf_counter()
        time.sleep(0.001)
        if time.process_time() - used < _IDLE * (time.perf_counter() - since):
            return


def error_at(look: int, error: float) -> float:
    """Return the part of ``error`` that the look of this number, from 1, may spend: all looks together spend it once.

    Σ 1 / (j(j + 1)) = 1 over all j, so that the number of looks need not be known beforehand.
    """
    return error / (look * (look + 1))


def enough(clips: int) -> int:
    """Return how many undisturbed rounds of each clip it takes for any bound."""
    return PER_CLIP if clips > 1 else MIN_ROUNDS


def looks(clips: int) -> tuple[int, ...]:
    """Return those of `LOOKS` that can be clear: one at fewer rounds than bound anything would spend error for it."""
    return tuple(size for size in LOOKS if size >= clips * enough(clips))


def first_kept(done: Sequence[Round], size: int) -> Sequence[Round]:
    """Return the first rounds, up to the one with which ``size`` were left undisturbed; all, if there are fewer."""
    kept = 0
    for number, one in enumerate(done, 1):
        kept += not one.disturbed
        if kept == size:
            return done[:number]
    return done


def seconds(one: Round) -> Spent:
    """Return what a round took on the wall."""
    return one.seconds


def measure(done: Sequence[Round], *, confidence: float, of: Callable[[Round], Spent] = seconds) -> Timing:
    """Return what rounds say of what ``of`` takes of each, without those that were disturbed.

    Bounds are None unless each clip, heard undisturbed or not, has `enough` rounds; so is the value where one has none.
    """
    left = tuple(one for one in done if not one.disturbed)
    why = [one.disturbed for one in done if one.disturbed]
    clips = [one.clip for one in left]
    kept = {clip: clips.count(clip) for clip in sorted({one.clip for one in done})}
    return Timing(
        speedup=_ratio([of(one).gain for one in left], clips, kept, confidence),
        control=_ratio([of(one).drift for one in left], clips, kept, CONTROL_CONFIDENCE),
        rounds=left,
        kept=kept,
        discarded={reason: why.count(reason) for reason in dict.fromkeys(why)},
    )


def _ratio(logs: Sequence[float], clips: Sequence[int], kept: Mapping[int, int], confidence: float) -> Interval:
    """Return exp of the mean of ``logs`` over clips, which count alike, and its bounds; ``kept`` counts each clip's.

    Each clip takes a degree of freedom. Bounds hold as they should (simulated: 94 to 96 of 100 at 95 %, one clip, two
    or four, 10 to 80 rounds, as many of each or up to seven times as many of one, normal noise or t noise of three
    degrees; 92 to 96 where a tenth of the rounds are eight deviations off).
    """
    import numpy as np
    from scipy.special import stdtrit

    count = len(logs)
    if not all(kept.values()) or not count:
        return Interval(value=None, lower=None, upper=None, confidence=confidence, clusters=count)
    values, of = np.asarray(logs, np.float64), np.asarray(clips)
    typical = {clip: float(np.median(values[of == clip])) for clip in kept}
    rest = values - np.array([typical[clip] for clip in clips])
    cut = floor(TRIMMED * count)
    left = np.sort(rest)[cut : count - cut]
    rest = np.clip(rest, left[0], left[-1])
    mean = float(np.mean([typical[clip] + rest[of == clip].mean() for clip in kept]))
    if min(kept.values()) < enough(len(kept)):
        return Interval(value=exp(mean), lower=None, upper=None, confidence=confidence, clusters=count)
    # Medians lie nearer to their clips' values than the truth does.
    squares = float((rest**2).sum()) * (count / (count + 1 - len(kept))) ** 2
    # A round weighs 1 / (clips * rounds of its clip); 1 where every clip has as many.
    uneven_by = count * sum(1 / size for size in kept.values()) / len(kept) ** 2
    half = float(stdtrit(len(left) - len(kept), confidence))
    half *= sqrt(uneven_by * squares / (len(left) * (len(left) - 1)))
    return Interval(
        value=exp(mean), lower=exp(mean - half), upper=exp(mean + half), confidence=confidence, clusters=count
    )
