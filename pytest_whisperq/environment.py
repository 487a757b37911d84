"""What this process may use: processor quota, library versions, processor features."""

import os
import platform
from importlib import metadata
from pathlib import Path

# Instruction sets that change which int8 and bf16 kernels the runtimes pick, and with them the numbers.
_KERNEL_FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimddp", "asimdhp", "i8mm", "bf16", "sve"),
)


def cpu_quota(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many processors this process may really use, at least 1.

    The smaller of the scheduling affinity and the container's quota: runtimes that size their thread pool by the host's
    processor count inside a small container slow down by an order of magnitude (cgroup v2 ``cpu.max``: "quota period";
    version 1 has a file for each, and -1 for no quota).
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = (int(word) for file in files for word in (cgroup / file).read_text().split())
            return max(1, min(affinity, quota // period)) if quota > 0 else affinity
        except (OSError, ValueError, ZeroDivisionError):  # not this version, or "max"
            continue
    return max(1, affinity)


def versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each distribution; "absent" where there is none."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def cpu_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the architecture and the kernel-relevant instruction sets, for example ``x86_64 avx2 avx512_vnni``."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return platform.machine()
    line = next((row for row in text.splitlines() if row.lower().startswith(("flags", "features"))), "")
    flags = set(line.partition(":")[2].split())
    return " ".join([platform.machine(), *(flag for flag in _KERNEL_FLAGS if flag in flags)])


def reset_peak_memory(process: Path = Path("/proc/self")) -> bool:
    """Forget the peak of this process's resident memory, so that the next one can be read; False where it cannot be.

    Source: proc(5), ``clear_refs`` with 5.
    """
    try:
        (process / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory(process: Path = Path("/proc/self")) -> int | None:
    """Return the peak resident memory of this process in bytes (``VmHWM``); None where the system does not say."""
    try:
        lines = (process / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
