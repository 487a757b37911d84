"""What a transcript costs: processor time and joules of the rounds of the speed gate, on models of a known cost."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from pytest_whisperq.gates.energy import cost_check
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring import energy, timing
from pytest_whisperq.measuring.contention import ProcessorState
from pytest_whisperq.measuring.timing import Round, Spent, measure, rounds


def zone(folder: Path, number: str, name: str, microjoules: int) -> None:
    (folder / number).mkdir(parents=True)
    values = {"name": f"{name}\n", "energy_uj": f"{microjoules}\n", "max_energy_range_uj": "10000000\n"}
    for file, value in values.items():
        (folder / number / file).write_text(value)


def test_packages_are_read_and_what_lies_within_them_is_not_counted_twice(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 5)
    zone(tmp_path, "intel-rapl:1", "package-1", 7)
    zone(tmp_path, "intel-rapl:0:0", "core", 3)
    zone(tmp_path, "intel-rapl:2", "psys", 100)
    assert energy.read(tmp_path) == {"intel-rapl:0": (5, 10_000_000), "intel-rapl:1": (7, 10_000_000)}


def test_what_not_all_may_be_read_of_tells_nothing(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 5)
    zone(tmp_path, "intel-rapl:1", "package-1", 7)
    (tmp_path / "intel-rapl:1/energy_uj").unlink()
    assert energy.read(tmp_path) == {}
    assert energy.read(tmp_path / "absent") == {}


def test_joules_of_all_packages_are_added_across_the_end_of_a_counter() -> None:
    before = {"a": (9_000_000, 10_000_000), "b": (1_000_000, 10_000_000)}
    after = {"a": (1_000_000, 10_000_000), "b": (1_500_000, 10_000_000)}
    assert energy.between(before, after) == 2.5
    assert energy.between({}, {}) is None
    assert energy.between(before, {"a": (1, 2)}) is None
    assert energy.between(before, before) is None  # which is no energy of nothing, but a counter that stands


class Machine:
    """A clock, a processor that is busy on so many threads, and a counter of energy."""

    def __init__(self) -> None:
        self.now = self.cpu = self.joules = 0.0

    def work(self, seconds: float, threads: float, watts: float) -> Callable[[int], None]:
        def do(clip: int) -> None:
            self.now += seconds
            self.cpu += seconds * threads
            self.joules += seconds * watts

        return do

    def counters(self) -> energy.Counters:
        return {"package": (round(1e6 * self.joules), 10**15)}

    def rounds(self, baseline: Callable[[int], None], candidate: Callable[[int], None]) -> list[Round]:
        clocks = {"clock": lambda: self.now, "cpu": lambda: self.cpu, "joules": self.counters}
        return list(islice(rounds(baseline, candidate, 2, 7, repeats=3, state=ProcessorState, **clocks), 20))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(timing, "settle", lambda: None)
    return Machine()


def test_twice_as_fast_on_four_times_the_threads_costs_twice_as_much(machine: Machine) -> None:
    done = machine.rounds(machine.work(1.0, 1, 10), machine.work(0.5, 4, 60))
    assert measure(done, confidence=0.95).speedup.value == pytest.approx(2.0)
    costs = measure(done, confidence=0.95, of=lambda one: one.cpu)
    check = cost_check("processor time", costs, 1.0, 20.0)
    assert (check.value, check.verdict) == (pytest.approx(2.0), Verdict.FAIL)
    assert all(one.joules == Spent(*map(pytest.approx, (10, 10, 30, 30))) for one in done)


def test_less_passes_and_its_bounds_are_the_right_way_round(machine: Machine) -> None:
    done = machine.rounds(machine.work(1.0, 2, 10), machine.work(1.0, 1, 10))
    noisy = [replace(one, cpu=Spent(2.0, 2.0, 1.0 + 0.01 * (number % 5), 1.0)) for number, one in enumerate(done)]
    check = cost_check("processor time", measure(noisy, confidence=0.95, of=lambda one: one.cpu), 0.8, 20.0)
    assert check.verdict is Verdict.PASS
    assert None not in (check.lower, check.value, check.upper)
    assert check.lower < check.value < check.upper < 0.52  # type: ignore[operator]
    assert (check.limit, check.keep, check.unit) == (0.8, "below", "of the baseline")


def test_a_machine_that_tells_no_joules_has_rounds_without(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setattr(Machine, "counters", lambda self: {})
    assert all(one.joules is None for one in machine.rounds(machine.work(1, 1, 1), machine.work(1, 1, 1)))


def test_a_baseline_that_costs_less_than_itself_lets_nothing_pass(machine: Machine) -> None:
    done = machine.rounds(machine.work(1.0, 1, 1), machine.work(0.5, 1, 1))
    odd = [replace(one, cpu=Spent(1.2, 1.0, 0.5, 0.5)) for one in done]
    check = cost_check("processor time", measure(odd, confidence=0.95, of=lambda one: one.cpu), 1.0, 20.0)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "the baseline against itself is 1.20 … 1.20 times as cheap" in check.reason
