"""What the process may use: processor quota, versions, processor features."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pytest_whisperq.system.machine import cpu_features, cpu_groups, cpu_quota, peak_memory, reset_peak_memory, versions


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
    assert cpu_features(tmp_path / "none", {}) == "x86_64"


def test_what_keeps_a_runtime_from_instructions_is_a_feature_too(tmp_path: Path) -> None:
    """Else a model built without VNNI would be taken for one built with it, from the same cache."""
    settings = {"ONEDNN_MAX_CPU_ISA": "AVX2", "CT2_FORCE_CPU_ISA": "", "HOME": "x", "ATEN_CPU_CAPABILITY": "default"}
    limits = "ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2"
    assert cpu_features(tmp_path / "none", settings).split(" ", 1)[1] == limits


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
