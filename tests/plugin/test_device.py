"""--whisperq-device in a whole run: skips and errors without a GPU, and labels with a double of one."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from scripted_project import GATES, Project, same

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends import Backend, ctranslate2
from pytest_whisperq.backends.ctranslate2 import OnGPU
from pytest_whisperq.backends.transformers import TransformersBackend
from pytest_whisperq.plugin import lacking, state

SUITES = Path(__file__).parents[2] / "suites"
GPU = "NVIDIA Double, compute capability 8.9, CUDA 12.4"
CUDA = "--whisperq-device=cuda"


@pytest.fixture
def on_gpu(project: Project, scripted_gpu: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on a machine whose driver tells of a GPU."""
    for name in ("NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pytest_whisperq.system.machine._GPU_LIBRARIES", ())
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    return project


@pytest.fixture
def without(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on a machine that has no GPU, wherever the tests run."""
    for kind in (OnGPU, TransformersBackend):
        monkeypatch.setattr(kind, "lacks", lambda self, device: f"no GPU for {device} here")
    monkeypatch.setattr(ctranslate2, "_unsupported", lambda *_: pytest.fail("asked a GPU that is not there"))
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    return project


def test_without_a_gpu_candidates_of_all_are_skipped_with_the_reason(without: Project) -> None:
    names = ("--whisperq-backend=ctranslate2,transformers", "--whisperq-precision=all")
    result = without.run("-rs", CUDA, "--whisperq-report=report", *names)
    result.assert_outcomes(skipped=20)  # two gates of seven and three precisions
    result.stdout.fnmatch_lines(
        [
            "*no gate reached a verdict: *",
            "ERROR no candidate ran, so that nothing was gated: --whisperq-device cuda: no GPU for cuda here",
            "SKIPPED*--whisperq-device cuda: no GPU for cuda here",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not without.transcript_files()


def test_without_a_gpu_a_run_of_skipped_gates_alone_is_not_green(without: Project) -> None:
    named = (CUDA, "--whisperq-backend=ctranslate2", "--whisperq-precision=all")
    without.pytester.makepyfile(test_other="def test_other(): pass")
    assert without.run(*named, "test_other.py").ret == pytest.ExitCode.OK
    result = without.run(*named)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR no candidate ran, so that nothing was gated: *"])


@pytest.mark.parametrize(
    ("selection", "code"),
    [
        ("scripted-int8 or ctranslate2", pytest.ExitCode.OK),
        ("scripted-int8", pytest.ExitCode.OK),
        ("ctranslate2", pytest.ExitCode.TESTS_FAILED),
        ("ctranslate2 or test_other", pytest.ExitCode.TESTS_FAILED),
        ("test_other", pytest.ExitCode.OK),
    ],
)
def test_what_was_selected_has_to_run(
    project: Project, selection: str, code: pytest.ExitCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(backend: Backend, precision: str, *, is_named: bool) -> str:
        return "" if backend.name == "scripted" else f"nothing of {backend.name} is here"

    monkeypatch.setattr("pytest_whisperq.config.candidates._lacking", missing)
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    project.pytester.makepyfile(test_other="def test_other(): pass")
    result = project.run("--whisperq-backend=scripted,ctranslate2", "--whisperq-precision=all", f"-k{selection}")
    assert result.ret == code
    assert ("no candidate ran" in result.stdout.str()) == (code != pytest.ExitCode.OK)


def test_without_a_gpu_a_pair_that_is_named_ends_the_run(without: Project) -> None:
    result = without.run(CUDA, "--whisperq-candidate=ctranslate2:float16")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --whisperq-device: cuda cannot be used for ctranslate2, *: no GPU for cuda *"])


def test_a_backend_without_a_gpu_path_ends_the_run(project: Project) -> None:
    result = project.run(CUDA)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --whisperq-device: scripted does not compute on cuda; *: ctranslate2, *"])


def test_header_table_and_report_name_the_device(on_gpu: Project) -> None:
    result = on_gpu.run(CUDA, "--whisperq-save=run.json", "--whisperq-report=report", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            f"whisperq: scripted:int8 on cuda of model against scripted:float32 on cuda; * threads on {GPU}",
            "*test_parity?scripted-int8-cuda? PASSED*",
            "*scripted:int8 on cuda*",
        ]
    )
    document = json.loads((on_gpu.pytester.path / "run.json").read_text())
    assert document["environment"]["gpu"] == GPU
    assert document["settings"]["device"] == "cuda"
    assert list(document["models"]) == ["scripted:float32 on cuda", "scripted:int8 on cuda"]
    assert {model["compute_type"] for model in document["models"].values()} == {"float32", "int8"}
    assert not any(model["fell_back"] for model in document["models"].values())
    assert GPU in (on_gpu.pytester.path / "report" / "report.html").read_text()


def test_a_run_on_the_cpu_names_none(on_gpu: Project) -> None:
    result = on_gpu.run("--whisperq-save=run.json")
    assert "cuda" not in result.stdout.str()
    document = json.loads((on_gpu.pytester.path / "run.json").read_text())
    assert "gpu" not in document["environment"]
    assert document["settings"]["device"] == "cpu"


@pytest.mark.parametrize(("first", "then"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_saved_run_of_another_device_is_not_compared_with(on_gpu: Project, first: str, then: str) -> None:
    on_gpu.run(f"--whisperq-device={first}", "--whisperq-save=old.json").assert_outcomes(passed=2)
    result = on_gpu.run(f"--whisperq-device={then}", "--whisperq-compare=old.json")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*drop since old.json*", f"*INCONCLUSIVE: not compared: the device changed: {first}, now {then}; *"]
    )


def test_the_same_device_is_compared(on_gpu: Project) -> None:
    on_gpu.run(CUDA, "--whisperq-save=old.json")
    on_gpu.run(CUDA, "--whisperq-compare=old.json").assert_outcomes(passed=2)


def test_another_gpu_is_told_of_an_exported_model(
    on_gpu: Project, scripted_gpu: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    on_gpu.run(CUDA, "--whisperq-export=models").assert_outcomes(passed=2)
    exported = str(on_gpu.pytester.path / "models" / "scripted-int8-cuda")
    assert main(["verify", exported]) == 0
    assert "GPU" not in capsys.readouterr().out
    scripted_gpu.name = b"NVIDIA Other"
    main(["verify", exported])
    assert f"GPU {GPU}, here NVIDIA Other, " in capsys.readouterr().out
    scripted_gpu.code = 100
    main(["verify", exported])
    assert f"GPU {GPU}, here none" in capsys.readouterr().out


@pytest.mark.parametrize("suite", ["memory", "energy"])
def test_the_packaged_suites_leave_out_what_is_measured_of_the_host(on_gpu: Project, suite: str) -> None:
    result = on_gpu.run("-rs", CUDA, str(SUITES / f"{suite}.py"))
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*only the host's * is measured, and the model computes on cuda"])


@pytest.mark.parametrize("gate", ["memory", "energy"])
def test_and_a_marker_for_it_fails_rather_than_pass(on_gpu: Project, gate: str) -> None:
    on_gpu.pytester.makepyfile(f"import pytest\n\n@pytest.mark.whisperq_{gate}(max_ratio=9)\ndef test_it(): pass\n")
    result = on_gpu.run(CUDA)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*whisperq_{gate}: * measured of the host alone, and scripted:int8 on cuda *"])


def test_speed_names_the_gpu_it_was_measured_on(on_gpu: Project, virtual_time: Any) -> None:
    on_gpu.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_speedup(min_ratio=0.1)\ndef test_it(): pass\n")
    result = on_gpu.run(CUDA, "--whisperq-save=run.json")
    result.assert_outcomes(passed=1)
    (gate,) = json.loads((on_gpu.pytester.path / "run.json").read_text())["gates"]
    assert any(f"; {GPU}, one clip at a time" in note for note in gate["judgement"]["notes"])
    assert gate["judgement"]["baseline"] == "scripted:float32 on cuda"


def test_speed_on_another_gpu_is_not_compared(on_gpu: Project, scripted_gpu: Any, virtual_time: Any) -> None:
    on_gpu.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_speedup(min_ratio=0.1)\ndef test_it(): pass\n")
    on_gpu.run(CUDA, "--whisperq-save=old.json")
    scripted_gpu.name = b"NVIDIA Other"
    on_gpu.run(CUDA, "--whisperq-compare=old.json", "--whisperq-save=new.json")
    notes = json.loads((on_gpu.pytester.path / "new.json").read_text())["gates"][0]["judgement"]["notes"]
    assert any(note.startswith("not compared with old.json: measured on ") and GPU in note for note in notes)


def test_shards_of_another_device_are_of_another_run(on_gpu: Project) -> None:
    for number in (1, 2):
        on_gpu.run(CUDA, f"--whisperq-shard={number}/2", f"--whisperq-save={number}.json")
    assert on_gpu.run("--whisperq-merge=1.json,2.json").ret == pytest.ExitCode.USAGE_ERROR
    on_gpu.run(CUDA, "--whisperq-merge=1.json,2.json").assert_outcomes(passed=2)


def test_a_driver_that_does_not_tell_which_gpu_it_has_ends_the_run(on_gpu: Project, scripted_gpu: Any) -> None:
    scripted_gpu.code = 100
    result = on_gpu.run(CUDA)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "--whisperq-device: NVIDIA's driver does not tell which GPU this is (CUDA error 100); install the driver, *"
    result.stderr.fnmatch_lines([f"ERROR: {told.replace('(', '?').replace(')', '?')}"])
    assert not on_gpu.transcript_files()


def test_a_skipped_candidate_is_none_that_ran_though_its_name_begins_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a test that is skipped at its setup pytest reports the teardown, too, which passes."""
    candidates = [SimpleNamespace(id="openvino-int8", missing=""), SimpleNamespace(id="o", missing="none here")]
    monkeypatch.setattr(state, "gate_config", lambda _: SimpleNamespace(candidates=candidates))
    run: Any = lacking.NothingRuns(cast("pytest.Config", None))
    session: Any = SimpleNamespace(config=object(), exitstatus=pytest.ExitCode.OK)
    name = "test_gates.py::test_it[openvino-int8-ptq]"
    run.pytest_runtest_logreport(SimpleNamespace(nodeid=name, skipped=True, longrepr=("f", 1, "Skipped: none here")))
    run.pytest_runtest_logreport(SimpleNamespace(nodeid=name, skipped=False, longrepr=None))
    run.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
