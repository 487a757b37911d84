"""Whether something else had the processor while this process was timed."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_whisperq.system.machine import cpu_groups

MAX_WAIT = 0.25
"""Tolerated waiting of any of this process's threads for a processor, as a share of the time that passed.

Threads that hand work to each other wait a little at each handover (up to 0.15 of the time where another processor is
busy); one that shares its processor with somebody waits half of the time.
"""

MAX_STEAL = 0.02
"""Tolerated share of the processors' time that the host of a virtual machine gave to others."""

MAX_CHANGE = 0.1
"""Tolerated relative difference of the mean clock frequency after the runs of a round, which end at full load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorState:
    """What the system counts, at one moment; None or empty where it does not say.

    ``waits``: thread → nanoseconds it was ready and had no processor (``schedstat``); ``throttled``: how often the
    quota of a control group that this process is in stopped it (``cpu.stat``); ``steal`` and ``total``: ticks of all
    processors (``/proc/stat``); ``frequency``: mean clock of those this process may use, in kHz.
    """

    waits: Mapping[str, int] = field(default_factory=dict)
    throttled: int | None = None
    steal: int | None = None
    total: int | None = None
    frequency: float | None = None

    @classmethod
    def read(cls, proc: Path = Path("/proc"), system: Path = Path("/sys")) -> "ProcessorState":
        """Read what this system tells."""
        steal, total = _ticks(proc / "stat")
        return cls(
            waits=_waits(proc / "self" / "task"),
            throttled=_throttled(cpu_groups(proc / "self", system / "fs" / "cgroup")),
            steal=steal,
            total=total,
            frequency=_frequency(system / "devices" / "system" / "cpu"),
        )


def contention(before: ProcessorState, after: ProcessorState, seconds: float) -> str:
    """Return in words what disturbed the ``seconds`` between two states; "" for nothing that the system tells of."""
    # A thread that is gone took its count with it.
    waited = [after.waits[name] - waits for name, waits in before.waits.items() if name in after.waits]
    if max(waited, default=0) > MAX_WAIT * seconds * 1e9:
        return "other processes had the processor"
    if before.throttled is not None and after.throttled is not None and after.throttled > before.throttled:
        return "the container's processor quota was used up"
    return robbed([(before, after)])


def robbed(runs: Sequence[tuple[ProcessorState, ProcessorState]]) -> str:
    """Return in words that the host took time from runs, taken together, between two states each; "" if it did not.

    A run alone may be so short that the one tick it is allowed is a tenth of it.
    """
    stolen = sum((after.steal or 0) - (before.steal or 0) for before, after in runs)
    passed = sum((after.total or 0) - (before.total or 0) for before, after in runs)
    is_more = stolen > max(MAX_STEAL * passed, 1)  # one tick may be of the time before
    return "the host gave the processors to others" if is_more else ""


def uneven(states: Sequence[ProcessorState]) -> str:
    """Return in words that runs which ended in these states were not clocked alike; "" if nothing says so."""
    clocks = [state.frequency for state in states if state.frequency]
    return "the clock frequency changed" if clocks and max(clocks) / min(clocks) - 1 > MAX_CHANGE else ""


def unseen(state: ProcessorState) -> tuple[str, ...]:
    """Return which disturbances this system does not tell of."""
    told = {
        "other processes": bool(state.waits),
        "the quota": state.throttled is not None,
        "the host": state.steal is not None,
        "the clock": state.frequency is not None,
    }
    return tuple(name for name, known in told.items() if not known)


def _waits(tasks: Path) -> dict[str, int]:
    """Source: Documentation/scheduler/sched-stats.rst, the second field of ``/proc/PID/task/TID/schedstat``."""
    waits = {}
    for name in os.listdir(tasks) if tasks.is_dir() else ():
        try:
            waits[name] = int((tasks / name / "schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):  # another system, or a thread that ends just now
            continue
    return waits


def _throttled(groups: Sequence[Path]) -> int | None:
    """Source: Documentation/admin-guide/cgroup-v2.rst; version 1 has the same line."""
    counts: list[int] = []
    for group in groups:
        try:
            lines = (group / "cpu.stat").read_text().splitlines()
            counts += [int(line.split()[1]) for line in lines if line.startswith("nr_throttled")]
        except (OSError, ValueError, IndexError):  # the root of version 2 has none
            continue
    return sum(counts) if counts else None


def _ticks(stat: Path) -> tuple[int | None, int | None]:
    """Return (stolen, all) ticks. Source: proc(5), the first line: user nice system idle iowait irq softirq steal …."""
    try:
        ticks = [int(field) for field in stat.read_text().splitlines()[0].split()[1:9]]
        return ticks[7], sum(ticks)
    except (OSError, ValueError, IndexError):
        return None, None


def _frequency(cpus: Path) -> float | None:
    try:
        numbers = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        files = (cpus / f"cpu{number}" / "cpufreq" / "scaling_cur_freq" for number in numbers)
        rates = [int(path.read_text()) for path in files if path.exists()]
    except (OSError, ValueError):
        return None
    return sum(rates) / len(rates) if rates else None
