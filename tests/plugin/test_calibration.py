"""A user's own model is calibrated on clips of the corpus that are set aside: header, table and report say which."""

import json
from importlib import resources

import jsonschema
import pytest
from scripted_project import GATES, Project, same

from pytest_whisperq.backends.scripted import ScriptedBackend

SCHEMA = json.loads((resources.files("pytest_whisperq.history") / "schema.json").read_text(encoding="utf-8"))

# A backend that calibrates int8, and leaves a layer of it in float32.
MACHINE = """
from pytest_whisperq.backends.scripted import ScriptedBackend

ScriptedBackend.calibrated = frozenset({"int8"})
build = ScriptedBackend.build

def noted(self, precision, source, directory, calibration):
    build(self, precision, source, directory, calibration)
    return ["encoder layers.3.fc2 is left in float32 <b>"] if calibration else None

ScriptedBackend.build = noted
"""
ASIDE = "calibrated on 32 utterances of the corpus, set aside by seed 0 and not evaluated"
LEFT = "encoder layers.3.fc2 is left in float32 <b>"


@pytest.fixture
def calibrated(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    return with_machine(project, monkeypatch)


@pytest.fixture
def any_calibrated(any_project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    return with_machine(any_project, monkeypatch)


def with_machine(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    # The machine is made by a conftest, which workers load too; where it runs in this very process it is undone here.
    for name in ("build", "calibrated"):
        monkeypatch.setattr(ScriptedBackend, name, getattr(ScriptedBackend, name))
    project.record(200, int8=same)
    project.pytester.makepyfile(GATES)
    project.pytester.makeconftest(MACHINE)
    return project


def test_what_is_set_aside_is_named_in_header_table_and_report(any_calibrated: Project) -> None:
    result = any_calibrated.run("--whisperq-report=out")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            f"whisperq: {ASIDE}: clip*.wav, clip*.wav, clip*.wav and 29 more (--whisperq-calibration names others)",
            "whisperq: 168 utterances / * words (less 32 set aside to calibrate on) certify a drop below *",
            f"*{LEFT}",
            "*corpus calls less 32 set aside for calibration*",
        ]
    )
    out = any_calibrated.pytester.path / "out"
    document = json.loads((out / "report.json").read_text())
    jsonschema.validate(document, SCHEMA)
    aside = document["set_aside"]
    assert len(aside) == len(set(aside)) == 32
    assert not {*aside} & {row["id"] for row in document["utterances"]}
    assert len(document["utterances"]) == 168
    model = document["models"]["scripted:int8"]
    assert model["calibration"].startswith("calibrated on 32 clips of calls, set aside (")
    assert model["notes"] == [LEFT]
    page = (out / "report.html").read_text()
    assert "32 utterances of the corpus are set aside for calibration and not evaluated" in page
    assert aside[31] in page
    assert "encoder layers.3.fc2 is left in float32 &lt;b&gt;" in page
    assert LEFT not in page
    summary = (out / "summary.md").read_text()
    assert "- scripted:int8: encoder layers.3.fc2 is left in float32 &lt;b&gt;." in summary


def test_the_header_of_a_later_run_names_what_was_left_in_float32(calibrated: Project) -> None:
    calibrated.run()
    result = calibrated.run()
    result.stdout.fnmatch_lines([f"whisperq: scripted:int8: {LEFT}"])
    calibrated.run("-q").stdout.no_fnmatch_line("whisperq: scripted:int8: *")


def test_a_calibration_set_that_is_named_leaves_the_corpus_whole(calibrated: Project) -> None:
    result = calibrated.run("--whisperq-calibration=embedded")
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*set aside*")
    result.stdout.fnmatch_lines(["whisperq: 200 utterances / * words certify a drop below *"])


def test_of_a_small_corpus_a_third_is_calibrated_on(calibrated: Project) -> None:
    shrink(calibrated, 40)
    result = calibrated.run()
    result.stdout.fnmatch_lines(["whisperq: calibrated on 13 utterances of the corpus, set aside by seed 0 and *"])
    result.stdout.fnmatch_lines(["*27 utterances / * words (less 13 set aside to calibrate on) certify *"])


def test_too_small_a_corpus_for_what_is_asked_ends_the_run_before_anything_is_built(calibrated: Project) -> None:
    shrink(calibrated, 40)
    result = calibrated.run("--whisperq-calibration-samples=32")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str() + result.stdout.str()
    assert "--whisperq-calibration: calls has 40 utterances" in text
    assert "; name recordings to calibrate on. Or ask for 20 of them: --whisperq-calibration-samples=20." in text
    assert not (calibrated.pytester.path / "cache" / "artifacts").exists()


def shrink(project: Project, size: int) -> None:
    """Leave the first rows of the corpus."""
    rows = (project.corpus / "metadata.csv").read_text().splitlines()
    (project.corpus / "metadata.csv").write_text("\n".join(rows[: size + 1]) + "\n")
