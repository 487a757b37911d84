"""A plainly broken candidate is failed early, in one process and in several, and the gates beside it say so."""

import pytest
from scripted_project import GATES, Project, catastrophic, same

OFF = "--whisperq-early-stop=false decodes all of it"
NOTHING_ELSE = f"what was stopped for its errors tells nothing else; {OFF}"
AT_THE_LIMIT = f"a drop within the limit would ever look like this in less than 1 % of runs; {OFF}"


def decoded(project: Project) -> list[int]:
    """How many clips each model has decoded, fewest first."""
    return sorted(len(path.read_text().splitlines()) - 1 for path in project.transcript_files())


def test_accuracy_fails_early_and_parity_cannot_tell(any_project: Project) -> None:
    any_project.record(int8=catastrophic)
    any_project.pytester.makepyfile(GATES)
    result = any_project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "whisperq parity gate: INCONCLUSIVE",
            "  divergence: * % of words (must stay below 5); bounds at 95%: none … none",
            f"    INCONCLUSIVE: decoding stopped after * of 300 utterances, where accuracy had failed; {NOTHING_ELSE}",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "whisperq accuracy gate: FAIL",
            "  drop: +* points (must stay below 1); bounds at 95%: none … none",
            f"    FAIL: broken beyond doubt after * of 300 utterances in random order: {AT_THE_LIMIT}",
        ]
    )
    assert decoded(any_project)[0] <= 48
    again = any_project.run()
    again.assert_outcomes(failed=2)
    assert _verdicts(again) == _verdicts(result)
    any_project.run("--whisperq-early-stop=false").assert_outcomes(failed=2)
    assert decoded(any_project) == [300, 300]
    assert _verdicts(any_project.run()) == _verdicts(result)


def _verdicts(result: pytest.RunResult) -> list[str]:
    return sorted({line.strip() for line in result.outlines if "FAIL:" in line or "INCONCLUSIVE:" in line})


def test_a_gate_that_is_run_alone_decodes_all(project: Project) -> None:
    project.record(int8=catastrophic)
    project.pytester.makepyfile(GATES)
    result = project.run("-k", "parity")
    result.stdout.fnmatch_lines(["whisperq parity gate: FAIL"])
    assert decoded(project) == [300, 300]


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='x')", "xfail"])
def test_an_accuracy_gate_whose_failure_need_not_show_stops_no_other(project: Project, mark: str) -> None:
    project.record(int8=catastrophic)
    project.pytester.makepyfile(
        GATES.replace("@pytest.mark.whisperq_acc", f"@pytest.mark.{mark}\n@pytest.mark.whisperq_acc")
    )
    result = project.run()
    result.stdout.fnmatch_lines(["whisperq parity gate: FAIL"])


def test_another_candidate_is_not_stopped(project: Project) -> None:
    project.record(int8=catastrophic, int4_sym=same)
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-candidate=scripted:int8,scripted:int4-sym")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["against scripted:float32; corpus calls, 1800 words; *"])


def test_an_ini_file_may_switch_it_off(project: Project) -> None:
    project.record(int8=catastrophic)
    project.pytester.makepyfile(GATES)
    project.pytester.makeini("[pytest]\nwhisperq_early_stop = off\n")
    project.run().stdout.fnmatch_lines(["whisperq parity gate: FAIL", "whisperq accuracy gate: FAIL"])
    assert decoded(project) == [300, 300]


@pytest.mark.parametrize("test", ["", 'test = "test_gates.py::test_accuracy[scripted-int8]"\n'])
def test_an_accuracy_gate_that_is_waived_stops_no_other(project: Project, test: str) -> None:
    project.record(int8=catastrophic)
    project.pytester.makepyfile(test_gates=GATES)
    waiver = f'[[waiver]]\nid = "accuracy/scripted:int8"\nreason = "known"\nexpires = 2090-01-01\n{test}'
    (project.pytester.path / "waivers.toml").write_text(waiver)
    result = project.run("--whisperq-waivers=waivers.toml")
    result.assert_outcomes(failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["whisperq parity gate: FAIL"])
