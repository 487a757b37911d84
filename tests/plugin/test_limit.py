"""Conditions in markers, by the fixture and by the option."""

import json

import pytest
from scripted_project import Project, catastrophic, same, slipping

from pytest_whisperq.config.conditions import EXAMPLE

MARKED = "import pytest\n@pytest.mark.whisperq_limit({})\ndef test_it(): pass\n"


@pytest.fixture
def calls(project: Project) -> Project:
    project.record(int8=slipping, int4_sym=catastrophic)
    return project


def test_a_condition_in_a_marker_passes_one_candidate_and_fails_another(calls: Project) -> None:
    """int8 loses 0.83 points, and int4-sym 16.7."""
    calls.pytester.makepyfile(MARKED.format("'drop<0.5 or (drop<3 and size-ratio<1.1)'"))
    result = calls.run("--whisperq-candidate=scripted:int8,scripted:int4-sym", "--whisperq-report=out")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq limit gate: FAIL",
            "  drop<0.5 or (drop<3 and size-ratio<1.1): FAIL",
            '  a waiver would name id = "limit/scripted:int4-sym"',
            "*drop, points*0.83*< 0.5*INCONCLUSIVE*",
            "*drop, points*0.83*< 3*PASS*",
            "*drop<0.5 or*PASS*",
        ]
    )
    document = json.loads((calls.pytester.path / "out" / "report.json").read_text())
    assert {gate["judgement"]["candidate"]: gate["verdict"] for gate in document["gates"]} == {
        "scripted:int8": "PASS",
        "scripted:int4-sym": "FAIL",
    }
    summary = (calls.pytester.path / "out" / "summary.md").read_text()
    failed = summary.partition("### What did not pass")[2]
    assert "limit/scripted:int4-sym** FAIL: drop&lt;0.5 or (drop&lt;3 and size-ratio&lt;1.1)." in failed
    assert "scripted:int8*" not in failed
    page = (calls.pytester.path / "out" / "report.html").read_text()
    assert "<b>limit</b> drop&lt;0.5 or (drop&lt;3 and size-ratio&lt;1.1) " in page


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            "'dorp<1'",
            f"condition must be a condition such as {EXAMPLE!r}: 'dorp' at column 1 is no quantity (did you mean",
        ),
        ("'drop<1', 'speedup>2'", "takes one value, condition, and else keywords only (got 'speedup>2')"),
        ("'drop<1', condition='drop<2'", "takes one value, condition, and else keywords only (got 'drop<1')"),
        ("when='drop<1'", "unknown keyword 'when'; valid: condition"),
        ("condition=1", "condition must be a condition in quotes, such as"),
    ],
)
def test_what_is_no_condition_ends_the_run_before_anything_is_decoded(
    project: Project, given: str, problem: str
) -> None:
    project.record(5, int8=same)
    project.pytester.makepyfile(MARKED.format(given))
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"::test_it[scripted-int8]: whisperq_limit: {problem}" in result.stderr.str()
    assert not project.transcript_files()


def test_the_fixture_takes_a_condition_and_the_option_is_the_default(calls: Project) -> None:
    calls.pytester.makepyfile(
        "def test_given(whisperq_gate):\n    assert whisperq_gate.limit('drop<3').judgement.condition == 'drop<3'\n"
        "def test_typed(whisperq_gate):\n    assert whisperq_gate.limit().judgement.condition == 'drop<4'\n"
        "def test_shown(whisperq_gate):\n    whisperq_gate.report('limit', condition='drop<0.01')\n"
    )
    calls.run("--whisperq-limit=drop<4.0").assert_outcomes(passed=3)
    missing = calls.run("-k", "typed")
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*whisperq_limit: has no condition; write one, such as *, or give --whisperq-limit*"])


def test_a_nearer_condition_replaces_a_farther_one(calls: Project) -> None:
    limit = "pytest.mark.whisperq_limit"
    calls.pytester.makepyfile(
        f"import pytest\n@{limit}('drop<0.01')\nclass TestIt:\n"
        f"    @{limit}(condition='drop<3')\n    def test_it(self): pass\n"
    )
    calls.run().assert_outcomes(passed=1)


def test_a_condition_that_times_is_skipped_beside_other_workers_and_another_is_not(
    calls: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_whisperq.plugin.timing.company", lambda item: 2)
    monkeypatch.setattr("pytest_whisperq.plugin.gating.company", lambda item: 2)
    calls.pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.whisperq_limit('drop<3 and speedup>2')\ndef test_timed(): pass\n"
        "@pytest.mark.whisperq_limit('drop<3')\ndef test_untimed(): pass\n"
    )
    result = calls.run("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*speed is not timed while 2 xdist workers share the processor*"])


def test_more_of_the_corpus_is_decoded_where_a_condition_cannot_be_told(calls: Project) -> None:
    calls.pytester.makepyfile(MARKED.format("'drop<3 or size-ratio<0.1'"))
    few = ("--whisperq-max-utterances=40", "--whisperq-save=run.json")
    calls.run(*few).assert_outcomes(failed=1)
    calls.run(*few, "--whisperq-on-inconclusive=extend").assert_outcomes(passed=1)
    document = json.loads((calls.pytester.path / "run.json").read_text())
    assert document["corpus"]["utterances"] > 40


def test_a_condition_on_the_drop_compares_with_a_saved_run(calls: Project) -> None:
    calls.pytester.makepyfile(MARKED.format("'drop<3'"))
    calls.run("--whisperq-save=before.json").assert_outcomes(passed=1)
    result = calls.run("--whisperq-compare=before.json", "--whisperq-save=before.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*drop since *PASS*", "whisperq: saved before.json*"])


def test_the_packaged_suite_gates_the_condition_of_the_option(calls: Project, pytestconfig: pytest.Config) -> None:
    suite = pytestconfig.rootpath / "suites" / "limit.py"
    calls.run(str(suite), "--whisperq-limit=drop<3").assert_outcomes(passed=1)
    calls.run(str(suite), "--whisperq-limit=drop<0.01").assert_outcomes(failed=1)
