"""How much faster one model is than another: paired, interleaved rounds and the ratio they bound.

In a round every contestant does the same work once, in a fresh random order, so that whatever drifts (clock frequency,
caches, neighbours) meets all alike. The baseline runs twice: the second run is the control, which has to be as fast as
the first. The speedup is exp(mean of y) with y = (ln baseline + ln control) / 2 − ln candidate, its bounds those of a t
test on y. Mean and deviation are Yuen's, trimmed by 20 % at each end and Winsorized (Biometrika 1974): one interrupt in
ten rounds would otherwise outweigh them all.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, floor, log, sqrt
from typing import TYPE_CHECKING

from pytest_whisperq.measure.contention import ProcessorState, contention
from pytest_whisperq.measure.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_ROUNDS = 5
"""Fewer undisturbed rounds than this bound nothing."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Seconds that each contestant took on a clip, the baseline twice, and what disturbed them."""

    clip: int
    baseline: float
    control: float
    candidate: float
    disturbed: str = ""

    @property
    def gain(self) -> float:
        """Log of how many times faster the candidate was."""
        return (log(self.baseline) + log(self.control)) / 2 - log(self.candidate)

    @property
    def drift(self) -> float:
        """Log of how many times faster the control was: nothing but noise."""
        return log(self.baseline) - log(self.control)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What some rounds say: the speedup, the control's, and how many rounds were kept and discarded, by reason."""

    speedup: Interval
    control: Interval
    rounds: tuple[Round, ...]
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
    state: Callable[[], ProcessorState] = ProcessorState.read,
) -> Iterator[Round]:
    """Run round after round, as long as one asks; clips take turns, and the order within a round is drawn afresh.

    Each contestant does its work ``repeats`` times in a row; the seconds are those of once.
    """
    draw = random.Random(seed)  # noqa: S311 - an order, not a secret
    number = 0
    while True:
        order = [("baseline", baseline), ("control", baseline), ("candidate", candidate)]
        draw.shuffle(order)
        seconds, why = {}, ""
        for name, work in order:
            settle()
            before, start = state(), clock()
            for _ in range(repeats):
                work(number % clips)
            passed = max(clock() - start, 1e-9)
            why = why or contention(before, state(), passed)
            seconds[name] = passed / repeats
        yield Round(clip=number % clips, **seconds, disturbed=why)
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


def first_kept(done: Sequence[Round], size: int) -> Sequence[Round]:
    """Return the first rounds, up to the one with which ``size`` were left undisturbed; all, if there are fewer."""
    kept = 0
    for number, one in enumerate(done, 1):
        kept += not one.disturbed
        if kept == size:
            return done[:number]
    return done


def measure(done: Sequence[Round], *, confidence: float) -> Timing:
    """Return what rounds say, without those that were disturbed; bounds are None with fewer than `MIN_ROUNDS`."""
    kept = tuple(one for one in done if not one.disturbed)
    why = [one.disturbed for one in done if one.disturbed]
    return Timing(
        speedup=_ratio([one.gain for one in kept], confidence),
        control=_ratio([one.drift for one in kept], CONTROL_CONFIDENCE),
        rounds=kept,
        discarded={reason: why.count(reason) for reason in dict.fromkeys(why)},
    )


def _ratio(logs: Sequence[float], confidence: float) -> Interval:
    """Return exp of the trimmed mean of ``logs`` and its bounds."""
    import numpy as np
    from scipy.special import stdtrit

    count = len(logs)
    if not count:
        return Interval(value=None, lower=None, upper=None, confidence=confidence, clusters=0)
    values: NDArray[np.float64] = np.sort(np.asarray(logs, np.float64))
    cut = floor(TRIMMED * count)
    left = values[cut : count - cut]
    mean = float(left.mean())
    if count < MIN_ROUNDS:
        return Interval(value=exp(mean), lower=None, upper=None, confidence=confidence, clusters=count)
    spread = float(np.clip(values, left[0], left[-1]).std(ddof=1)) * sqrt((count - 1) / (len(left) * (len(left) - 1)))
    half = float(stdtrit(len(left) - 1, confidence)) * spread
    return Interval(
        value=exp(mean), lower=exp(mean - half), upper=exp(mean + half), confidence=confidence, clusters=count
    )
