"""Where a gate marker stands, and what several of them mean together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_project import GATES, Project, same, slipping

from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.plugin import state
from pytest_whisperq.system.errors import BuildError


def write(project: Project, text: str) -> None:
    project.record(int8=slipping)
    project.pytester.makepyfile(f"import pytest\naccuracy = pytest.mark.whisperq_accuracy\n{text}")


def test_two_markers_on_one_test_are_two_gates(project: Project) -> None:
    write(project, "@accuracy(metric='wer', max_drop=0.1)\n@accuracy(metric='cer', max_drop=5)\ndef test_it(): pass\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(["*drop, points*FAIL*", "*CER drop, points*PASS*"])


def test_a_parameters_marker_is_nearer_than_the_functions(project: Project) -> None:
    write(
        project,
        "@accuracy(max_drop=50)\n"
        "@pytest.mark.parametrize('x', [1, pytest.param(2, marks=accuracy(max_drop=0.1))])\n"
        "def test_it(x): pass\n",
    )
    result = project.run("-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines_random(["*test_it*1*PASSED*", "*test_it*2*FAILED*"])


def test_a_marker_on_a_parameter_alone_fails_with_the_reason(project: Project) -> None:
    write(project, "@pytest.mark.parametrize('x', [pytest.param(2, marks=accuracy)])\ndef test_it(x): pass\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a gate marker belongs on a test function, its class or module*"])


def test_another_unit_needs_its_own_limit(project: Project) -> None:
    write(project, "@accuracy(drop_type='relative')\ndef test_it(): pass\n")
    result = project.run()
    result.stderr.fnmatch_lines(["*drop_type='relative' needs its own max_drop, in per cent*"])


def test_the_gate_fixture_checks_keywords_as_markers_do(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(
        "def test_metric(whisperq_gate): whisperq_gate.accuracy(metric='WER')\n"
        "def test_keyword(whisperq_gate): whisperq_gate.parity(max_dorp=1)\n"
    )
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "whisperq: whisperq_gate.accuracy: metric must be one of 'wer', 'cer', 'mer' (got 'WER')",
            "whisperq: whisperq_gate.parity: unknown keyword 'max_dorp' *; valid: max_divergence, metric, min_*",
        ]
    )


def test_a_fixture_asked_for_by_name_at_run_time_says_what_to_do(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile("def test_it(request): request.getfixturevalue('whisperq_gate')\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*name whisperq_candidate (or whisperq_gate) among the arguments*"])


def test_ini_paths_are_relative_to_the_ini_file(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makeini(
        "[pytest]\nwhisperq_backend = scripted\nwhisperq_baseline = scripted\n"
        "whisperq_corpus = calls\nwhisperq_model = model\nwhisperq_cache_dir = .cache\n"
    )
    below = project.pytester.mkdir("below")
    (below / "test_it.py").write_text("def test_it(whisperq_gate):\n    whisperq_gate.parity()\n")
    done = subprocess.run([sys.executable, "-m", "pytest"], cwd=below, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert (project.pytester.path / ".cache" / "artifacts").is_dir()


def test_ini_paths_that_are_a_part_of_a_value_or_a_home_are_found_from_anywhere(project: Project) -> None:
    project.record(int8=same)
    root = project.pytester.path
    (root / "sets").mkdir()
    project.corpus.rename(root / "sets" / "calls")
    project.pytester.makeini(
        "[pytest]\nwhisperq_backend = scripted\nwhisperq_baseline = scripted@model\n"
        "whisperq_corpus = sets@calls\nwhisperq_model = model\nwhisperq_cache_dir = ~/cache\n"
    )
    below = project.pytester.mkdir("below")
    (below / "test_it.py").write_text("def test_it(whisperq_gate):\n    whisperq_gate.parity()\n")
    environment = {**os.environ, "HOME": str(root / "home"), "USERPROFILE": str(root / "home")}
    command = [sys.executable, "-m", "pytest"]
    done = subprocess.run(command, cwd=below, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert (root / "home" / "cache" / "artifacts").is_dir()
    assert not list(root.rglob("~"))


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("model", "openai/whisper-small@main", "openai/whisper-small@main"),  # a revision, whatever lies here
        ("model", "openai/whisper-small", "{}/openai/whisper-small"),
        ("corpus", "sets@calls", "{}/sets@calls"),
        ("corpus", "v2@calls", "v2@calls"),
        ("calibration", "sets@calls", "{}/sets@calls"),
        ("baseline", "transformers@sets", "transformers@{}/sets"),
        ("baseline", "transformers:float32@sets@2", "transformers:float32@{}/sets@2"),
        ("baseline", "transformers@openai/whisper-tiny@sets", "transformers@openai/whisper-tiny@sets"),
        ("baseline", "transformers:float32@", "transformers:float32@"),
    ],
)
def test_an_ini_value_is_taken_apart_as_it_is_when_it_is_used(
    tmp_path: Path, option: str, value: str, expected: str
) -> None:
    for folder in ("openai/whisper-small", "sets", "sets@2"):
        (tmp_path / folder).mkdir(parents=True)
    (declared,) = (one for one in OPTIONS if one.name == option)
    assert state._beside(tmp_path / "pytest.ini", value, declared) == expected.format(tmp_path)


def test_a_build_that_fails_is_tried_once_for_all_gates(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record(int8=same)
    (project.model / "scripted.json").write_text('{"float32": {}}')
    tried = []

    def refuse(self: ScriptedBackend, precision: str, *rest: object) -> None:
        tried.append(precision)
        raise BuildError("no such luck")

    monkeypatch.setattr(ScriptedBackend, "build", refuse)
    project.pytester.makepyfile(GATES)
    result = project.run()
    result.assert_outcomes(failed=2)
    assert tried == ["int8"]
