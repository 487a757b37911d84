"""The streaming gate as users meet it: the marker, the packaged suite, the fixture."""

import re
from pathlib import Path

import pytest
from ramp_model import NAMES, install, write_recording
from scripted_project import Project, same

TEST = """
import pytest

@pytest.mark.whisperq_streaming(max_wer_gap=60)
def test_marker():
    pass

def test_fixture(whisperq_gate):
    whisperq_gate.streaming(max_wer_gap=60, max_commit_lag=9)
"""


@pytest.fixture
def streamed(project: Project) -> Project:
    project.record(4, int8=same)
    write_recording(project.pytester.path)
    project.pytester.makepyfile(TEST)
    return project


def test_marker_and_fixture_gate_and_show_what_they_measured(
    streamed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    result = streamed.run("--whisperq-long-form=call.jsonl", "--whisperq-on-inconclusive=skip")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines_random(["*gap, points*+0.00*< 60*", "*late words, %*< 5*", "*retractions,*= 0*PASS*"])
    result.stdout.fnmatch_lines_random(["*LAAL, s*", "*RTF of streaming*", "*against itself offline*"])


def test_a_model_that_streams_badly_fails_and_shows_where(streamed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ["alpha"])
    result = streamed.run("--whisperq-long-form=call.jsonl", "-k", "fixture")
    result.stdout.fnmatch_lines(["*whisperq streaming gate: *", "*gap: +90.00 points (must stay below 60)*"])
    result.stdout.fnmatch_lines(["*worst * utterances (words):*", "*offline    *", "*streamed   *"])
    result.assert_outcomes(failed=1, deselected=1)


def test_the_documented_test_gates_what_it_says(streamed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    page = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    streamed.pytester.makepyfile(f"import pytest\n{text}")
    result = streamed.run("--whisperq-long-form=call.jsonl", "--whisperq-on-inconclusive=skip")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines_random(["*gap, points*+0.00*< 2*", "*retractions,*= 0*PASS*", "*RTF, %*< 50*"])


def test_the_suite_runs_by_name(streamed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, NAMES)
    suite = Path(__file__).parents[2] / "suites" / "streaming.py"
    result = streamed.run(str(suite), "--whisperq-long-form=call.jsonl", "--whisperq-max-wer-gap=0.5")
    result.stdout.fnmatch_lines(["*test_streaming*", "*gap: +0.00 points (must stay below 0.5)*"])


def test_a_limit_that_cannot_be_meant_is_named(streamed: Project) -> None:
    streamed.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_streaming(max_rtf=0)\ndef test_it(): ...")
    result = streamed.run()
    result.stderr.fnmatch_lines(["*whisperq_streaming: max_rtf must be a number from 0 to 1000, but not 0*"])
