"""Of a test that is run again, only the last attempt counts: in the table, in the report, in JUnit and for waivers."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_project import Project, catastrophic

from pytest_whisperq.plugin.attempts import Attempts
from pytest_whisperq.plugin.reporting import PROPERTY

pytest.importorskip("pytest_rerunfailures")

FLAKY = """
from pathlib import Path

def test_release(whisperq_gate):
    marks = Path("attempts")
    count = len(marks.read_text()) if marks.exists() else 0
    marks.write_text("x" * (count + 1))
    limits = LIMITS
    whisperq_gate.accuracy(max_drop=limits[min(count, len(limits) - 1)])
    assert count < BROKEN, "the body breaks"
"""
LENIENT, STRICT = 60, 0.5


ALONE, XDIST = ("-p", "no:xdist"), ("-n1",)


@pytest.fixture(params=[pytest.param(ALONE, id="alone"), pytest.param(XDIST, id="xdist", marks=pytest.mark.matrix)])
def flaky(request: pytest.FixtureRequest) -> Project:
    project = Project(request, request.param)
    project.record(60, int8=catastrophic)
    return project


def run(project: Project, limits: list[float], *options: str, broken: int = 99) -> tuple[pytest.RunResult, Any]:
    project.pytester.makepyfile(test_it=FLAKY.replace("LIMITS", str(limits)).replace("BROKEN", str(broken)))
    result = project.run(
        "--reruns=2", "--whisperq-report=out", "--junitxml=j.xml", "--whisperq-early-stop=false", *options
    )
    return result, json.loads((project.pytester.path / "out" / "report.json").read_text())


def test_a_gate_that_passes_in_the_end_passes_everywhere(flaky: Project) -> None:
    result, document = run(flaky, [STRICT, LENIENT])
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1}
    result.stdout.fnmatch_lines(["*drop*PASS*"])
    result.stdout.no_fnmatch_line("*drop*FAIL*")
    assert document["verdict"] == "PASS"
    assert [gate["verdict"] for gate in document["gates"]] == ["PASS"]
    assert document["broken"] == []
    assert len(properties(flaky.pytester.path / "j.xml")) == 1


def test_everything_says_that_there_was_another_attempt_and_what_it_concluded(flaky: Project) -> None:
    """A release that passes by being tried again is one to be looked at."""
    result, document = run(flaky, [STRICT, STRICT, LENIENT])
    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}
    earlier = ["accuracy FAIL", "accuracy FAIL"]
    test = "test_it.py::test_release[scripted-int8]"
    assert document["reruns"] == [{"test": test, "earlier": earlier}]
    line = f"{test} was run 3 times, and only the last counts; before: accuracy FAIL; accuracy FAIL"
    assert result.stdout.lines.count(line) == 1
    folder = flaky.pytester.path
    assert [json.loads(one) for one in properties(folder / "j.xml", "whisperq_earlier")] == [earlier]
    assert line in (folder / "out" / "report.html").read_text()
    said = "was run 3 times, and only the last counts; before: accuracy FAIL; accuracy FAIL."
    assert said in (folder / "out" / "summary.md").read_text()


@pytest.mark.parametrize("has_teardown", [True, False], ids=["16.7", "16.3"])  # of the attempt that is made again
def test_the_last_attempt_keeps_its_judgement_whichever_reports_there_are(has_teardown: bool) -> None:
    attempts = Attempts()

    def report(when: str, outcome: str = "passed") -> Any:
        made = SimpleNamespace(nodeid="test", when=when, outcome=outcome, user_properties=[(PROPERTY, "{}")])
        attempts.pytest_runtest_logreport(made)  # type: ignore[arg-type]
        return made.user_properties

    report("setup")
    report("call", "rerun")
    if has_teardown:
        assert report("teardown") == []
    report("setup")
    report("call")
    assert report("teardown") == [(PROPERTY, "{}")]


def test_a_test_that_was_run_once_says_nothing_of_attempts(flaky: Project) -> None:
    result, document = run(flaky, [LENIENT])
    assert result.parseoutcomes() == {"passed": 1}
    assert document["reruns"] == []
    result.stdout.no_fnmatch_line("*was run*times*")
    assert properties(flaky.pytester.path / "j.xml", "whisperq_earlier") == []


def test_an_attempt_that_reached_no_verdict_is_told_even_where_the_last_reached_none(flaky: Project) -> None:
    broken = "import pytest\n\ndef test_release(whisperq_gate):\n    pytest.fail('no network')\n"
    flaky.pytester.makepyfile(test_it=broken)
    result = flaky.run("--reruns=1", "--whisperq-report=out")
    document = json.loads((flaky.pytester.path / "out" / "report.json").read_text())
    assert [one["earlier"] for one in document["reruns"]] == [["no verdict"]]
    result.stdout.fnmatch_lines(["*test_release*was run 2 times, and only the last counts; before: no verdict"])


@pytest.mark.parametrize("flaky", [ALONE, XDIST], ids=["alone", "xdist"], indirect=True)
def test_a_gate_that_fails_in_the_end_failed(flaky: Project) -> None:
    result, document = run(flaky, [STRICT])
    assert result.parseoutcomes() == {"failed": 1, "rerun": 2}
    assert [gate["verdict"] for gate in document["gates"]] == ["FAIL"]
    assert document["verdict"] == "FAIL"


def test_a_body_that_breaks_in_the_end_is_broken_and_not_judged_by_an_earlier_attempt(flaky: Project) -> None:
    result, document = run(flaky, [LENIENT, STRICT, LENIENT], broken=0)
    assert result.parseoutcomes() == {"failed": 1, "rerun": 2}
    assert [broken["outcome"] for broken in document["broken"]] == ["failed"]
    assert [gate["verdict"] for gate in document["gates"]] == ["PASS"]
    assert document["verdict"] == "FAIL"


def test_a_waiver_that_only_an_earlier_attempt_needed_is_one_too_many(flaky: Project) -> None:
    waiver = '[[waiver]]\nid = "accuracy/scripted:int8"\nreason = "known"\nexpires = 2099-01-01\n'
    (flaky.pytester.path / "waivers.toml").write_text(waiver)
    result, _ = run(flaky, [LENIENT], "--whisperq-waivers=waivers.toml", broken=99)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR *accuracy/scripted:int8*"])


def properties(path: Path, name: str = "whisperq") -> list[str]:
    """Return the judgements in a JUnit file, or other properties."""
    return [str(one.get("value")) for one in ElementTree.parse(path).iter("property") if one.get("name") == name]
