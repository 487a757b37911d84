"""What a run may not tell: what was said, where it is asked not to, and where a user keeps things."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from scripted_project import GATES, WORDS, Project, catastrophic, same


def test_a_few_commands_said_often_are_no_slices_of_redacted_runs(
    project: Project, make_corpus: Any, make_script: Any
) -> None:
    """Of sixty recordings of six commands, a column with their texts has as few values as one that sorts them."""
    commands = ["Kettle on", "Kettle off", "Open the shutters", "Abracadabra", "Lights please", "Good grief"] * 10
    columns = {
        "raw_transcription": [f"{text}!" for text in commands],
        "intent": [text.upper().replace(" ", "_") for text in commands],
        "cluster": commands,
        "line": [f"line {number % 2}" for number in range(60)],
    }
    make_corpus(project.corpus, [text.lower() for text in commands], columns)
    make_script(project.model, project.corpus, {"float32": None, "int8": ["nothing of it"] * 60})
    project.pytester.makepyfile(GATES.replace("whisperq_accuracy", 'whisperq_accuracy(max_drop=9, per="slice")'))
    result = project.run("--whisperq-report=out", "--whisperq-save=run.json", "--whisperq-redact", "--junitxml=j.xml")
    root = project.pytester.path
    files = [*(root / "out").iterdir(), root / "run.json", root / "j.xml"]
    for text in (result.stdout.str(), *(path.read_text() for path in files)):
        for word in ("kettle", "shutters", "abracadabra", "please", "grief"):
            assert word not in text.lower()
    assert '"line": "line 1"' in (root / "run.json").read_text()


@pytest.fixture
def away(project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings of which every second is catastrophic, outside of the directory that tests are run in."""
    project.record(60, int8=catastrophic)
    project.pytester.makepyfile(GATES)
    monkeypatch.setenv("HOME", str(project.pytester.path / "home"))
    found = tmp_path_factory.mktemp("customers") / "acme"
    project.corpus.rename(found)
    return found


def test_the_terminal_finds_clips_and_properties_tell_of_no_folder(project: Project, away: Path) -> None:
    result = project.run(f"--whisperq-corpus={away}", "--junitxml=junit.xml", "--whisperq-early-stop=false")
    result.stdout.fnmatch_lines(
        [f"*clip00??.wav  +2  ({away}/metadata.csv:*)", f"*replay: * --whisperq-corpus {away} *"]
    )
    found = [node.attrib["value"] for node in ElementTree.parse(project.pytester.path / "junit.xml").iter("property")]
    assert len(found) == 2
    assert not any(str(away.parent) in value for value in found)


def test_what_lies_where_one_works_is_named_from_there_also_if_an_ini_file_names_it(project: Project) -> None:
    project.record(60, int8=catastrophic)
    project.pytester.makepyfile(GATES)
    project.pytester.makeini(
        "[pytest]\nwhisperq_corpus = calls\nwhisperq_model = model\nwhisperq_waivers = waivers.toml\n"
    )
    (project.pytester.path / "waivers.toml").write_text(
        '[[waiver]]\nid = "size/scripted:int8"\nreason = "y"\nexpires = 2999-01-01\n'
    )
    result = project.pytester.runpytest(
        *("--whisperq-backend=scripted", "--whisperq-baseline=scripted", "--whisperq-cache-dir=cache"),
        *("-p", "no:xdist", "--whisperq-early-stop=false"),
    )
    result.stdout.fnmatch_lines(
        ["whisperq: * of model against *; corpus calls; *", "whisperq: waivers waivers.toml: size/*"]
    )
    result.stdout.fnmatch_lines(["*clip00??.wav  +2  (calls/metadata.csv:*)"])
    assert str(project.pytester.path) not in "\n".join(
        line for line in result.outlines if line.startswith(("whisperq:", "  "))
    )


def test_saved_runs_of_one_name_are_told_apart_by_their_folders(project: Project) -> None:
    root = project.pytester.path
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    project.run("--whisperq-save=old/report.json")
    project.run("--whisperq-save=new/report.json")
    both = f"--whisperq-compare={root}/old/report.json,{root}/new/report.json"
    project.run(both, "--whisperq-report=out", "--junitxml=junit.xml")
    for path in (*(root / "out").iterdir(), root / "junit.xml"):
        assert f"{root}/" not in path.read_text()
    for path in (root / "out" / "report.json", root / "junit.xml"):
        assert "drop since old/report.json" in path.read_text()
        assert "drop since new/report.json" in path.read_text()


def test_the_suite_that_checks_a_redacted_corpus_quotes_nothing(project: Project, make_corpus: Any) -> None:
    make_corpus(project.corpus, ["hello"] * 3 + ["Mr Smith hangs up \ufffd"])
    suite = Path(__file__).parents[2] / "suites" / "corpus.py"
    told = project.run(str(suite), "--junitxml=j.xml")
    assert "Smith" in told.stdout.str()
    result = project.run(str(suite), "--whisperq-redact", "--junitxml=j.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "metadata.csv:5" in result.stdout.str()
    assert "Smith" not in result.stdout.str() + (project.pytester.path / "j.xml").read_text()


def test_a_redacted_gate_says_by_which_columns_it_does_not_judge(project: Project, make_corpus: Any) -> None:
    project.record(60, int8=same)
    rows = (project.corpus / "metadata.csv").read_text().splitlines()
    header, *rest = rows
    many = [f"{row},customer {number},{'a' if number % 2 else 'b'}" for number, row in enumerate(rest)]
    (project.corpus / "metadata.csv").write_text("\n".join([f"{header},customer,line", *many]))
    project.pytester.makepyfile(GATES.replace("whisperq_accuracy", 'whisperq_accuracy(max_drop=9, per="slice")'))
    note = "accuracy: not judged by customer, left out by --whisperq-redact"
    project.run("--whisperq-redact").stdout.fnmatch_lines([note])
    project.run().stdout.no_fnmatch_line(note)


SPOKEN = """
import pytest

@pytest.mark.whisperq_parity(min_exact_match=0.99)
def test_gate(): pass

def test_body(whisperq_corpus, whisperq_gate):
    outcome = whisperq_gate.accuracy(max_drop=99)
    texts = [item.reference for item in whisperq_corpus.utterances]
    assert texts == outcome

def test_error(whisperq_candidate):
    said = whisperq_candidate.transcripts.texts[0]
    raise ValueError(said)

@pytest.fixture
def first(whisperq_corpus):
    item = whisperq_corpus.utterances[0]
    raise ValueError(item.reference)

def test_fixture(first): pass

@pytest.mark.xfail
def test_expected(whisperq_corpus):
    assert whisperq_corpus.utterances[0].reference == ""

def test_refused(whisperq_gate, whisperq_corpus):
    whisperq_gate.accuracy(max_drop=whisperq_corpus.utterances[0].reference)
"""
TRACING = ("--full-trace", "--showlocals", "--tb=long", "--xfail-tb", "-rA", "-vv", "--junitxml=j.xml")


def test_no_traceback_of_a_redacted_run_tells_what_was_said(any_project: Project) -> None:
    any_project.record(40, int8=catastrophic)
    any_project.pytester.makepyfile(test_it=SPOKEN)
    path = any_project.pytester.path / "j.xml"
    result = any_project.run(*TRACING)
    assert any(word in result.stdout.str() for word in WORDS)
    assert any(word in path.read_text() for word in WORDS)
    result = any_project.run("--whisperq-redact", *TRACING)
    told = result.stdout.str() + result.stderr.str() + path.read_text()
    assert [word for word in WORDS if word in told] == []
    result.stdout.fnmatch_lines_random(
        [
            "*--full-trace and --showlocals turned off by --whisperq-redact",
            "whisperq parity gate: *",
            "test_it.py:9: AssertionError: its values are left out by --whisperq-redact",
            "test_it.py:13: ValueError: its values are left out by --whisperq-redact",
            "whisperq: whisperq_gate.accuracy: max_drop must be *(got …)",
        ]
    )
