"""A precision that no runtime has: what it says is gated, and what it would take of time and memory is not."""

from pathlib import Path

import pytest
from scripted_project import GATES, Project, same

from pytest_whisperq.backends.scripted import ScriptedBackend

SUITES = Path(__file__).parents[2] / "suites"


@pytest.fixture
def simulated(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose candidate is simulated."""
    monkeypatch.setattr(ScriptedBackend, "simulated", frozenset({"int8"}))
    project.record(int8=same)
    return project


def test_what_it_says_is_gated_and_it_is_not_exported(simulated: Project) -> None:
    simulated.pytester.makepyfile(GATES)
    result = simulated.run("--whisperq-export=models")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*not exported: scripted:int8: it is simulated, and no runtime computes with it*"])
    assert not (simulated.pytester.path / "models" / "scripted-int8").exists()


@pytest.mark.parametrize("gate", ["speedup()", "memory()", "streaming(max_rtf=1)"])
def test_what_it_would_take_is_refused(simulated: Project, gate: str) -> None:
    simulated.pytester.makepyfile(f"import pytest\n\n@pytest.mark.whisperq_{gate}\ndef test_it(): pass\n")
    result = simulated.run()
    result.assert_outcomes(failed=1)
    told = "scripted:int8 is simulated, and computed in float32: its time and memory are not those of its precision"
    result.stdout.fnmatch_lines([f"*whisperq_{gate.partition('(')[0]}*: {told}; gate what it says and its size, *"])


@pytest.mark.parametrize(("suite", "tests"), [("speed", 3), ("memory", 1)])
def test_the_packaged_suites_leave_it_out_and_say_why(simulated: Project, suite: str, tests: int) -> None:
    result = simulated.run("-rs", str(SUITES / f"{suite}.py"))
    result.assert_outcomes(skipped=tests)
    result.stdout.fnmatch_lines(["*a simulated precision is computed in float32, and has no * of its own*"])
