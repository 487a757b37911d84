"""Gates a team has decided to live with for a while: not red, but named; and never without end or unnoticed."""

import datetime
import re

import pytest
from scripted_project import Project, same

from pytest_whisperq.plugin import preflight

SIZE = "size/scripted:int8"
ACCURACY = "accuracy/scripted:int8"
# Of five clips: the size fails and the accuracy is inconclusive.
TESTS = """
import pytest

@pytest.mark.whisperq_size(max_ratio=0.5)
def test_size():
    pass

@pytest.mark.whisperq_accuracy
def test_accuracy():
    pass
"""


def waive(project: Project, *ids: str, expires: str = "2999-12-31", test: str = "") -> None:
    extra = f'test = "{test}"\n' if test else ""
    text = "".join(
        f'[[waiver]]\nid = "{name}"\nreason = "fixed in 2.1"\nexpires = {expires}\n{extra}\n' for name in ids
    )
    (project.pytester.path / "waivers.toml").write_text(text)


def prepare(project: Project, text: str = TESTS) -> Project:
    project.record(5, int8=same)
    project.pytester.makepyfile(text)
    return project


def run(project: Project, *arguments: str) -> pytest.RunResult:
    return project.run("--whisperq-waivers=waivers.toml", *arguments)


def test_waived_gates_are_green_but_keep_their_verdicts(any_project: Project) -> None:
    prepare(any_project)
    waive(any_project, SIZE, ACCURACY)
    result = run(any_project, "-rx", "--junitxml=out.xml")
    result.assert_outcomes(xfailed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"whisperq: waivers waivers.toml: {SIZE}, {ACCURACY}"])
    result.stdout.fnmatch_lines_random(
        [
            f"XFAIL *::test_size[[]scripted-int8] - {SIZE} FAIL, waived until 2999-12-31: fixed in 2.1",
            f"XFAIL *::test_accuracy[[]scripted-int8] - {ACCURACY} INCONCLUSIVE, waived until 2999-12-31: fixed in 2.1",
        ]
    )
    for check in ("size, % *< 50 *FAIL", "drop, points *< 1 *INCONCLUSIVE"):
        result.stdout.fnmatch_lines([f" {check}", " waived until *2999-12-31 *waived"])
    result.stdout.fnmatch_lines(
        [
            "*= whisperq waivers =*",
            f"{SIZE} FAIL, waived until 2999-12-31: fixed in 2.1",
            f"{ACCURACY} INCONCLUSIVE, waived until 2999-12-31: fixed in 2.1",
        ]
    )
    written = (any_project.pytester.path / "out.xml").read_text()
    assert f'type="pytest.xfail" message="{SIZE} FAIL, waived until 2999-12-31: fixed in 2.1"' in written
    assert "&quot;verdict&quot;: &quot;FAIL&quot;" in written


def test_a_failing_gate_prints_the_id_that_waives_it(project: Project) -> None:
    prepare(project)
    shown = project.run().stdout.str()
    waive(project, *dict.fromkeys(re.findall(r'^  a waiver would name id = "(.*)"$', shown, re.MULTILINE)))
    run(project).assert_outcomes(xfailed=2)


def test_a_waiver_that_matches_nothing_turns_a_green_run_red(any_project: Project) -> None:
    prepare(any_project, TESTS.partition("@pytest.mark.whisperq_accuracy")[0])
    waive(any_project, SIZE, "parity/scripted:int8")
    result = run(any_project)
    result.assert_outcomes(xfailed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            f"{SIZE} FAIL, waived until *",
            f"ERROR *: waiver 2 (parity/scripted:int8): matches nothing; this run reached a verdict on {SIZE}. *",
        ]
    )


def test_a_waiver_of_a_gate_that_passes_turns_any_run_red(project: Project) -> None:
    prepare(project, TESTS.replace("0.5", "2"))
    waive(project, SIZE)
    result = run(project, "-k", "test_size")
    result.assert_outcomes(passed=1, deselected=0 if "-n2" in project._arguments else 1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"ERROR waivers.toml: waiver 1 ({SIZE}): the gate passes; remove the waiver"])
    result.stdout.no_fnmatch_line("waived until*")


def test_a_part_of_the_tests_may_leave_waivers_without_a_gate(any_project: Project) -> None:
    prepare(any_project)
    waive(any_project, SIZE, ACCURACY)
    result = run(any_project, "-k", "test_size")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"waivers.toml: waiver 2 ({ACCURACY}): not needed here, only a part of the tests ran"])


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (["test_part.py::test_accuracy"], "failed=1"),
        (["-x", "test_part.py"], "failed=1"),
        (["--last-failed"], "failed=1"),
        (["--continue-on-collection-errors", "test_part.py", "test_broken.py"], "failed=1, errors=1"),
    ],
    ids=["node id", "stopped", "last failed", "broken module"],
)
def test_other_ways_to_run_a_part(project: Project, arguments: list[str], outcome: str) -> None:
    prepare(project)
    accuracy = "import pytest\n@pytest.mark.whisperq_accuracy\ndef test_accuracy(): pass\n"
    size = "import pytest\n@pytest.mark.whisperq_size(max_ratio=0.5)\ndef test_later(): pass\n"
    project.pytester.makepyfile(
        test_part=accuracy + ("" if "-x" not in arguments else size), test_broken="raise OSError", test_it=size
    )
    waive(project, SIZE)
    if "--last-failed" in arguments:
        project.run("test_part.py")
        arguments = [*arguments, "test_part.py", "test_it.py"]
    result = run(project, *arguments)
    result.assert_outcomes(**{key: int(count) for key, count in re.findall(r"(\w+)=(\d)", outcome)})
    result.stdout.fnmatch_lines([f"waivers.toml: waiver 1 ({SIZE}): not needed here, only a part of the tests ran"])


def test_a_candidate_that_is_not_gated_needs_no_waiver(project: Project) -> None:
    prepare(project)
    waive(project, SIZE, ACCURACY, "size/scripted:int4-sym")
    result = run(project)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*waiver 3 (size/scripted:int4-sym): not needed here, scripted:int4-sym is not gated"])


BOTH = """
import pytest

@pytest.mark.whisperq_size(max_ratio=0.5)
@pytest.mark.whisperq_accuracy
def test_both():
    pass
"""


def test_a_test_is_excused_only_if_all_that_failed_is_waived(project: Project) -> None:
    prepare(project, BOTH)
    waive(project, SIZE)
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "whisperq accuracy gate: INCONCLUSIVE",
            f'  a waiver would name id = "{ACCURACY}"',
            "whisperq size gate: FAIL",
            "  waived until 2999-12-31: fixed in 2.1",
        ]
    )
    assert f'id = "{SIZE}"' not in result.stdout.str()
    waive(project, SIZE, ACCURACY)
    run(project).assert_outcomes(xfailed=1)


def test_what_may_be_skipped_is_skipped_beside_a_waived_gate(project: Project) -> None:
    prepare(project, BOTH)
    waive(project, SIZE)
    result = run(project, "--whisperq-on-inconclusive=skip")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["not certified, and green by *: whisperq accuracy gate*", f"{SIZE} FAIL, waived *"])
    result.stdout.no_fnmatch_line("*whisperq size gate*")


@pytest.mark.parametrize(
    ("then", "outcome"),
    [("", "xfailed"), ("whisperq_gate.accuracy()", "failed"), ("assert not found.worst, 'so'; assert 0", "failed")],
)
def test_what_follows_a_waived_gate_has_to_hold(project: Project, then: str, outcome: str) -> None:
    prepare(project, f"def test_it(whisperq_gate):\n    found = whisperq_gate.size(max_ratio=0.5)\n    {then}\n")
    waive(project, SIZE)
    run(project).assert_outcomes(**{outcome: 1})


def test_what_the_gate_had_to_say_can_be_read(project: Project) -> None:
    prepare(project)
    waive(project, SIZE, ACCURACY)
    result = run(project, "--xfail-tb")
    result.stdout.fnmatch_lines(
        ["*XFAILURES*", "whisperq size gate: FAIL", "  waived until 2999-12-31: fixed in 2.1", "  replay: pytest *"]
    )


def test_an_error_is_not_waived(project: Project) -> None:
    prepare(project)
    (project.model / "scripted.json").write_text('{"float32": {}, "int8": {}}')
    waive(project, SIZE, ACCURACY)
    result = run(project)
    result.assert_outcomes(failed=1, xfailed=1)  # the size needs no script
    result.stdout.fnmatch_lines(
        [
            "whisperq: scripted:float32 at *the script has no text for this clip*",
            f"ERROR waivers.toml: waiver 2 ({ACCURACY}): matches nothing; *",
        ]
    )


TWO = """
import pytest
size = pytest.mark.whisperq_size

@size(max_ratio=0.5)
def test_strict():
    pass

@size(max_ratio=0.9)
def test_other():
    pass
"""


def test_one_of_two_gates_of_a_name_is_named_by_its_test(any_project: Project) -> None:
    prepare(any_project, TWO)
    waive(any_project, SIZE)
    result = run(any_project)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    named = r'several tests judge it; say which is meant: test = "\S*other\S*" or test = "(\S*strict\S*)"$'
    found = re.search(named, result.stdout.str(), re.MULTILINE)
    assert found
    waive(any_project, SIZE, test=found[1])
    result = run(any_project)
    result.assert_outcomes(xfailed=1, failed=1)
    assert "ERROR waivers" not in result.stdout.str()


TWICE = """
import pytest
size = pytest.mark.whisperq_size

@size(max_ratio=0.5)
@size(max_ratio=2)
def test_it():
    pass
"""


def test_two_gates_of_a_name_in_one_test_cannot_be_told_apart(project: Project) -> None:
    prepare(project, TWICE)
    waive(project, SIZE)
    result = run(project)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR *::test_it[[]scripted-int8] judges it 2 times; give each gate a test of *"])


def test_an_expired_waiver_ends_the_run_before_any_gate(any_project: Project) -> None:
    prepare(any_project)
    waive(any_project, SIZE, ACCURACY, expires="2024-02-29")
    result = run(any_project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str() + result.stdout.str()
    assert f"waivers.toml: waiver 1 ({SIZE}): expired on 2024-02-29; waivers.toml: waiver 2 ({ACCURACY}): exp" in text
    assert "; remove the waiver to gate again, or decide anew and set a later day" in text
    assert "whisperq gates" not in text
    assert any_project.transcript_files() == []


def test_a_waiver_holds_on_its_last_day(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(project)
    waive(project, SIZE, ACCURACY, expires="2031-02-28")
    monkeypatch.setattr(preflight, "today", lambda: datetime.date(2031, 2, 28))
    assert run(project).ret == pytest.ExitCode.OK
    monkeypatch.setattr(preflight, "today", lambda: datetime.date(2031, 3, 1))
    assert run(project).ret == pytest.ExitCode.USAGE_ERROR


def test_a_run_without_gates_does_not_mind_an_expired_waiver(project: Project) -> None:
    prepare(project, "def test_plain(): pass\n")
    project.pytester.makeini("[pytest]\nwhisperq_waivers = waivers.toml\n")
    waive(project, SIZE, expires="2024-02-29")
    result = project.run_plain()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*whisperq*waivers*")


def test_a_bad_file_ends_the_run_before_anything_is_collected(project: Project) -> None:
    prepare(project, "raise RuntimeError('collected')\n")
    waive(project, "size/scripted:int9")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str() + result.stdout.str()
    assert "waivers.toml: waiver 1 (size/scripted:int9): unknown precision for scripted 'int9' (did you mean" in text
    assert "collected" not in text
    assert "Traceback" not in text


def test_an_ini_file_names_the_file_beside_it(project: Project) -> None:
    prepare(project)
    (project.pytester.mkdir("settings") / "pytest.ini").write_text("[pytest]\nwhisperq_waivers = waivers.toml\n")
    waive(project, SIZE, ACCURACY)
    (project.pytester.path / "waivers.toml").rename(project.pytester.path / "settings" / "waivers.toml")
    project.run("-c", "settings/pytest.ini", f"--rootdir={project.pytester.path}").assert_outcomes(xfailed=2)


def test_runxfail_runs_without_waivers(project: Project) -> None:
    prepare(project)
    waive(project, SIZE)
    result = run(project, "--runxfail")
    result.assert_outcomes(failed=2)
    assert "waived" not in result.stdout.str()
