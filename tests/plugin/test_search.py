"""``whisperq search`` as users type it: its table, its plot, and a command that gives the same verdict again."""

import json
import re
import shlex
from pathlib import Path

import pytest
from scripted_project import Project, catastrophic, same, slipping

from pytest_whisperq import commands
from pytest_whisperq.__main__ import main
from pytest_whisperq.backends.scripted import ScriptedBackend


def find(*arguments: str) -> int:
    options = ("--baseline=scripted:float32", "--model=model", "--corpus=calls", "--cache-dir=cache")
    return main(["search", *options, *([] if "--candidate" in arguments else ["--backend=scripted"]), *arguments])


def told(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """Return what was printed, a line each, and the command at its end."""
    lines = capsys.readouterr().out.splitlines()
    return lines, lines[-1].removeprefix("reproduce: ")


def row(lines: list[str], name: str) -> list[str]:
    """Return the cells of a row of the table, word by word."""
    return next(words for line in lines if (words := line.split())[:1] == [name])


@pytest.fixture
def calls(project: Project) -> Project:
    """Three precisions with as many bytes; int8 comes first."""
    project.record(int8=catastrophic, int4_sym=slipping)
    return project


def test_the_cheapest_that_passes_and_what_was_tried_before_it(
    calls: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find("--limit", "drop<3", "--limit", "(size-ratio<1.1)", "--plot", "search.svg") == 0
    lines, _ = told(capsys)
    assert lines[0] == "left out scripted:float32: it is the baseline"
    assert lines[1] == "2 candidates share the error: each is judged at 97.5 %"
    assert row(lines, "candidate")[-3:] == ["heard", "front", "verdict"]
    failed, passed = row(lines, "scripted:int8"), row(lines, "scripted:int4-sym")
    assert (failed[-3:], failed[-4] != "300") == (["of", "300", "FAIL"], True)
    assert passed[-4:] == ["300", "of", "300", "PASS"]
    size = len((calls.model / "scripted.json").read_bytes())
    assert f"cheapest that passes drop<3 and size-ratio<1.1: scripted:int4-sym, {size:,} bytes" in lines
    assert lines[-2] == "drawn: search.svg"
    drawn = Path("search.svg").read_text()
    assert "<title>scripted:int8: " in drawn
    assert "scripted:int4-sym: 0.83 % wrong" in drawn


def test_the_command_judges_the_winner_as_the_search_did(calls: Project, capsys: pytest.CaptureFixture[str]) -> None:
    find("--limit", "drop<3 or (drop<4 and size-ratio<0.1)", "--seed", "7")
    lines, command = told(capsys)
    found = " ".join(row(lines, "scripted:int4-sym"))
    calls.pytester.runpytest(*shlex.split(command)[1:], "--whisperq-save=run.json").assert_outcomes(passed=1)
    (gate,) = json.loads(Path("run.json").read_text())["gates"]
    _, check = gate["judgement"]["checks"]
    assert check["confidence"] == pytest.approx(1 - 0.05 / 2 / 2)
    assert f"{check['value']:+.2f} ({check['lower']:+.2f} … {check['upper']:+.2f})" in found
    assert gate["judgement"]["seed"] == 7
    assert json.loads(Path("run.json").read_text())["settings"]["seed"] == 7


def test_clips_that_were_set_aside_for_another_candidate_stay_aside(
    calls: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gated alone, the winner would be heard on all 300 clips, which is another judgement."""
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    find("--limit", "drop<3", "--calibration-samples", "20")
    lines, command = told(capsys)
    assert any("280 of 280" in line for line in lines)
    assert re.search(r"limit(\.py)?::test_limit\[scripted-int4-sym\]", command)
    assert "scripted:int4-sym,scripted:int8" in command
    calls.pytester.runpytest(*shlex.split(command)[1:], "--whisperq-save=run.json").assert_outcomes(passed=1)
    (gate,) = json.loads(Path("run.json").read_text())["gates"]
    assert gate["judgement"]["utterances"] == 280


def test_where_none_passes_the_code_is_one_and_no_command_is_written(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.record(60, int8=catastrophic, int4_sym=same)
    assert find("--limit", "drop<0.3") == 1
    lines, last = told(capsys)
    assert last == "none passes drop<0.3"
    assert any(
        line.startswith("scripted:int4-sym could not be told: the limit lies within the bounds") for line in lines
    )
    assert not any("reproduce" in line for line in lines)


def test_a_candidate_that_is_cheaper_and_undecided_is_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two of one size, the first: int8 loses 0.83 of the 0.9 points that are allowed."""
    project.record(int8=slipping, int4_sym=same)
    assert find("--limit", "drop<0.9") == 0
    lines, _ = told(capsys)
    assert any(line.startswith("scripted:int8, which is cheaper, could not be told: ") for line in lines)


def test_one_that_cannot_be_built_says_why(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.record(int8=same)  # the script has no int4-sym
    assert find("--limit", "drop<3") == 0
    captured = capsys.readouterr()
    assert row(captured.out.splitlines(), "scripted:int4-sym") == ["scripted:int4-sym", "broken"]
    assert "has no table of texts for precision 'int4-sym'" in captured.out
    assert "has no table of texts for precision 'int4-sym'" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "dorp<1"], "argument --limit: must be a condition such as"),
        ([], "the following arguments are required: --limit"),
    ],
)
def test_what_is_no_limit_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        find(*arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_searched_is_refused_before_anything_is_built(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.record(5, int8=same)
    for arguments, message in (
        (
            ("search", "--limit", "drop<1"),
            "error: --backend: names none; name some, such as openvino,ctranslate2, or all",
        ),
        (
            ("search", "--limit", "speedup>2", "--backend=scripted", "--plot=a.svg"),
            "error: --plot: errors are drawn against",
        ),
        (("search", "--limit", "drop<1", "--backend=scripted", "--plot=calls"), "error: --plot: calls is a directory"),
        (
            ("search", "--limit", "drop<1", "--backend=scrpted"),
            "error: --whisperq-backend: unknown backend 'scrpted' (did",
        ),
    ):
        assert main(list(arguments)) == 2
        assert message in capsys.readouterr().err
    assert not Path("cache").exists()


def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(20, int8=same, int4_sym=same)
    find("--limit", "drop<50")
    assert "\r" not in capsys.readouterr().err
    monkeypatch.setattr(commands.sys.stderr, "isatty", lambda: True, raising=False)
    find("--limit", "drop<50", "--cache-dir=other")
    shown = capsys.readouterr().err
    assert "\r\x1b[Kscripted:int8 is being built …" in shown
    assert "\r\x1b[Kscripted:float32 decodes 16/20" in shown
    assert "\r\x1b[Kscripted:int8, 0.0 MB: PASS\n" in shown
