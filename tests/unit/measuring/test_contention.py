"""What disturbs a timing is read from where the system counts it; a system that does not count is not an error."""

import os
from pathlib import Path

import pytest

from pytest_whisperq.measuring.contention import ProcessorState, contention, uneven, unseen

QUIET = ProcessorState(waits={"1": 0, "3": 0}, throttled=3, steal=10, total=1000, frequency=2e6)


def system(root: Path, *, wait: int, throttled: int, steal: int, clock: int) -> ProcessorState:
    for name, text in {
        "proc/self/task/7/schedstat": f"123 {wait} 9\n",
        "proc/stat": f"cpu  100 0 50 800 5 0 5 {steal} 0 0\ncpu0 1 1 1 1 1 1 1 1\n",
        "sys/fs/cgroup/cpu.stat": f"usage_usec 5\nnr_periods 9\nnr_throttled {throttled}\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": f"{clock}\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": f"{clock + 1000}\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return ProcessorState.read(root / "proc", root / "sys")


def test_everything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    found = system(tmp_path, wait=77, throttled=4, steal=40, clock=2_000_000)
    assert found == ProcessorState(waits={"7": 77}, throttled=4, steal=40, total=1000, frequency=2_000_500)


def test_the_first_version_of_cgroups_counts_in_another_place(tmp_path: Path) -> None:
    (tmp_path / "sys/fs/cgroup/cpu").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu/cpu.stat").write_text("nr_periods 1\nnr_throttled 6\n")
    assert ProcessorState.read(tmp_path, tmp_path / "sys").throttled == 6


def test_the_quotas_of_all_groups_around_the_process_count(tmp_path: Path) -> None:
    """As under ``systemd-run --scope -p CPUQuota=…``: the root tells of no quota at all."""
    group = tmp_path / "sys/fs/cgroup/user.slice/run-1.scope"
    group.mkdir(parents=True)
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text("0::/user.slice/run-1.scope\n")
    (tmp_path / "sys/fs/cgroup/cpu.stat").write_text("usage_usec 5\n")
    (group / "cpu.stat").write_text("nr_periods 9\nnr_throttled 4\n")
    (group.parent / "cpu.stat").write_text("nr_periods 9\nnr_throttled 2\n")
    assert ProcessorState.read(tmp_path, tmp_path / "sys").throttled == 6


def test_a_system_that_tells_nothing_disturbs_nothing(tmp_path: Path) -> None:
    found = ProcessorState.read(tmp_path, tmp_path)
    assert found == ProcessorState()
    assert contention(found, found, 1.0) == ""


def test_this_system_is_read_without_an_error() -> None:
    assert isinstance(ProcessorState.read(), ProcessorState)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"waits": {"1": 200_000_000}}, ""),  # a fifth of the second
        ({"waits": {"1": 300_000_000}}, "other processes had the processor"),
        ({"waits": {"2": 900_000_000}}, ""),  # a thread that was not there before
        ({"waits": {"1": 200_000_000, "3": 200_000_000}}, ""),  # each of them a fifth
        ({"throttled": 4}, "the container's processor quota was used up"),
        ({"steal": 11, "total": 1010}, ""),  # one tick
        ({"steal": 13, "total": 1100}, "the host gave the processors to others"),
        ({"steal": 13, "total": 1200}, ""),
        ({"frequency": 9e6}, ""),  # it rises under load; see below
    ],
)
def test_what_counts_as_disturbed(change: dict[str, object], reason: str) -> None:
    values = {name: getattr(QUIET, name) for name in ("waits", "throttled", "steal", "total", "frequency")}
    assert contention(QUIET, ProcessorState(**{**values, **change}), 1.0) == reason


@pytest.mark.parametrize(("clocks", "even"), [((2.0e6, 2.1e6), True), ((2.0e6, 2.3e6), False), ((None, 2e6), True)])
def test_runs_of_a_round_are_clocked_alike(clocks: tuple[float | None, float | None], even: bool) -> None:
    assert (uneven([ProcessorState(frequency=clock) for clock in clocks]) == "") is even


def test_what_a_system_does_not_tell_of_is_named() -> None:
    assert unseen(QUIET) == ()
    assert unseen(ProcessorState()) == ("other processes", "the quota", "the host", "the clock")
