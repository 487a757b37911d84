"""Which GPU there is, as the driver tells it; tests have none, and a double that answers as cuda.h says."""

import ctypes
from typing import Any

import pytest

from pytest_whisperq.system import machine
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.machine import cpu_features, described, gpu


def test_a_gpu_is_told_by_name_capability_and_what_its_driver_knows(
    driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_GPU_LIBRARIES", ())
    assert gpu(settings={}) == "NVIDIA Double, compute capability 8.9, CUDA 12.4"
    assert described("cuda").startswith(f"{cpu_features()}; NVIDIA Double, ")
    driver.capability, driver.version = (10, 0), 13_000
    assert gpu(settings={}) == "NVIDIA Double, compute capability 10.0, CUDA 13.0"


def test_libraries_and_variables_that_choose_kernels_are_part_of_it(
    driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_GPU_LIBRARIES", ("pytest", "surely-not-installed"))
    told = gpu(settings={"NVIDIA_TF32_OVERRIDE": "0", "CT2_CUDA_ALLOW_FP16": "", "HOME": "/"})
    assert told == (
        f"NVIDIA Double, compute capability 8.9, CUDA 12.4, pytest {pytest.__version__}, NVIDIA_TF32_OVERRIDE=0"
    )


def test_the_cpu_is_described_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked for a GPU")

    monkeypatch.setattr(machine, "gpu", refuse)
    assert described("cpu") == cpu_features()


@pytest.mark.parametrize("code", [100, 803])
def test_a_driver_that_refuses_is_one_message(driver: Any, code: int) -> None:
    driver.code = code
    with pytest.raises(ConfigError, match=f"--whisperq-device: NVIDIA's driver .*CUDA error {code}.*; install"):
        gpu()


def test_so_is_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    with pytest.raises(ConfigError, match=r"\(libcuda\.so\.1: cannot open shared object file\)"):
        gpu()
