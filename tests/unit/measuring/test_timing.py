"""Timing on a clock of our own: planted ratios are found, drift and interrupts are not taken for one."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from pytest_whisperq.measuring import timing
from pytest_whisperq.measuring.contention import ProcessorState
from pytest_whisperq.measuring.timing import LOOKS, Round, Spent, Work, error_at, first_kept, looks, measure, rounds


class Clock:
    """Seconds that pass when work is done: each costs its share, slowed down by what the machine is at."""

    def __init__(self, seed: int = 0, noise: float = 0.0, drift: float = 0.0) -> None:
        self.now, self.calls = 0.0, list[str]()
        self._random, self._noise, self._drift = np.random.default_rng(seed), noise, drift

    def work(self, name: str, seconds: float) -> Work:
        def run(clip: int) -> None:
            slowed = 1 + self._drift * self.now
            self.now += seconds * slowed * math.exp(self._noise * self._random.standard_normal())
            self.calls.append(f"{name}{clip}")

        return run

    def rounds(self, ratio: float, clips: int = 3, repeats: int = 1) -> Iterator[Round]:
        base, own = self.work("base", 1.0), self.work("own", 1.0 / ratio)
        return rounds(
            base, own, clips, 7, repeats=repeats, clock=lambda: self.now, cpu=lambda: 3 * self.now, state=ProcessorState
        )


@pytest.fixture(autouse=True)
def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing spins on a clock of our own."""
    monkeypatch.setattr(timing, "settle", lambda: None)


def of(gain: float, drift: float = 0.0, disturbed: str = "", clip: int = 0) -> Round:
    spent = Spent(math.exp(drift / 2), math.exp(-drift / 2), math.exp(-gain), math.exp(-gain))
    return Round(clip=clip, seconds=spent, cpu=spent, disturbed=disturbed)


def test_an_exact_ratio_is_found() -> None:
    found = measure(list(islice(Clock().rounds(1.25), 12)), confidence=0.95)
    assert found.speedup.value == pytest.approx(1.25)
    assert (found.speedup.lower, found.speedup.upper) == pytest.approx((1.25, 1.25))
    assert found.control.value == pytest.approx(1.0)
    assert found.is_steady


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.6])
def test_bounds_hold_the_planted_ratio_as_often_as_they_say(ratio: float) -> None:
    held = Counter[bool]()
    for seed in range(600):
        found = measure(list(islice(Clock(seed, noise=0.05).rounds(ratio), 20)), confidence=0.95).speedup
        assert found.lower is not None
        assert found.upper is not None
        held[found.lower < ratio] += 1
        held[found.upper > ratio] += 1
    assert 0.93 < held[True] / 1200 < 0.975


def test_drift_is_no_speedup() -> None:
    found = measure(list(islice(Clock(drift=0.01).rounds(1.0), 40)), confidence=0.95)
    assert found.speedup.value == pytest.approx(1.0, abs=0.01)  # one after the other it would be 1.5


def test_an_interrupt_in_every_tenth_round_does_not_move_the_value() -> None:
    logs = [0.1 + 0.01 * math.sin(n) for n in range(30)]
    spoilt = [3.0 if n % 10 == 0 else log for n, log in enumerate(logs)]
    plain, bent = (measure([of(log) for log in each], confidence=0.95).speedup for each in (logs, spoilt))
    assert plain.value == pytest.approx(1.105, abs=0.003)
    assert bent.value == pytest.approx(plain.value, abs=0.005)


def test_every_order_comes_and_a_seed_repeats_it() -> None:
    clock, again = Clock(), Clock()
    list(islice(clock.rounds(1.0, clips=1), 80))
    list(islice(again.rounds(1.0, clips=1), 80))
    assert clock.calls == again.calls
    orders = Counter("".join(call[0] for call in clock.calls[n : n + 4]) for n in range(0, 320, 4))
    assert set(orders) == {"bboo", "bobo", "boob", "oobb", "obob", "obbo"}


def test_clips_take_turns_and_all_contestants_of_a_round_hear_the_same() -> None:
    clock = Clock()
    done = list(islice(clock.rounds(1.0), 6))
    assert [one.clip for one in done] == [0, 1, 2, 0, 1, 2]
    assert [{call[-1] for call in clock.calls[n : n + 4]} for n in range(0, 24, 4)] == [{c} for c in "012012"]


def test_repeated_work_is_counted_once() -> None:
    clock = Clock()
    (one,) = islice(clock.rounds(2.0, repeats=4), 1)
    assert len(clock.calls) == 16
    spent = one.seconds
    assert (spent.baseline, spent.before, spent.candidate, spent.after) == pytest.approx((1.0, 1.0, 0.5, 0.5))
    assert one.cpu.before == pytest.approx(3.0)


def test_a_clip_on_which_the_candidate_loops_is_no_outlier() -> None:
    """Twice as fast on three clips, and ten times as slow on the fourth: 0.5 · 0.5 · 0.5 · 10 is more than 1."""
    done = [of(-math.log(10) if n % 4 == 3 else math.log(2) + 0.001 * (n % 3), clip=n % 4) for n in range(40)]
    found = measure(done, confidence=0.95).speedup
    assert found.value == pytest.approx((2**3 / 10) ** 0.25, rel=0.01)
    assert found.upper is not None
    assert found.upper < 1


def test_disturbed_rounds_do_not_count_and_are_named() -> None:
    done = [of(0.2)] * 6 + [of(-2.0, disturbed="the clock frequency changed")] * 3
    found = measure(done, confidence=0.95)
    assert found.speedup.value == pytest.approx(math.exp(0.2))
    assert len(found.rounds) == 6
    assert dict(found.discarded) == {"the clock frequency changed": 3}


def test_what_disturbs_one_run_disturbs_its_round() -> None:
    states = iter([ProcessorState(waits={"1": n}) for n in (0, 0, 0, 10**9, 0, 0, 0, 0)])
    clock = Clock()
    base, own = clock.work("base", 1.0), clock.work("own", 1.0)
    (one,) = islice(rounds(base, own, 1, 0, clock=lambda: clock.now, state=lambda: next(states)), 1)
    assert one.disturbed == "other processes had the processor"


@pytest.mark.parametrize(("stolen", "why"), [(1, "the host gave the processors to others"), (0, "")])
def test_a_tick_from_every_run_is_too_much_for_a_round(stolen: int, why: str) -> None:
    """Runs of 50 ms on two processors: ten ticks each, of which one alone proves nothing."""
    states = iter([ProcessorState(steal=stolen * (n // 2 + n % 2), total=10 * n) for n in range(8)])
    clock = Clock()
    work = clock.work("work", 1.0)
    (one,) = islice(rounds(work, work, 1, 0, clock=lambda: clock.now, state=lambda: next(states)), 1)
    assert one.disturbed == why


def test_a_round_whose_runs_are_clocked_unevenly_does_not_count() -> None:
    states = iter([ProcessorState(frequency=clock) for clock in (2e6, 2e6, 2e6, 3e6, 2e6, 2e6, 2e6, 2e6)])
    clock = Clock()
    work = clock.work("work", 1.0)
    (one,) = islice(rounds(work, work, 1, 0, clock=lambda: clock.now, state=lambda: next(states)), 1)
    assert one.disturbed == "the clock frequency changed"


@pytest.mark.parametrize(("clips", "least"), [(1, 5), (2, 8), (4, 16)])
def test_each_of_several_clips_needs_its_rounds(clips: int, least: int) -> None:
    done = [of(0.1 + 0.01 * n, clip=n % clips) for n in range(least)]
    assert measure(done, confidence=0.95).speedup.lower is not None
    assert measure(done[:-1], confidence=0.95).speedup.lower is None


def test_a_clip_whose_rounds_are_all_disturbed_is_not_left_out() -> None:
    """Twice as fast on three clips; on the fourth, which the host always interrupts, ten times as slow."""
    done = [of(math.log(0.1 if n % 4 == 3 else 2), clip=n % 4, disturbed="x" if n % 4 == 3 else "") for n in range(40)]
    found = measure(done, confidence=0.95)
    assert (found.speedup.value, found.speedup.lower, found.control.lower) == (None, None, None)
    assert dict(found.kept) == {0: 10, 1: 10, 2: 10, 3: 0}
    seen = [of(one.seconds.gain, clip=one.clip) if number < 12 else one for number, one in enumerate(done)]
    assert measure(seen, confidence=0.95).speedup.value is not None  # three rounds of the fourth
    assert measure(seen, confidence=0.95).speedup.lower is None


def test_bounds_hold_where_most_rounds_are_of_one_clip() -> None:
    draw, held = np.random.default_rng(5), Counter[bool]()
    for _ in range(1500):
        done = [of(draw.standard_normal(), clip=clip) for clip in (*[0] * 28, *[1, 2, 3] * 4)]
        found = measure(done, confidence=0.95).speedup
        assert found.lower is not None
        assert found.upper is not None
        held[found.lower < 1.0] += 1
        held[found.upper > 1.0] += 1
    assert 0.935 < held[True] / 3000 < 0.965


def test_a_look_sees_its_own_rounds_and_none_beyond() -> None:
    done = [of(0.1), of(0.1, disturbed="x"), of(0.2), of(0.3)]
    assert [len(first_kept(done, size)) for size in (1, 2, 3, 4)] == [1, 3, 4, 4]


@pytest.mark.parametrize(("count", "bounded"), [(0, False), (4, False), (5, True)])
def test_fewer_than_five_rounds_bound_nothing(count: int, bounded: bool) -> None:
    found = measure([of(0.1)] * count, confidence=0.95).speedup
    assert (found.value is None) == (count == 0)
    assert (found.lower is not None, found.upper is not None) == (bounded, bounded)


def test_a_control_that_is_faster_than_itself_is_not_steady() -> None:
    assert not measure([of(0.0, drift=0.2 + 0.001 * n) for n in range(10)], confidence=0.95).is_steady
    assert measure([of(0.0, drift=0.2 * (-1) ** n) for n in range(10)], confidence=0.95).is_steady


@pytest.mark.parametrize(("clips", "first"), [(1, 10), (2, 10), (3, 20), (4, 20), (8, 40)])
def test_no_look_comes_before_there_can_be_bounds(clips: int, first: int) -> None:
    assert looks(clips) == LOOKS[LOOKS.index(first) :]


def test_all_looks_together_spend_the_error_once() -> None:
    spent = [error_at(look, 0.05) for look in range(1, 10_000)]
    assert 0.0499 < sum(spent) < 0.05
    assert spent == sorted(spent, reverse=True)


def test_looking_on_until_it_is_clear_errs_no_oftener_than_it_may() -> None:
    """Two equal models, limit 1.0: a bound above 1 at any look would be a false PASS, below 1 a false FAIL."""
    errors = 0
    for seed in range(400):
        done = list(islice(Clock(seed, noise=0.08).rounds(1.0, clips=1), LOOKS[4]))
        for number, size in enumerate(LOOKS[:5], 1):
            found = measure(done[:size], confidence=1 - error_at(number, 0.05)).speedup
            assert found.lower is not None
            if found.lower > 1.0:
                errors += 1
                break
    assert errors <= 0.05 * 400 + 9  # two standard errors of a binomial share
