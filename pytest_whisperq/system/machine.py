"""What this process may use: processor quota, library versions, features of the processor and of a GPU."""

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pytest_whisperq.system.devices import CPU, OPTION
from pytest_whisperq.system.errors import ConfigError

# Instruction sets that change which kernels the runtimes pick, and with them the numbers.
_KERNEL_FLAGS = (
    *("avx", "fma", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx_vnni_int8"),
    *("avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2", "sme"),
)


_KERNEL_SETTINGS = (
    *("ATEN_CPU_CAPABILITY", "CT2_FORCE_CPU_ISA", "CT2_PACKED_GEMM", "CT2_USE_EXPERIMENTAL_PACKED_GEMM", "CT2_USE_MKL"),
    *("DNNL_CPU_ISA_HINTS", "DNNL_DEFAULT_FPMATH_MODE", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_DISABLE_FAST_MM"),
    *("MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES", "ONEDNN_CPU_ISA_HINTS", "ONEDNN_DEFAULT_FPMATH_MODE"),
    *("ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OV_CPU_LEGACY_ATTN", "OV_CPU_MAX_ISA"),
)
"""Environment variables by which the runtimes choose among the kernels that a processor could run."""


_PROCESS, _CGROUP = Path("/proc/self"), Path("/sys/fs/cgroup")


def cpu_groups(process: Path = _PROCESS, cgroup: Path = _CGROUP) -> list[Path]:
    """Return the folders of the control group a process is in and of all around it; any of them may have a quota.

    Source: cgroups(7): ``/proc/PID/cgroup`` has a line ``0::/PATH`` for version 2, and ``N:CONTROLLERS:/PATH`` for the
    folder of a controller of version 1. What a container shows as its root is always among them.
    """
    return _groups("cpu", process, cgroup)


def _groups(asked: str, process: Path, cgroup: Path) -> list[Path]:
    """Return the folders of version 2, and those of the controller ``asked`` for of version 1."""
    try:
        lines = [line.split(":", 2) for line in (process / "cgroup").read_text().splitlines()]
    except OSError:
        lines = []
    folders = []
    for root, controller in ((cgroup, ""), (cgroup / asked, asked)):
        paths = [path for _, controllers, path in lines if controller in controllers.split(",")]
        parts = [part for part in "".join(paths[:1]).split("/") if part]
        if ".." in parts:  # outside of what this container shows
            parts = []
        folders += [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return folders


def cpu_quota(process: Path = _PROCESS, cgroup: Path = _CGROUP) -> int:
    """Return how many processors this process may really use, at least 1.

    The smallest of the scheduling affinity and the quotas of its control groups: runtimes that size their thread pool
    by the host's processor count inside a small container slow down by an order of magnitude (version 2 has
    ``cpu.max``: "quota period"; version 1 a file for each, and -1 for no quota).
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in cpu_groups(process, cgroup):
        for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            try:
                quota, period = (int(word) for file in files for word in (group / file).read_text().split())
                allowed = min(allowed, quota // period) if quota > 0 else allowed
            except (OSError, ValueError, ZeroDivisionError):  # not this version, or "max"
                continue
    return max(1, allowed)


@cache
def _version(name: str) -> str:
    return metadata.version(name)  # reads a file of hundreds of lines each time


def versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each distribution; "absent" where there is none."""
    by_name = {}
    for name in distributions:
        try:
            by_name[name] = _version(name)
        except metadata.PackageNotFoundError:
            by_name[name] = "absent"
    return by_name


def cpu_features(cpuinfo: Path = Path("/proc/cpuinfo"), settings: Mapping[str, str] = os.environ) -> str:
    """Return what decides which kernels run: ``x86_64 GenuineIntel avx avx2 avx512_vnni CT2_FORCE_CPU_ISA=AVX2``.

    Architecture, maker (MKL and CTranslate2 go by it), instruction sets, and the environment variables that choose
    among kernels. Where the system does not tell instruction sets, the processor's name stands for them.
    """
    try:
        rows = [row.partition(":") for row in cpuinfo.read_text().splitlines()]
    except OSError:
        rows = []
    told: dict[str, str] = {}
    for key, _, value in rows:
        told.setdefault(key.strip().lower(), value.strip())
    flags = (told.get("flags") or told.get("features") or "").split()
    maker = told.get("vendor_id") or told.get("cpu implementer") or ""
    model = told.get("isa") or told.get("cpu") or told.get("model name") or _processor_name()
    known = [maker, *(flag for flag in _KERNEL_FLAGS if flag in flags)] if flags else [model]
    limits = (f"{name}={chosen}" for name in _KERNEL_SETTINGS if (chosen := settings.get(name)))
    return " ".join(filter(None, [platform.machine(), *known, *limits]))


@cache
def _processor_name() -> str:
    """Return the model of the processor: on macOS sysctl(8) tells it, elsewhere the system by itself."""
    if sys.platform != "darwin":
        return platform.processor()
    asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return platform.processor()


_GPU_LIBRARIES = ("nvidia-cublas", "nvidia-cublas-cu12", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13")
"""Distributions of the libraries that choose a GPU's kernels, which a runtime may have beside its own."""

_GPU_SETTINGS = (
    *("CT2_CUDA_ALLOW_BF16", "CT2_CUDA_ALLOW_FP16", "CT2_CUDA_TRUE_FP16_GEMM", "CUBLAS_WORKSPACE_CONFIG"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)
"""Environment variables by which the runtimes choose among the kernels that a GPU could run."""

_MAJOR, _MINOR = 75, 76
"""``CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`` and ``…_MINOR`` of cuda.h."""


def described(device: str) -> str:
    """Return what decides which kernels run on a device: the processor's features, and those of a GPU behind them."""
    return cpu_features() if device == CPU else f"{cpu_features()}; {gpu()}"


def gpu(driver: Any = None, settings: Mapping[str, str] = os.environ) -> str:
    """Return what decides which kernels run on the first GPU: ``NVIDIA L4, compute capability 8.9, CUDA 12.4``.

    The last is the newest that its driver knows. Installed libraries and environment variables that choose among
    kernels follow. ``driver`` is NVIDIA's library, by default the system's.

    Raises `ConfigError` where that does not answer: nobody could tell the figures of two GPUs apart.
    """
    name, number = ctypes.create_string_buffer(256), ctypes.c_int()
    found: list[int] = []
    try:
        driver = driver or ctypes.CDLL("libcuda.so.1")
        device = ctypes.c_int()
        codes = [driver.cuInit(0), driver.cuDeviceGet(ctypes.byref(device), 0)]
        codes.append(driver.cuDeviceGetName(name, len(name), device))
        for attribute in (_MAJOR, _MINOR):
            codes.append(driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device))
            found.append(number.value)
        codes.append(driver.cuDriverGetVersion(ctypes.byref(number)))
        problem = next((f"CUDA error {code}" for code in codes if code), "")
    except (OSError, AttributeError) as error:  # no such library, or another one
        problem = str(error)
    if problem:
        raise ConfigError(
            f"NVIDIA's driver does not tell which GPU this is ({problem})",
            where=OPTION,
            remedy="install the driver, let the container see it, or run on the CPU",
        )
    major, minor = number.value // 1000, number.value % 1000 // 10
    told = [name.value.decode(errors="replace"), f"compute capability {found[0]}.{found[1]}", f"CUDA {major}.{minor}"]
    told += [f"{one} {version}" for one, version in versions(_GPU_LIBRARIES).items() if version != "absent"]
    told += [f"{one}={chosen}" for one in _GPU_SETTINGS if (chosen := settings.get(one))]
    return ", ".join(told)


def reset_peak_memory(process: Path = _PROCESS) -> bool:
    """Forget the peak of this process's resident memory, so that the next one can be read; False where it cannot be.

    Source: proc(5), ``clear_refs`` with 5.
    """
    try:
        (process / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory(process: Path = _PROCESS) -> int | None:
    """Return the peak resident memory of this process in bytes (``VmHWM``); None where the system does not say."""
    try:
        lines = (process / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


_MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, use, and the part of ``memory.stat`` that the system takes back when asked; of version 2 and 1 of cgroups."""


def available_memory(
    process: Path = _PROCESS, cgroup: Path = _CGROUP, meminfo: Path = Path("/proc/meminfo")
) -> int | None:
    """Return how many bytes this process may still take, without swap; None where the system does not say.

    The least of what the machine has left, and what the limits of its control groups leave. Source: proc(5),
    ``MemAvailable``; the kernel's documentation of cgroups, where pages of files that nobody uses count as free.
    """
    left = list(_numbers(meminfo, "MemAvailable:", scale=1024))
    for group in _groups("memory", process, cgroup):
        for limit, use, unused in _MEMORY_FILES:
            allowed, taken = ([*_numbers(group / name), None][0] for name in (limit, use))
            if allowed is not None and taken is not None:
                left.append(max(0, allowed - taken + sum(_numbers(group / "memory.stat", unused))))
    return min(left, default=None)


def _numbers(path: Path, key: str = "", scale: int = 1) -> list[int]:
    """Return the number behind ``key`` in a file of them, or its only one; none where there is none, or "max"."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
        return [scale * int(row[1] if key else row[0]) for row in rows if not key or row[:1] == [key]]
    except (OSError, ValueError, IndexError):
        return []
