"""A corpus is somebody else's: what its names and texts say, neither a terminal nor a CI service obeys."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_project import GATES, Project

from pytest_whisperq import plugin
from pytest_whisperq.__main__ import main
from pytest_whisperq.reporting.export import SCHEMA, with_digest

HOSTILE = "::error file=a.py::##[error]\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\n::error::"
TEXT = "alpha \x1b[31m\u202e bravo ##[error] charlie"


@pytest.fixture
def hostile(project: Project, make_corpus: Any, make_script: Any) -> Project:
    """Recordings of which every second is lost, in a folder, files, columns, groups and transcripts of that kind."""
    project.corpus = project.pytester.path / HOSTILE.replace("/", "")
    texts = [f"{TEXT} {number % 7}" for number in range(40)]
    values = [f"{HOSTILE}{number % 2}" for number in range(40)]
    make_corpus(project.corpus, texts, {HOSTILE: values, "cluster": [f"{HOSTILE}{number}" for number in range(40)]})
    for path in sorted(project.corpus.glob("*.wav")):
        path.rename(path.with_name(HOSTILE.replace("/", "") + path.name))
    metadata = project.corpus / "metadata.csv"
    name = HOSTILE.replace("/", "")
    rows = metadata.read_text(encoding="utf-8").replace("\nclip", f'\n"{name}clip').replace(".wav,", '.wav",')
    metadata.write_text(rows, encoding="utf-8")
    said = [text if number % 2 else f"lost {HOSTILE}" for number, text in enumerate(texts)]
    make_script(project.model, project.corpus, {"float32": None, "int8": said})
    project.pytester.makepyfile(GATES.replace("accuracy\n", 'accuracy(per="slice")\n'))
    return project


def faults(text: str) -> Iterator[str]:
    """Yield the lines that a terminal or a CI service obeys, or that turn around."""
    for line in text.split("\n"):
        if line.lstrip().startswith("::") or "##[" in line or set(line) & set("\x1b\x07\x9b\u202e"):
            yield line


def test_nothing_of_a_corpus_is_obeyed_on_the_terminal_or_in_a_summary(
    hostile: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = hostile.pytester.path / "step.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    corpus = f"--whisperq-corpus={hostile.corpus}"
    result = hostile.run(corpus, "--whisperq-report=out", "--whisperq-save=run.json", "-rA", "--junitxml=j.xml")
    result.assert_outcomes(failed=2)
    shown = result.stdout.str()
    assert "owned" in shown  # it can be read all the same
    assert list(faults(shown)) == []
    for path in (step, hostile.pytester.path / "out" / "summary.md", hostile.pytester.path / "out" / "report.html"):
        text = path.read_text(encoding="utf-8")
        assert "owned" in text
        assert not set(text) & set("\x1b\x07\x9b\u202e")


def test_neither_is_it_in_an_error(hostile: Project) -> None:
    next(hostile.corpus.glob("*.wav")).unlink()
    result = hostile.run(f"--whisperq-corpus={hostile.corpus}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "does not exist" in result.stderr.str()
    assert list(faults(result.stderr.str())) == []


@pytest.mark.parametrize("command", ["lint", "card"])
def test_neither_is_it_by_a_command(hostile: Project, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["corpus", command, str(hostile.corpus)])
    shown = capsys.readouterr().out
    assert "owned" in shown
    assert list(faults(shown)) == []


def test_neither_is_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lies beside a model that somebody handed over."""
    certificate = {
        "schema": SCHEMA,
        "candidate": HOSTILE,
        "files": {HOSTILE: "0"},
        "gates": [{"checks": [{"verdict": "PASS"}]}],
        "model": {"versions": {HOSTILE: HOSTILE}},
        "environment": {"cpu": HOSTILE},
    }
    (tmp_path / "whisperq-gate.json").write_text(json.dumps(with_digest(certificate)))
    assert main(["verify", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert shown.count("\n") == 3
    assert "owned" in shown
    assert list(faults(shown)) == []


def test_the_plugin_prints_from_one_module_alone() -> None:
    modules = Path(plugin.__file__).parent.glob("*.py")
    printing = [path.name for path in modules if re.search(r"\.(write|write_line|rewrite|line)\(", path.read_text())]
    assert printing == ["reporting.py"]
