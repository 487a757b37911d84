"""A run on a GPU: what is said there is kept apart, and a model that lies elsewhere is no model of the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.gates.baselines import timed_against
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.system.errors import ConfigError, DecodeError

StartRun = Callable[..., GateRunner]


def said(run: GateRunner) -> Any:
    return run.session.model(run.config.candidates[0]).transcripts


def test_transcripts_are_those_of_a_device_and_of_that_very_gpu(
    start_run: StartRun, decoded: list[int], scripted_gpu: Any, tmp_path: Path
) -> None:
    cpu, gpu = said(start_run()), said(start_run(device="cuda"))
    assert (cpu.compute_type, gpu.compute_type) == ("int8", "int8")
    assert (str(gpu.spec), gpu.fell_back) == ("scripted:int8 on cuda", False)
    assert cpu.artifact.key == gpu.artifact.key  # what is built does not depend on it
    assert sum(decoded) == 10
    said(start_run(device="cuda"))
    assert sum(decoded) == 10
    scripted_gpu.name = b"NVIDIA Other"
    said(start_run(device="cuda"))
    assert sum(decoded) == 15
    assert len(list((tmp_path / "cache" / "transcripts").glob("*.jsonl"))) == 3


@pytest.mark.usefixtures("scripted_gpu")
@pytest.mark.parametrize("allowed", ["false", "true"])
def test_a_model_that_is_on_the_cpu_after_all_is_refused_whatever_is_allowed(
    start_run: StartRun, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setattr(ScriptedBackend, "load_on", lambda self, device, *rest: self.load(*rest))
    with pytest.raises(
        DecodeError, match="scripted:int8 on cuda was to run on cuda, and its runtime says that it is on cpu"
    ) as told:
        said(start_run(device="cuda", allow_fallback=allowed))
    assert "--whisperq-device" in str(told.value)


@pytest.mark.usefixtures("scripted_gpu")
def test_speed_is_compared_with_the_same_device(start_run: StartRun) -> None:
    run = start_run(device="cuda")
    spec = run.session.spec(run.config.candidates[0])
    assert str(timed_against(run.session, spec, None, "here")) == "scripted:float32 on cuda"
    assert str(timed_against(run.session, spec, "scripted:float32", "here")) == "scripted:float32 on cuda"
    with pytest.raises(ConfigError, match="openvino does not compute on cuda"):
        timed_against(run.session, spec, "openvino:float32", "here")


@pytest.mark.usefixtures("scripted_gpu")
@pytest.mark.parametrize(("gate", "what"), [("memory", "memory"), ("energy", "what a transcript costs")])
def test_what_is_measured_of_the_host_alone_is_refused(start_run: StartRun, gate: str, what: str) -> None:
    run = start_run(device="cuda")
    with pytest.raises(ConfigError, match=f"whisperq_{gate}: {what} is measured of the host alone, and scripted:"):
        run.judge(gate, run.config.candidates[0])
