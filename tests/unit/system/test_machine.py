"""What the process may use: processor quota, versions, processor features."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pytest_whisperq.system import machine
from pytest_whisperq.system.machine import (
    available_memory,
    cpu_features,
    cpu_groups,
    cpu_quota,
    peak_memory,
    reset_peak_memory,
    versions,
)


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("max 100000\n", 8),
        ("100000 0\n", 8),
        ("", 8),
        ("nonsense", 8),
    ],
)
def test_the_quota_of_the_container_counts_not_the_host(tmp_path: Path, content: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(content, encoding="utf-8")
    assert cpu_quota(tmp_path, tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3), ("-1", 8), ("50000", 1), ("1600000", 8)])
def test_the_quota_of_the_first_version_of_cgroups_counts_too(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(tmp_path, tmp_path) == expected


@pytest.mark.parametrize(
    ("own", "around", "expected"), [("300000 100000", "max 100000", 3), ("max 100000", "200000 100000", 2)]
)
def test_the_quota_of_any_group_around_the_process_counts(tmp_path: Path, own: str, around: str, expected: int) -> None:
    (tmp_path / "cgroup").write_text("0::/user.slice/run-1.scope\n")
    (tmp_path / "user.slice/run-1.scope").mkdir(parents=True)
    (tmp_path / "user.slice/cpu.max").write_text(around)
    (tmp_path / "user.slice/run-1.scope/cpu.max").write_text(own)
    (tmp_path / "cpu.max").write_text("400000 100000")
    assert cpu_quota(tmp_path, tmp_path) == expected


def test_the_first_version_s_own_group_is_that_of_its_controller(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("4:memory:/elsewhere\n2:cpu,cpuacct:/slurm/job_1\n0::/\n")
    group = tmp_path / "cpu/slurm/job_1"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("200000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(tmp_path, tmp_path) == 2


def test_a_group_outside_of_the_container_is_not_sought(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/../../other\n")
    assert cpu_groups(tmp_path, tmp_path / "root") == [tmp_path / "root", tmp_path / "root/cpu"]


def test_without_a_cgroup_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu_quota(tmp_path, tmp_path) == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cpu_quota(tmp_path, tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpu_quota(tmp_path, tmp_path) == 1


def test_versions_tell_the_absent_from_the_installed() -> None:
    assert versions(("pytest", "surely-not-installed")) == {
        "pytest": metadata.version("pytest"),
        "surely-not-installed": "absent",
    }


def test_features_are_those_that_choose_kernels_in_a_fixed_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "model\t: x\nflags\t\t: fpu amx_int8 avx2 sse avx512_vnni\nflags\t: avx_vnni\n", encoding="utf-8"
    )
    assert cpu_features(cpuinfo, {}) == "x86_64 avx2 avx512_vnni amx_int8"
    cpuinfo.write_text("Features\t: fp asimddp i8mm\n", encoding="utf-8")
    assert cpu_features(cpuinfo, {}) == "x86_64 asimddp i8mm"


def test_the_maker_is_a_feature_for_libraries_go_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    for maker in ("GenuineIntel", "AuthenticAMD"):
        cpuinfo.write_text(f"vendor_id\t: {maker}\nmodel name\t: x\nflags\t: avx2\n\nvendor_id\t: other\n")
        assert cpu_features(cpuinfo, {}) == f"x86_64 {maker} avx2"


@pytest.mark.parametrize("cpuinfo", [None, "processor\t: 0\n"])
def test_where_no_instruction_sets_are_told_the_processor_s_name_stands_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str | None
) -> None:
    """Else two kinds of processor would share transcripts, as on macOS and Windows."""
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    for name in ("Apple M1", "Apple M4"):
        monkeypatch.setattr(machine, "_processor_name", lambda name=name: name)
        assert cpu_features(path, {}) == f"arm64 {name}"


def test_a_processor_of_another_family_is_told_by_what_its_cpuinfo_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    (tmp_path / "cpuinfo").write_text("hart\t: 0\nisa\t: rv64imafdcv\n")
    assert cpu_features(tmp_path / "cpuinfo", {}) == "riscv64 rv64imafdcv"


@pytest.mark.parametrize(
    ("system", "answer", "expected"),
    [("darwin", "Apple M1\n", "Apple M1"), ("darwin", None, "arm"), ("win32", "unused", "arm")],
)
def test_only_macos_is_asked_for_the_name_by_a_command(
    monkeypatch: pytest.MonkeyPatch, system: str, answer: str | None, expected: str
) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        if answer is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, answer)

    monkeypatch.setattr(machine.subprocess, "run", run)
    monkeypatch.setattr(machine.sys, "platform", system)
    monkeypatch.setattr("platform.processor", lambda: "arm")
    assert machine._processor_name.__wrapped__() == expected


@pytest.mark.parametrize(
    "name", ["CT2_USE_MKL", "MKL_CBWR", "ONEDNN_DEFAULT_FPMATH_MODE", "OV_CPU_MAX_ISA", "CT2_PACKED_GEMM"]
)
def test_a_variable_that_chooses_kernels_is_in_the_features(name: str) -> None:
    assert cpu_features(settings={name: "1"}) == f"{cpu_features(settings={})} {name}=1"


def test_what_keeps_a_runtime_from_instructions_is_a_feature_too(tmp_path: Path) -> None:
    """Else a model built without VNNI would be taken for one built with it, from the same cache."""
    settings = {"ONEDNN_MAX_CPU_ISA": "AVX2", "CT2_FORCE_CPU_ISA": "", "HOME": "x", "ATEN_CPU_CAPABILITY": "default"}
    limits = "ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2"
    (tmp_path / "cpuinfo").write_text("flags\t: x\n")
    assert cpu_features(tmp_path / "cpuinfo", settings).split(" ", 1)[1] == limits


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells and forgets a peak")
def test_the_peak_of_a_stretch_of_code_is_told_and_forgotten() -> None:
    # In a process of its own: one that ran models keeps freed memory, and takes the block out of that.
    code = """
from pytest_whisperq.system.machine import peak_memory, reset_peak_memory
block = bytearray(b"x" * 200_000_000)
high = peak_memory()
del block
print(reset_peak_memory(), high - peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    is_forgotten, difference = done.stdout.split()
    assert is_forgotten == "True"
    assert int(difference) > 150e6


def test_a_system_that_hides_the_peak_gives_none(tmp_path: Path) -> None:
    assert peak_memory(tmp_path) is None
    assert not reset_peak_memory(tmp_path / "nowhere")


def write_machine(folder: Path, groups: dict[str, str]) -> tuple[Path, Path, Path]:
    """Write a machine with 8 kB left and files of control groups; return what `available_memory` takes."""
    (folder / "meminfo").write_text("MemTotal: 16 kB\nMemAvailable: 8 kB\n")
    for name, content in groups.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder, folder / "groups", folder / "meminfo"


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({}, 8192),
        ({"groups/memory.max": "max\n", "groups/memory.current": "100\n"}, 8192),
        ({"groups/memory.max": "5000\n", "groups/memory.current": "2000\n"}, 3000),
        (
            {
                "groups/memory.max": "5000\n",
                "groups/memory.current": "2000\n",
                "groups/memory.stat": "anon 1\ninactive_file 500\n",
            },
            3500,
        ),
        ({"groups/memory.max": "5000\n", "groups/memory.current": "6000\n"}, 0),
        ({"groups/memory.max": "5000\n"}, 8192),
        (
            {
                "groups/memory/memory.limit_in_bytes": "5000\n",
                "groups/memory/memory.usage_in_bytes": "2000\n",
                "groups/memory/memory.stat": "inactive_file 9\ntotal_inactive_file 500\n",
            },
            3500,
        ),
        (
            {
                "cgroup": "0::/user.slice/run-1.scope\n",
                "groups/user.slice/memory.max": "5000\n",
                "groups/user.slice/memory.current": "1000\n",
                "groups/user.slice/run-1.scope/memory.max": "7000\n",
                "groups/user.slice/run-1.scope/memory.current": "900\n",
            },
            4000,
        ),
    ],
)
def test_the_memory_left_is_the_machine_s_or_what_a_container_leaves(
    tmp_path: Path, groups: dict[str, str], expected: int
) -> None:
    assert available_memory(*write_machine(tmp_path, groups)) == expected


def test_a_system_that_does_not_tell_its_memory_leaves_it_open(tmp_path: Path) -> None:
    assert available_memory(tmp_path, tmp_path, tmp_path / "meminfo") is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_this_machine_has_memory_left() -> None:
    assert (available_memory() or 0) > 2**20
