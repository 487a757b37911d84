"""The energy that a machine's processors take, where the system tells it.

Source: Documentation/power/powercap/powercap.rst of Linux. Intel's and AMD's processors count microjoules (RAPL), each
package in a folder ``intel-rapl:N``, whose counter begins anew beyond ``max_energy_range_uj``. Most systems let only
root read it, and virtual machines do not have it.
"""

from collections.abc import Mapping
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")

Counters = Mapping[str, tuple[int, int]]
"""Package → what its counter says, and beyond what it begins anew, in microjoules."""


def read(powercap: Path = POWERCAP) -> Counters:
    """Return the counters of all packages; none where the system does not show every one."""
    counters = {}
    try:
        for zone in powercap.glob("intel-rapl:*"):
            if (zone / "name").read_text().startswith("package"):
                numbers = [int((zone / name).read_text()) for name in ("energy_uj", "max_energy_range_uj")]
                counters[zone.name] = numbers[0], numbers[1]
    except (OSError, ValueError):
        return {}
    return counters


def between(before: Counters, after: Counters) -> float | None:
    """Return the joules between two readings; None where the system tells none, or no counter has moved.

    >>> between({"intel-rapl:0": (9_000_000, 10_000_000)}, {"intel-rapl:0": (1_500_000, 10_000_000)})
    2.5
    """
    if before.keys() != after.keys():
        return None
    moved = sum((now - before[name][0]) % last for name, (now, last) in after.items())
    return moved / 1e6 or None
