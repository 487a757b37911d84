"""A precision that the machine does not execute: an error that says so, or a gate that is named for what ran."""

import pytest
from scripted_project import GATES, Project, same

from pytest_whisperq.backends.scripted import ScriptedBackend

# A machine that has no int8: the scripted backend runs it as float32.
MACHINE = """
from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber

ScriptedBackend.load = lambda self, precision, directory, threads: ScriptedTranscriber(
    __import__("json").loads((directory / "scripted.json").read_text())[precision], "float32"
)
ScriptedBackend.falls_back = lambda self: {"int8": "this processor has no int8"}
"""


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is made by a conftest, which workers load too; where it runs in this very process it is undone."""
    for name in ("load", "falls_back", "calibrated"):
        monkeypatch.setattr(ScriptedBackend, name, getattr(ScriptedBackend, name))


def on_the_machine(project: Project) -> Project:
    project.record(300, int8=same)
    project.pytester.makepyfile(GATES)
    project.pytester.makeconftest(MACHINE)
    return project


@pytest.fixture
def limited(project: Project, restored: None) -> Project:
    return on_the_machine(project)


@pytest.fixture
def limited_anywhere(any_project: Project, restored: None) -> Project:
    return on_the_machine(any_project)


def test_a_silent_fallback_is_a_failure_that_says_what_to_type(limited: Project) -> None:
    result = limited.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*scripted:int8 was asked for but 'float32' executes here, not 'int8'*--whisperq-allow-fallback*"]
    )


def test_an_allowed_fallback_is_gated_and_shown_as_one(limited_anywhere: Project) -> None:
    result = limited_anywhere.run("--whisperq-allow-fallback")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["scripted:int8 → float32; *"])


def test_the_replay_command_repeats_the_switch(limited: Project) -> None:
    result = limited.run("--whisperq-allow-fallback", "--whisperq-min-exact-match=0.999")
    result.stdout.fnmatch_lines(["*replay: pytest *--whisperq-allow-fallback --whisperq-model model*"])


def test_an_ini_file_may_allow_it(limited: Project) -> None:
    limited.pytester.makeini("[pytest]\nwhisperq_allow_fallback = true\n")
    limited.run().assert_outcomes(passed=2)


def test_all_leaves_out_what_the_machine_does_not_execute(limited: Project) -> None:
    result = limited.run("--whisperq-backend=scripted", "--whisperq-precision=all")
    result.stdout.fnmatch_lines(["whisperq: left out scripted:int8: this processor has no int8"])
    assert "scripted:int8," not in result.stdout.str()


def test_a_bad_calibration_set_ends_the_run_before_any_gate(limited: Project) -> None:
    limited.pytester.makeconftest(
        "from pytest_whisperq.backends.scripted import ScriptedBackend as B\nB.calibrated = {'int8'}"
    )
    result = limited.run("--whisperq-calibration=calls")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str() + result.stdout.str()
    assert "--whisperq-calibration: 32 of 32 clips are evaluated on too" in text
