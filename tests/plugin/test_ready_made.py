"""Models that somebody else converted, as users gate them: by folder, from the command line to the report."""

import json
import shutil
from pathlib import Path

import pytest
from scripted_project import Change, Project, catastrophic, same

from pytest_whisperq.__main__ import main

GATES = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=3)
def test_accuracy(): pass

@pytest.mark.whisperq_size
def test_size(): pass
"""


def deploy(project: Project, name: str, change: Change = same, count: int = 60) -> Path:
    """Make the project's recordings, its checkpoint without int8, and a folder that holds int8 alone."""
    project.record(count, int8=change)
    script = json.loads((project.model / "scripted.json").read_text())
    folder = project.pytester.path / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scripted.json").write_text(json.dumps({"int8": script.pop("int8")}))
    (project.model / "scripted.json").write_text(json.dumps(script))
    return folder


@pytest.fixture
def deployed(project: Project) -> Path:
    project.pytester.makepyfile(GATES)
    return deploy(project, "converted/calls-v3")


def test_a_folder_is_gated_as_it_lies_and_named_everywhere(project: Project, deployed: Path) -> None:
    result = project.run("--whisperq-candidate=scripted@converted/calls-v3", "--whisperq-report=out", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "whisperq: scripted:int8@calls-v3 of model against scripted:float32; *",
            "whisperq: scripted:int8@calls-v3 is gated as it lies in converted/calls-v3",
            "*::test_accuracy?scripted-int8-calls-v3? PASSED*",
            "scripted:int8@calls-v3, runs int8; 0.* MB, converted elsewhere",
        ]
    )
    document = json.loads((project.pytester.path / "out" / "report.json").read_text())
    model = document["models"]["scripted:int8@calls-v3"]
    assert (model["precision"], model["build_seconds"]) == ("int8", None)
    assert "converted elsewhere" in (project.pytester.path / "out" / "report.html").read_text()
    models = (project.pytester.path / "cache").glob("artifacts/*/model/scripted.json")
    assert [path.readlink() for path in models if path.is_symlink()] == [deployed / "scripted.json"]


def test_what_the_folder_holds_now_is_what_is_judged(project: Project, deployed: Path) -> None:
    candidate = "--whisperq-candidate=scripted@converted/calls-v3"
    project.run(candidate).assert_outcomes(passed=2)
    script = json.loads((deployed / "scripted.json").read_text())
    script["int8"] = dict.fromkeys(script["int8"], "nothing of what was said")
    (deployed / "scripted.json").write_text(json.dumps(script))
    project.run(candidate, "-k", "accuracy").assert_outcomes(failed=1)


def test_the_same_folder_may_be_loaded_as_another_precision(project: Project) -> None:
    project.pytester.makepyfile(GATES)
    project.record(60, int8=catastrophic)
    shutil.copytree(project.model, project.pytester.path / "calls-v3")
    result = project.run("--whisperq-candidate=scripted:float32@calls-v3,scripted:int8@calls-v3", "-k", "accuracy")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_accuracy?scripted-int8-calls-v3?*"])


def test_two_workers_gate_it_too(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.pytester.makepyfile(GATES)
    deploy(project, "calls-v3")
    project.run("--whisperq-candidate=scripted@calls-v3").assert_outcomes(passed=2)


def test_a_folder_in_an_ini_file_lies_beside_it(project: Project, deployed: Path) -> None:
    project.pytester.makeini("[pytest]\nwhisperq_candidate = scripted@converted/calls-v3\n")
    elsewhere = project.pytester.mkdir("elsewhere")
    test = elsewhere / "test_it.py"
    test.write_text(GATES)
    paths = [f"--whisperq-{name}={project.pytester.path / name}" for name in ("model",)]
    options = (
        *("-p", "no:xdist", f"--rootdir={project.pytester.path}", f"-c{project.pytester.path / 'tox.ini'}"),
        *(*paths, f"--whisperq-corpus={project.corpus}", f"--whisperq-cache-dir={project.pytester.path / 'cache'}"),
        *("--whisperq-baseline=scripted", str(test)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        result = project.pytester.runpytest_inprocess(*options)
    result.stdout.fnmatch_lines(["scripted:int8@calls-v3, runs int8; *"])


def test_it_is_exported_whole_and_verified(
    project: Project, deployed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = project.run("--whisperq-candidate=scripted@converted/calls-v3", "--whisperq-export=models")
    result.stdout.fnmatch_lines(["*whisperq: exported models/scripted-int8-calls-v3; before deployment: whisperq *"])
    exported = project.pytester.path / "models" / "scripted-int8-calls-v3"
    assert not (exported / "scripted.json").is_symlink()
    shutil.rmtree(deployed)
    assert main(["verify", str(exported)]) == 0
    assert "scripted:int8@calls-v3: sound, as it was gated" in capsys.readouterr().out
    # What was exported is a folder like any other.
    project.run("--whisperq-candidate=scripted@models/scripted-int8-calls-v3").assert_outcomes(passed=2)


def test_a_release_is_compared_with_the_one_before(project: Project) -> None:
    project.pytester.makepyfile(GATES)
    deploy(project, "calls-v3", count=300)
    project.run("--whisperq-candidate=scripted@calls-v3", "--whisperq-save=v3.json").assert_outcomes(passed=2)
    deploy(project, "calls-v4", catastrophic, count=300)
    options = ("--whisperq-candidate=scripted@calls-v4", "--whisperq-compare=v3.json", "-k", "accuracy")
    result = project.run(*options, "--whisperq-early-stop=false")
    result.stdout.fnmatch_lines(["*drop since v3.json (scripted:int8@calls-v3): +*(must stay below 3)*"])


def test_a_waiver_names_it_with_its_folder(project: Project) -> None:
    project.pytester.makepyfile(GATES)
    deploy(project, "calls-v3", catastrophic)
    waiver = 'id = "accuracy/scripted:int8@calls-v3"\nreason = "known"\nexpires = 2099-01-01\n'
    (project.pytester.path / "w.toml").write_text(f"[[waiver]]\n{waiver}")
    result = project.run("--whisperq-candidate=scripted@calls-v3", "--whisperq-waivers=w.toml")
    result.assert_outcomes(passed=1, xfailed=1)


MORE = """
import pytest

@pytest.mark.whisperq_memory
def test_memory(): pass

@pytest.mark.whisperq_speedup(stage="encoder", min_ratio=1.5)
def test_speed(): pass

@pytest.mark.whisperq_determinism
def test_determinism(): pass
"""


@pytest.mark.usefixtures("virtual_time")
def test_memory_speed_and_determinism_are_those_of_the_folder(project: Project) -> None:
    deploy(project, "calls-v3", count=12)
    for folder, seconds in ((project.model, 0.04), (project.pytester.path / "calls-v3", 0.01)):
        script = json.loads((folder / "scripted.json").read_text())
        for texts in script.values():
            texts["seconds"] = {"encoder": seconds, "token": 0.002}
        (folder / "scripted.json").write_text(json.dumps(script))
    project.pytester.makepyfile(MORE)
    result = project.run("--whisperq-candidate=scripted@calls-v3", "--whisperq-timing-budget=6")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*encoder speedup *4.00 … 4.00*> 1.5*PASS", "speedup: encoder over scripted:float32:*"]
    )


OWN = """
from pathlib import Path

from pytest_whisperq.backends import Backend, ReadyMade
from pytest_whisperq.backends.scripted import ScriptedBackend


class Mine(ScriptedBackend):
    name = "mine"

    def look(self, directory: Path) -> ReadyMade | None:
        if not (directory / "scripted.json").is_file():
            return None
        sizes = {"num_mel_bins": 128}
        return ReadyMade(directory=directory, precisions={"int8": "int8"}, files=("scripted.json",), sizes=sizes)


def pytest_whisperq_backends():
    return {"mine": Mine}
"""


def test_a_third_partys_backend_takes_folders_by_one_method(project: Project, deployed: Path) -> None:
    project.pytester.makeconftest(OWN)
    project.run("--whisperq-candidate=mine@converted/calls-v3").assert_outcomes(passed=2)
    (project.model / "config.json").write_text('{"num_mel_bins": 80}')
    result = project.run("--whisperq-candidate=mine@converted/calls-v3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*mine:int8@calls-v3: it was not made of model: num_mel_bins 128 for 80; name the *"])


FALLS_BACK = """
from pytest_whisperq.backends.scripted import ScriptedBackend


class Mine(ScriptedBackend):
    name = "mine"

    def load(self, *given):
        loaded = super().load(*given)
        loaded.compute_type = "float32"
        return loaded


def pytest_whisperq_backends():
    return {"mine": Mine}
"""


def test_what_the_runtime_makes_of_it_is_gated_unless_a_precision_is_demanded(project: Project, deployed: Path) -> None:
    project.pytester.makeconftest(FALLS_BACK)
    result = project.run("--whisperq-candidate=mine@converted/calls-v3", "--whisperq-export=models")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["mine:int8@calls-v3 → float32; *"])
    result.stdout.fnmatch_lines(["*not exported: mine:int8@calls-v3: it ran as float32, which is not what it is"])
    result = project.run("--whisperq-candidate=mine:int8@converted/calls-v3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "*mine:int8@calls-v3 was asked for but 'float32' executes here, not 'int8'; *; have it loaded as another *"
    result.stderr.fnmatch_lines([told])


def test_a_folder_that_is_not_there_ends_the_run_before_anything(project: Project, deployed: Path) -> None:
    result = project.run("--whisperq-candidate=scripted@./converted/calls-v2x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-candidate: *calls-v2x*"])
    assert not (project.pytester.path / "cache").exists()
