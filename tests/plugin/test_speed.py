"""Speed gates as users meet them: beside other workers, in the table, on the packaged suite, on random weights."""

import json
import re
from pathlib import Path

import pytest
from scripted_project import Project, catastrophic, same

from pytest_whisperq.measuring import energy
from pytest_whisperq.system.machine import cpu_features

SPEED = """
import pytest

@pytest.mark.whisperq_speedup(stage="encoder", min_ratio=1.5)
def test_speed():
    pass

@pytest.mark.whisperq_size(max_ratio=2)
def test_size():
    pass
"""


def record(project: Project, encoder: float) -> None:
    """Make a project whose int8 takes so many seconds to encode, and whose float32 takes 40 ms."""
    project.record(12, int8=same)
    script = json.loads((project.model / "scripted.json").read_text())
    script["float32"]["seconds"] = {"encoder": 0.04, "token": 0.002}
    script["int8"]["seconds"] = {"encoder": encoder, "token": 0.002}
    (project.model / "scripted.json").write_text(json.dumps(script))


@pytest.mark.usefixtures("virtual_time")
def test_a_fast_candidate_passes_and_the_table_shows_what_was_measured(project: Project) -> None:
    record(project, 0.01)
    project.pytester.makepyfile(SPEED)
    result = project.run("--whisperq-timing-budget=6")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*encoder speedup *4.00 … 4.00*> 1.5*PASS",
            "*encoder control*1.0*",
            "*decoder speedup*",
            "*RTFx* → *",
            "*time to first*",
            "speedup: encoder over scripted:float32: 10 rounds*",
            "speedup: tokens said about the 4 clips: 24 → 24",
        ]
    )
    flat = " ".join(result.stdout.str().split())  # a processor of many features has its line wrapped
    assert re.search(rf"speedup: \d+ threads? each on {re.escape(cpu_features())}, one clip at a time", flat)


@pytest.mark.usefixtures("virtual_time")
def test_what_a_transcript_costs_is_gated_in_the_same_rounds(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "read", dict)  # of a virtual machine, which tells no joules
    record(project, 0.01)
    gates = "whisperq_gate.energy(max_ratio=0.9)\n    whisperq_gate.energy(max_ratio=0.1)"
    project.pytester.makepyfile(f"def test_cost(whisperq_gate):\n    {gates}\n")
    result = project.run("--whisperq-timing-budget=6")
    result.assert_outcomes(failed=1)
    lines = ["*processor time, % *< 90*PASS*", "*processor time, % *< 10*FAIL*", "energy: joules are not gated*"]
    result.stdout.fnmatch_lines_random([*lines, "*processor seconds an hour of sound: * → *"])


@pytest.mark.usefixtures("virtual_time")
def test_a_slow_candidate_fails_with_the_figures(project: Project) -> None:
    record(project, 0.08)
    project.pytester.makepyfile(SPEED)
    result = project.run("--whisperq-timing-budget=6", "-k", "speed")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq speedup gate: FAIL",
            "  encoder speedup: 0.5* times (must stay above 1.5); bounds at 95%: 0.* … 0.*",
            "  encoder control, 99.5%: 1.00 1.00 … 1.00",
            '  a waiver would name id = "speedup/scripted:int8"',
        ]
    )


def test_beside_other_workers_speed_is_skipped_with_the_reason(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    record(project, 0.01)
    project.pytester.makepyfile(SPEED)
    result = project.run("-rs", project.pytester.path.as_posix())
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED*whisperq: speed is not timed while 2 xdist workers share the processor; run it with -n0"]
    )


def test_a_speed_gate_that_is_skipped_hides_no_other_gate(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.record(60, int8=catastrophic)
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.whisperq_accuracy(max_drop=1)
        @pytest.mark.whisperq_speedup
        def test_both():
            pass
        """
    )
    result = project.run(project.pytester.path.as_posix())
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["whisperq accuracy gate: FAIL"])


@pytest.mark.parametrize(
    "naming",
    [
        "test_it.py",
        pytest.param("test_it.py::test_speed", marks=pytest.mark.matrix),
        pytest.param("--whisperq-min-speedup=1.2", marks=pytest.mark.matrix),
        pytest.param("-mwhisperq_speedup", marks=pytest.mark.matrix),
    ],
)
def test_a_speed_gate_that_was_named_fails_beside_other_workers(request: pytest.FixtureRequest, naming: str) -> None:
    project = Project(request, ("-n2",))
    record(project, 0.01)
    project.pytester.makepyfile(test_it=SPEED)
    result = project.run(naming)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["whisperq: speed is not timed while 2 xdist workers share the processor; *"])


def test_one_worker_is_alone(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n1",))
    record(project, 0.01)
    project.pytester.makepyfile(SPEED)
    result = project.run("--whisperq-timing-budget=1", "-k", "speed")
    outcomes = result.parseoutcomes()  # which of them depends on who else computes here now
    assert outcomes.get("passed", 0) + outcomes.get("failed", 0) == 1
    result.stdout.fnmatch_lines(["*encoder speedup*"])
    result.stdout.no_fnmatch_line("*xdist workers share*")


@pytest.mark.usefixtures("virtual_time")
def test_what_is_only_reported_has_figures_and_no_verdict(project: Project) -> None:
    record(project, 0.08)
    project.pytester.makepyfile(
        """
        import pytest

        def test_speed(whisperq_gate):
            outcome = whisperq_gate.report("speedup", stage="encoder")
            assert outcome.judgement.figures[0].name == "encoder speedup"
            pytest.skip("reported")
        """
    )
    result = project.run("--whisperq-timing-budget=4", "--whisperq-on-inconclusive=skip")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*encoder speedup *0.*"])
    for word in ("FAIL", "INCONCLUSIVE", "not certified"):
        result.stdout.no_fnmatch_line(f"*{word}*")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ("min_ratio=0", "min_ratio must be a ratio above 0, up to 1000"),
        ("stage='all'", "stage must be one of 'encoder', 'decoder', 'pipeline' (got 'all')"),
        ("baseline='transformers'", "baseline must be a pair such as 'transformers:float32'"),
        ("ratio=2", "unknown keyword 'ratio' (did you mean 'min_ratio'?); valid: baseline, min_ratio, stage"),
    ],
)
def test_keywords_are_checked(project: Project, keywords: str, message: str) -> None:
    project.record(12, int8=same)
    project.pytester.makepyfile(f"import pytest\n@pytest.mark.whisperq_speedup({keywords})\ndef test_it(): pass")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*".replace("[", "[[]")])


def test_an_unknown_size_names_the_nearest(project: Project) -> None:
    project.record(12, int8=same)
    project.pytester.makepyfile(SPEED)
    result = project.run("--whisperq-model=random:whisper-tinny")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--whisperq-model: unknown size 'random:whisper-tinny' (did you mean 'random:whisper-tiny'?); valid: *"]
    )


@pytest.mark.usefixtures("virtual_time")
def test_the_packaged_suite_gates_every_stage_of_a_user_s_model(project: Project) -> None:
    record(project, 0.01)
    suite = Path(__file__).parents[2] / "suites" / "speed.py"
    result = project.run(str(suite), "--whisperq-timing-budget=8", "-v")
    result.assert_outcomes(passed=2, failed=1)  # as fast in the decoder is not faster
    result.stdout.fnmatch_lines(["*test_speedup*decoder* FAILED*"])


@pytest.mark.usefixtures("virtual_time")
def test_a_waiver_for_what_is_only_reported_excuses_nothing(project: Project) -> None:
    record(project, 0.08)
    project.pytester.makepyfile("def test_it(whisperq_gate):\n    whisperq_gate.report('speedup', stage='encoder')\n")
    waiver = '[[waiver]]\nid = "speedup/scripted:int8"\nreason = "slow"\nexpires = 2090-01-01\n'
    (project.pytester.path / "waivers.toml").write_text(waiver)
    result = project.run("--whisperq-waivers=waivers.toml", "--whisperq-timing-budget=4")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR *speedup/scripted:int8*"])


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        pytest.param("whisperq_gate.report('speedup')", "passed", marks=pytest.mark.matrix),
        ("whisperq_gate.report('speedup')\n    whisperq_gate.size(max_ratio=0.01)", "failed"),
        pytest.param(
            "figures = whisperq_gate.report('speedup').judgement.figures\n    assert figures[0].value > 2",
            "skipped",
            marks=pytest.mark.matrix,
        ),
        ("whisperq_gate.speedup()", "skipped"),
        pytest.param("whisperq_gate.speedup()\n    assert 1 == 2", "failed", marks=pytest.mark.matrix),
    ],
)
def test_what_comes_after_speed_that_is_not_timed_has_to_hold(
    request: pytest.FixtureRequest, body: str, outcome: str
) -> None:
    project = Project(request, ("-n2",))
    record(project, 0.01)
    project.pytester.makepyfile(f"def test_it(whisperq_gate):\n    {body}\n")
    result = project.run(project.pytester.path.as_posix(), "-rs")
    assert result.parseoutcomes().get(outcome) == 1
    if outcome != "failed":
        result.stdout.fnmatch_lines(["*speed is not timed while 2 xdist workers share the processor*"])


def test_the_controller_tells_the_threads_that_workers_have(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_whisperq.config.settings.cpu_quota", lambda: 8)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    for workers, threads in (("-n2", 4), ("-n0", 8)):
        project = Project(request, (workers,))
        record(project, 0.01)
        project.pytester.makepyfile(SPEED)
        project.run("-k", "size").stdout.fnmatch_lines([f"whisperq: * {threads} threads"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("whisperq_gate.report('speedup')\n    whisperq_gate.speedup()", marks=pytest.mark.matrix),
        "whisperq_gate.accuracy(max_drop=0.01)\n    whisperq_gate.speedup()",
    ],
)
def test_what_was_to_be_timed_and_was_not_is_exported_by_nobody(request: pytest.FixtureRequest, body: str) -> None:
    project = Project(request, ("-n2",))
    record(project, 0.01)
    accuracy = "@pytest.mark.whisperq_accuracy(max_drop=90)\ndef test_accuracy():\n    pass\n"
    project.pytester.makepyfile(f"import pytest\n\n{accuracy}\n\ndef test_it(whisperq_gate):\n    {body}\n")
    options = ("--whisperq-export=models", "--whisperq-report=out", "--whisperq-on-inconclusive=skip")
    result = project.run(project.pytester.path.as_posix(), *options)
    result.stdout.fnmatch_lines(["*not exported: scripted:int8: *"])
    assert not (project.pytester.path / "models").exists()
    (broken,) = json.loads((project.pytester.path / "out" / "report.json").read_text())["broken"]
    assert broken["outcome"] == "skipped"
