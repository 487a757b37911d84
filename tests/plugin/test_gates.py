"""Gates as users meet them: markers, verdicts, failure text, exit codes."""

import re
import shlex

import pytest
from scripted_project import GATES, Project, catastrophic, same, slipping, with_workers


def test_the_original_against_itself_passes_both_gates(any_project: Project) -> None:
    any_project.record(int8=same)
    any_project.pytester.makepyfile(GATES)
    result = any_project.run()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*whisperq gates*", "*scripted:int8, runs int8*", "*drop, points*+0.00*PASS*"])
    assert result.ret == 0


def test_a_candidate_that_is_its_own_baseline_is_named_first(project: Project) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile(GATES)
    told = "whisperq: scripted:int8 is compared with itself, and cannot lose: see --whisperq-baseline"
    own = ("--whisperq-candidate=scripted:int8", "--whisperq-baseline=scripted:int8")
    project.run(*own, "--collect-only").stdout.fnmatch_lines([told])
    project.run("--collect-only").stdout.no_fnmatch_line("*compared with itself*")


@with_workers
def test_a_failure_that_a_body_catches_is_named(any_project: Project) -> None:
    any_project.record(60, int8=catastrophic)
    any_project.pytester.makepyfile(
        """
        import pytest

        def test_control(whisperq_gate):
            with pytest.raises(pytest.fail.Exception):
                whisperq_gate.accuracy()
            whisperq_gate.size(max_ratio=2)
        """
    )
    result = any_project.run()
    assert result.ret == pytest.ExitCode.OK
    named = [line for line in result.outlines if "something caught the failure" in line]
    assert [re.sub(r".*::", "", line) for line in named] == [
        "test_control[scripted-int8] passed, and its accuracy gate did not: something caught the failure"
    ]


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests are a part of pytest from 9.0 on")
@with_workers
def test_what_is_judged_in_a_subtest_is_told_once(any_project: Project) -> None:
    any_project.record(60, int8=catastrophic)
    any_project.pytester.makepyfile(
        """
        def test_parts(whisperq_gate, subtests):
            with subtests.test("first"):
                whisperq_gate.parity(max_divergence=0.01)
            with subtests.test("then"):
                whisperq_gate.size(max_ratio=2)
        """
    )
    result = any_project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str().count(" divergence, %") == 1
    result.stdout.no_fnmatch_line("*something caught the failure*")


def test_xdist_that_is_switched_off_changes_nothing(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n0",))
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    project.run().assert_outcomes(passed=2)


def test_a_catastrophic_candidate_fails_both_gates(any_project: Project) -> None:
    any_project.record(int8=catastrophic)
    any_project.pytester.makepyfile(GATES)
    result = any_project.run("--whisperq-early-stop=false")
    result.assert_outcomes(failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "whisperq accuracy gate: FAIL",
            "  scripted:int8, runs int8; against scripted:float32",
            "  corpus calls: 300 utterances, 1800 words",
            "  WER 0.00 % → 16.67 %",
            "  drop: +16.67 points (must stay below 1); bounds at 95%: +*",
            "    FAIL: even the more favourable bound is not below the limit",
            "  worst 5 utterances (words):",
            "    clip0001.wav  +2  (*metadata.csv:3)",
            "      reference *",
            "      baseline  *",
            "      candidate  [*][*]*",
            "  replay: pytest *",
        ]
    )


def test_too_few_clips_are_inconclusive_and_not_a_pass(project: Project) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile(GATES)
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["whisperq accuracy gate: INCONCLUSIVE", "*the limit lies within the bounds; up to about * would decide"]
    )


def test_keeping_up_with_a_baseline_that_hears_nothing_is_no_pass(project: Project) -> None:
    project.record(int8=lambda index, reference: "", float32=lambda index, reference: "")
    project.pytester.makepyfile(GATES)
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE: the baseline itself gets 100% wrong*"])


def test_transcripts_that_slipped_by_a_row_are_warned_of(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(f"{GATES}\n@pytest.mark.whisperq_language\ndef test_language():\n    pass\n")
    project.run("-q").stdout.no_fnmatch_line("*the baseline itself*")
    table = project.corpus / "metadata.csv"
    head, *rows = [line.split(",") for line in table.read_text().splitlines()]
    slipped = [[row[0], rows[place - 1][1], *row[2:]] for place, row in enumerate(rows)]
    table.write_text("\n".join(map(",".join, [head, *slipped])))
    result = project.run("-q")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["warning: accuracy gate of scripted:int8: the baseline itself gets 8?% wrong, and a candidate can only lose *"]
    )
    assert result.stdout.str().count("the baseline itself") == 1


def test_a_gated_test_runs_its_body_first(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(
        "import pytest\n@pytest.mark.whisperq_accuracy\ndef test_it(whisperq_candidate):\n"
        "    assert whisperq_candidate.artifact.size == 0, 'the body speaks'\n"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the body speaks*"])
    result.stdout.no_fnmatch_line("*whisperq accuracy gate*")


@pytest.mark.parametrize(
    ("marker", "options", "ini", "passes"),
    [
        ("()", (), "", False),  # the default of one point
        ("()", (), "whisperq_max_drop = 2", True),
        ("()", ("--whisperq-max-drop=2",), "whisperq_max_drop = 0.1", True),
        ("(max_drop=2)", ("--whisperq-max-drop=0.1",), "whisperq_max_drop = 0.1", True),
        ("(max_drop=0.1)", ("--whisperq-max-drop=2",), "", False),
    ],
)
def test_marker_beats_command_line_beats_ini_beats_default(
    project: Project, marker: str, options: tuple[str, ...], ini: str, passes: bool
) -> None:
    project.record(int8=slipping)
    project.pytester.makeini(f"[pytest]\n{ini}\n")
    project.pytester.makepyfile(f"import pytest\n@pytest.mark.whisperq_accuracy{marker}\ndef test_it():\n    pass\n")
    result = project.run(*options)
    result.assert_outcomes(passed=int(passes), failed=int(not passes))


@with_workers
def test_a_limit_that_is_typed_and_holds_for_nothing_is_named(any_project: Project) -> None:
    any_project.record(100, int8=same)
    any_project.pytester.makepyfile(GATES)
    (any_project.pytester.path / "terms.txt").write_text("alpha\n")
    options = ("--whisperq-max-drop=3", "--whisperq-max-utterances=100", "--whisperq-limit=size-ratio<0.1")
    result = any_project.run("-q", *options, "--whisperq-min-speedup=9", "--whisperq-terms=terms.txt")
    result.assert_outcomes(passed=2)
    named = [line for line in result.outlines if "holds for nothing here" in line]
    assert named == [
        f"warning: --whisperq-{name} holds for nothing here: no test asks for a gate on {gate}"
        for name, gate in (
            ("terms", "terms"),
            ("max-size-ratio", "size"),
            ("min-speedup", "speedup"),
            ("limit", "limit"),
        )
    ]


def test_a_limit_of_another_test_is_not_named_where_one_is_selected(project: Project) -> None:
    project.record(100, int8=same)
    project.pytester.makepyfile(GATES)
    for selection in (
        ("-k", "parity"),
        ("test_a_limit_of_another_test_is_not_named_where_one_is_selected.py::test_parity",),
    ):
        result = project.run("--whisperq-max-drop=3", *selection)
        assert result.ret == 0
        result.stdout.no_fnmatch_line("*holds for nothing*")


def test_a_marker_on_the_test_overrides_the_one_on_its_class(project: Project) -> None:
    project.record(int8=slipping)
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.whisperq_accuracy(max_drop=0.1)
        class TestModel:
            def test_strict(self):
                pass

            @pytest.mark.whisperq_accuracy(max_drop=5)
            def test_lenient(self):
                pass
        """
    )
    result = project.run("-v")
    result.stdout.fnmatch_lines(["*test_strict*FAILED*", "*test_lenient*PASSED*"])
    result.stdout.fnmatch_lines([" TestModel.test_*", "*< 0.1*FAIL", " TestModel.test_*", "*+0.83*< 5*PASS"])


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_a_marker_on_the_test_overrides_each_of_two_on_its_module(project: Project, places: tuple[int, int]) -> None:
    """Whichever comes first: one of the two gates was lost, and with the strict one the run was green."""
    project.record(int8=slipping)
    both = ("pytest.mark.whisperq_accuracy(max_drop=0.1)", 'pytest.mark.whisperq_accuracy(max_drop=5, metric="cer")')
    project.pytester.makepyfile(
        f"""
        import pytest

        pytestmark = [{", ".join(both[place] for place in places)}]

        @pytest.mark.whisperq_accuracy(drop_type="absolute")
        def test_both():
            pass

        @pytest.mark.whisperq_accuracy(max_drop=3, metric="wer")
        def test_one():
            pass
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines_random([" drop, points *< 0.1 *FAIL", " CER drop, points *< 5 *PASS"])
    assert result.stdout.str().count("< 3 ") == 1


@with_workers
def test_a_gate_that_a_body_names_and_does_not_call_is_no_pass(any_project: Project) -> None:
    any_project.record(5, int8=catastrophic)
    any_project.pytester.makepyfile(
        """
        def test_forgotten(whisperq_gate):
            whisperq_gate.accuracy
            whisperq_gate.report("parity")

        def test_called(whisperq_gate):
            gate = whisperq_gate.accuracy
            gate(max_drop=100)
        """
    )
    result = any_project.run("-rf")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*whisperq: the test names a gate and does not call it, *: write whisperq_gate.accuracy()"]
    )


def test_other_drop_types_and_metrics(project: Project) -> None:
    project.record(int8=slipping)
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.whisperq_accuracy(max_drop=2, drop_type="accuracy-ratio")
        def test_mlperf():
            pass

        @pytest.mark.whisperq_accuracy(max_drop=3, metric="cer")
        def test_characters():
            pass

        @pytest.mark.whisperq_accuracy(max_drop=10, drop_type="relative")
        def test_relative_to_a_perfect_baseline():
            pass
        """
    )
    result = project.run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines_random(["*CER drop, points*", "*INCONCLUSIVE: undefined: the baseline makes no error*"])


def test_the_replay_command_replays(project: Project) -> None:
    project.record(int8=catastrophic)
    (project.pytester.mkdir("sub") / "test_deep.py").write_text(GATES)
    output = project.run("--whisperq-max-drop=2.5").stdout.str()
    replay = re.search(r"replay: (pytest \S*test_deep.py::test_accuracy.*)", output)
    assert replay
    command = shlex.split(replay[1])
    assert "--whisperq-max-drop" in command
    again = project.pytester.runpytest(*command[1:])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*drop: +* points (must stay below 2.5)*"])


@with_workers
def test_two_gates_and_two_workers_decode_every_clip_once(any_project: Project) -> None:
    any_project.record(50, int8=same)
    any_project.pytester.makepyfile(GATES)
    any_project.run()
    files = any_project.transcript_files()
    assert len(files) == 2
    assert all(len(path.read_text().splitlines()) == 1 + 50 for path in files)


def test_a_second_run_builds_and_decodes_nothing(project: Project) -> None:
    project.record(50, int8=same)
    project.pytester.makepyfile(GATES)
    project.run()
    before = {path: path.stat().st_mtime_ns for path in project.pytester.path.glob("cache/**/*") if path.is_file()}
    project.run("--whisperq-normalizer=identity", "--whisperq-max-drop=7")
    after = {path: path.stat().st_mtime_ns for path in project.pytester.path.glob("cache/**/*") if path.is_file()}
    assert before == after


def test_verdicts_reach_the_junit_file(any_project: Project) -> None:
    any_project.record(int8=catastrophic)
    any_project.pytester.makepyfile(GATES)
    any_project.run("--junitxml=out.xml")
    text = (any_project.pytester.path / "out.xml").read_text()
    assert text.count('<property name="whisperq"') == 2
    assert "&quot;verdict&quot;: &quot;FAIL&quot;" in text
