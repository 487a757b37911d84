"""What a run leaves behind: reports, whatever ended how, and nothing where none was asked for."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from scripted_project import GATES, Project, catastrophic, same, slipping, with_workers


def report(project: Project, folder: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.pytester.path / folder / "report.json").read_text(encoding="utf-8"))
    return found


def names(project: Project, folder: str = "out") -> set[str]:
    return {path.name for path in (project.pytester.path / folder).iterdir()}


@with_workers
def test_a_failed_gate_leaves_the_report_behind(any_project: Project) -> None:
    any_project.record(int8=catastrophic)
    any_project.pytester.makepyfile(GATES)
    result = any_project.run("--whisperq-report=out", "--junitxml=junit.xml", "--whisperq-early-stop=false")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert names(any_project) == {"report.html", "report.json", "summary.md"}
    found = report(any_project)
    assert found["verdict"] == "FAIL"
    assert sorted(gate["judgement"]["gate"] for gate in found["gates"]) == ["accuracy", "parity"]
    assert found["broken"] == []  # they failed by their verdicts
    assert len(found["utterances"]) == 300
    assert found["utterances"][1]["errors"] == {"scripted:float32": 0, "scripted:int8": 2}
    assert [row["utterances"] for row in found["slices"]] == [300]
    result.stdout.fnmatch_lines(["*whisperq: report out/report.html, report.json, summary.md*"])
    properties = ElementTree.parse(any_project.pytester.path / "junit.xml").findall(".//property[@name='whisperq']")
    assert len(properties) == 2


def test_nothing_is_written_where_nothing_was_asked_or_gated(project: Project) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile("def test_it(): pass")
    project.run("--whisperq-report=out", "--whisperq-save=run.json")
    project.run_plain("--whisperq-report=out")
    assert not (project.pytester.path / "out").exists()
    assert not (project.pytester.path / "run.json").exists()


def test_what_broke_off_is_in_the_report_and_makes_it_fail(project: Project) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.whisperq_size(max_ratio=2)
        def test_size():
            pass

        @pytest.mark.whisperq_accuracy
        def test_body():
            assert 1 == 2
        """
    )
    project.run("--whisperq-report=out")
    found = report(project)
    assert found["verdict"] == "FAIL"
    (broken,) = found["broken"]
    assert broken["test"].endswith("test_body[scripted-int8]")
    assert broken["message"] == "assert 1 == 2"
    assert "assert 1 == 2" in (project.pytester.path / "out" / "summary.md").read_text()


def test_a_body_that_fails_after_its_gate_passed_makes_the_report_fail(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile("def test_it(whisperq_gate):\n    whisperq_gate.accuracy()\n    assert 1 == 2\n")
    project.run("--whisperq-report=out")
    found = report(project)
    assert (found["gates"][0]["verdict"], found["verdict"]) == ("PASS", "FAIL")
    assert found["broken"][0]["candidate"] == "scripted:int8"


def test_a_gate_that_breaks_off_beside_one_that_passes_is_in_the_report(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(
        "import pytest\n\n@pytest.mark.whisperq_size(max_ratio=2)\n@pytest.mark.whisperq_longform\ndef test_it(): pass"
    )
    project.run("--whisperq-report=out")
    found = report(project)
    assert found["verdict"] == "FAIL"
    assert found["broken"][0]["message"].startswith("whisperq: whisperq_longform: scripted hears 30 s and no more")


def test_a_gate_that_is_skipped_beside_one_that_passes_is_in_the_report(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.record(int8=same)
    project.pytester.makepyfile(
        "import pytest\n\n@pytest.mark.whisperq_size(max_ratio=2)\n@pytest.mark.whisperq_speedup\ndef test_it(): pass\n"
    )
    project.run("--whisperq-report=out")
    found = report(project)
    assert [gate["verdict"] for gate in found["gates"]] == ["PASS"]
    (broken,) = found["broken"]
    assert broken["outcome"] == "skipped"
    assert broken["message"].startswith("whisperq: speed is not timed while 2 xdist workers share the processor")


def test_a_test_that_skips_itself_after_a_gate_passed_is_in_the_report(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(
        "import pytest\n\ndef test_it(whisperq_gate):\n    whisperq_gate.size(max_ratio=2)\n    pytest.skip('tired')\n"
    )
    project.run("--whisperq-report=out")
    (broken,) = report(project)["broken"]
    assert (broken["outcome"], broken["message"]) == ("skipped", "tired")


UNDECIDED = "import pytest\n\n@pytest.mark.whisperq_accuracy(max_drop=0.1)\ndef test_it(): pass\n"
WAIVER = '[[waiver]]\nid = "accuracy/scripted:int8"\nreason = "known"\nexpires = 2999-01-01\n'


@pytest.mark.parametrize(
    ("text", "option", "outcome"),
    [
        (UNDECIDED, "--whisperq-on-inconclusive=skip", "skipped"),
        (UNDECIDED, "--whisperq-waivers=waivers.toml", "xfailed"),
        (UNDECIDED.replace("@", "@pytest.mark.xfail\n@"), "--whisperq-on-inconclusive=fail", "xfailed"),
        (
            "import pytest\n\ndef test_it(whisperq_gate):\n    whisperq_gate.report('size')\n    pytest.skip('shown')",
            "--whisperq-on-inconclusive=fail",
            "skipped",
        ),
    ],
    ids=["doubt", "waiver", "xfail", "report"],
)
def test_what_ended_by_its_verdict_is_not_listed_as_broken(
    project: Project, text: str, option: str, outcome: str
) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(text)
    (project.pytester.path / "waivers.toml").write_text(WAIVER)
    project.run("--whisperq-report=out", option)
    found = report(project)
    assert [gate["outcome"] for gate in found["gates"]] == [outcome]
    assert found["broken"] == []


def test_a_run_that_was_cut_short_did_not_pass(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(f"{GATES}\ndef test_zz():\n    raise KeyboardInterrupt\n")
    project.pytester.runpytest_subprocess(
        *("--whisperq-backend=scripted", "--whisperq-baseline=scripted", "--whisperq-model=model"),
        *("--whisperq-corpus=calls", "--whisperq-cache-dir=cache", "--whisperq-report=out", "-p", "no:xdist"),
    )
    found = report(project)
    assert (found["cut_short"], found["verdict"]) == (True, "INCONCLUSIVE")
    assert "cut short" in (project.pytester.path / "out" / "summary.md").read_text()


INTERRUPTED = """
import os, signal, time
import pytest

@pytest.mark.whisperq_parity
def test_first():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

@pytest.mark.whisperq_parity
def test_second(): pass
"""


def test_an_interrupt_in_the_first_gate_leaves_a_report_that_names_it(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(INTERRUPTED)
    project.pytester.runpytest_subprocess(
        *("--whisperq-backend=scripted", "--whisperq-baseline=scripted", "--whisperq-model=model"),
        *("--whisperq-corpus=calls", "--whisperq-cache-dir=cache", "--whisperq-report=out", "-p", "no:xdist"),
    )
    found = report(project)
    assert (found["cut_short"], found["verdict"], found["gates"]) == (True, "INCONCLUSIVE", [])
    (broken,) = found["broken"]
    assert broken["test"].endswith("::test_first[scripted-int8]")
    assert (broken["outcome"], broken["message"]) == ("interrupted", "the run was stopped in it")
    for name in ("summary.md", "report.html"):
        assert "interrupted: the run was stopped in it" in (project.pytester.path / "out" / name).read_text()


def test_a_file_that_cannot_be_collected_may_hold_gates_that_fail(any_project: Project) -> None:
    any_project.record(int8=same)
    any_project.pytester.makepyfile(test_accuracy=GATES, test_parity="import nothing_of_that_name")
    # Under xdist a run goes on anyway.
    result = any_project.run("--whisperq-report=out", "--whisperq-export=models", "--continue-on-collection-errors")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = report(any_project)
    assert {gate["verdict"] for gate in found["gates"]} == {"PASS"}
    assert (found["cut_short"], found["verdict"]) == (True, "INCONCLUSIVE")
    summary = (any_project.pytester.path / "out" / "summary.md").read_text()
    assert "**test\\_parity.py** not collected: see the terminal" in summary
    result.stdout.fnmatch_lines(["*not exported: *tests could not be collected: gates may be missing*"])
    assert not (any_project.pytester.path / "models").exists()


def test_a_run_that_extends_reports_on_what_was_judged(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_accuracy\ndef test_it(): pass\n")
    project.run("--whisperq-report=out", "--whisperq-on-inconclusive=extend", "--whisperq-max-utterances=50")
    found = report(project)
    (gate,) = found["gates"]
    assert gate["judgement"]["utterances"] == found["corpus"]["utterances"] > 50


def test_columns_that_hold_words_are_left_out_of_redacted_runs(project: Project) -> None:
    project.record(60, int8=same)
    path = project.corpus / "metadata.csv"
    head, *rows = path.read_text().splitlines()
    spoken = [f"{row},Raw words {number},{number % 2}" for number, row in enumerate(rows)]
    path.write_text("\n".join([f"{head},raw_transcription,line", *spoken]) + "\n")
    project.pytester.makepyfile(GATES.replace("whisperq_accuracy", 'whisperq_accuracy(max_drop=9, per="slice")'))
    result = project.run("--whisperq-report=out", "--whisperq-redact", "--junitxml=j.xml")
    root = project.pytester.path
    for text in (*((root / "out" / name).read_text() for name in names(project)), (root / "j.xml").read_text()):
        assert "Raw words" not in text
    assert "Raw words" not in result.stdout.str()
    assert {row["column"] for row in report(project)["slices"]} == {"", "line"}


def test_what_another_backend_cannot_build_is_in_the_report(project: Project) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile(GATES)
    project.run("--whisperq-report=out", "--whisperq-candidate=scripted:int4-sym")
    found = report(project)
    assert [one["outcome"] for one in found["broken"]] == ["failed", "failed"]
    assert "has no table of texts for precision 'int4-sym'" in found["broken"][0]["message"]
    assert found["gates"] == []


def test_transcripts_stay_out_of_everything_on_request(project: Project) -> None:
    project.record(60, int8=lambda index, text: "classified" if index % 2 else text)
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-report=out", "--whisperq-save=run.json", "--whisperq-redact", "--junitxml=j.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    files = [
        *(project.pytester.path / "out").iterdir(),
        *(project.pytester.path / name for name in ("run.json", "j.xml")),
    ]
    texts = [path.read_text(encoding="utf-8") for path in files] + [result.stdout.str()]
    for text in texts:
        assert "classified" not in text
        assert not re.search(r"\b(foxtrot|juliett)\b", text)
    assert "<audio" not in texts[0] + texts[1] + texts[2]
    result.stdout.fnmatch_lines(["*clip00??.wav  +6*"])  # counts stay


@pytest.mark.parametrize(("which", "clips"), [("worst", 5), ("all", 60), ("none", 0)])
def test_the_page_plays_what_was_asked_for(project: Project, which: str, clips: int) -> None:
    project.record(60, int8=catastrophic)
    project.pytester.makepyfile(GATES)
    project.run("--whisperq-report=out", f"--whisperq-report-audio={which}", "--whisperq-early-stop=false")
    assert (project.pytester.path / "out" / "report.html").read_text().count("<audio") == clips


def test_sound_beyond_the_limit_is_left_out_and_said_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record(60, int8=catastrophic)
    project.pytester.makepyfile(GATES)
    monkeypatch.setattr("pytest_whisperq.reporting.write_outputs.MOST_AUDIO", 300_000)
    project.run("--whisperq-report=out", "--whisperq-report-audio=all", "--whisperq-early-stop=false")
    page = (project.pytester.path / "out" / "report.html").read_text()
    assert 0 < page.count("<audio") < 60
    assert f"{60 - page.count('<audio')} recordings are left out" in page


def test_what_the_page_has_no_room_for_lies_beside_it_and_goes_with_the_next_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(GATES)
    for name in ("write_outputs", "html"):
        monkeypatch.setattr(f"pytest_whisperq.reporting.{name}.ROWS", 50)
    project.run("--whisperq-report=out").stdout.fnmatch_lines(["*summary.md, utterances.jsonl"])
    beside, whole = (project.pytester.path / "out" / name for name in ("utterances.jsonl", "report.json"))
    assert [json.loads(line) for line in beside.read_text().splitlines()] == json.loads(whole.read_text())["utterances"]
    monkeypatch.setattr("pytest_whisperq.reporting.write_outputs.ROWS", 60)
    project.run("--whisperq-report=out")
    assert not beside.exists()


def test_redacting_and_playing_everything_contradict(project: Project) -> None:
    project.record(5, int8=same)
    result = project.run("--whisperq-redact", "--whisperq-report-audio=all")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-report-audio: no recording goes into a report with --whisperq-redact*"])


def test_the_summary_of_a_github_job_is_appended_to(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(GATES)
    step = project.pytester.path / "step.md"
    step.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    project.run("--whisperq-report=out")
    assert step.read_text() == "before\n" + (project.pytester.path / "out" / "summary.md").read_text()


def test_a_report_that_cannot_be_written_turns_the_run_red_and_names_the_option(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_accuracy\ndef test_it(): pass")
    (project.pytester.path / "file").write_text("in the way")
    result = project.run("--whisperq-report=file/out")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*whisperq: --whisperq-report: cannot write *name another place*"])


def test_folders_of_this_machine_are_in_no_report(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(GATES)
    away = tmp_path_factory.mktemp("customers") / "acme"
    (project.pytester.path / "calls").rename(away)
    project.run("--whisperq-report=out", f"--whisperq-corpus={away}", "--junitxml=out/junit.xml")
    tree = ElementTree.parse(project.pytester.path / "out" / "junit.xml")
    for value in [node.attrib["value"] for node in tree.iter("property")]:
        assert str(away.parent) not in value
    for name in names(project) - {"junit.xml"}:
        text = (project.pytester.path / "out" / name).read_text()
        assert str(away.parent) not in text
        assert str(project.pytester.path) not in text
        assert str(Path.home()) not in text
    assert report(project)["corpus"]["name"] == "acme"


def test_a_saved_run_goes_where_a_link_leads(project: Project) -> None:
    """The newest run is often kept under such a name."""
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    real, link = project.pytester.path / "runs" / "today.json", project.pytester.path / "newest.json"
    real.parent.mkdir()
    real.write_text("of yesterday")
    link.symlink_to(real)
    project.run("--whisperq-save=newest.json")
    assert link.is_symlink()
    assert json.loads(real.read_text())["verdict"] == "PASS"


def flip(path: Path, text: str) -> None:
    """Flip the last bit of the first letter of a text where it first stands in a file."""
    data = bytearray(path.read_bytes())
    data[data.index(text.encode())] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_in_the_cache_changes_no_figure_and_is_reported(any_project: Project) -> None:
    project = any_project
    project.record(30, int8=slipping)
    project.pytester.makepyfile(GATES)
    project.run("--whisperq-save=before.json", "--whisperq-max-drop=5")
    for path in project.transcript_files():
        flip(path, "india")
    flip(project.pytester.path / "cache" / "audio-index.jsonl", "seconds")
    result = project.run("--whisperq-save=after.json", "--whisperq-max-drop=5")
    before, after = (json.loads((project.pytester.path / f"{name}.json").read_text()) for name in ("before", "after"))
    assert (after["utterances"], after["slices"]) == (before["utterances"], before["slices"])
    damage = "transcripts of scripted:int8 in the cache: 1 of 31 lines damaged; decoded again"
    shown = " ".join(result.stdout.str().split())
    assert "whisperq: audio index in the cache: 1 of 30 lines damaged; the recordings are read again" in shown
    assert damage in shown
    assert any(damage in gate["judgement"]["notes"] for gate in after["gates"])
    assert "damaged" not in project.run("--whisperq-max-drop=5").stdout.str()


def test_an_ini_file_names_its_report_from_where_it_stands(project: Project) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(GATES)
    project.pytester.makeini("[pytest]\nwhisperq_report = reports/today\n")
    project.run()
    assert names(project, "reports/today") == {"report.html", "report.json", "summary.md"}


def test_several_candidates_share_one_table_and_quiet_runs_show_only_that(project: Project) -> None:
    project.record(60, int8=same, int4_sym=catastrophic)
    project.pytester.makepyfile(GATES)
    both = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    loud = project.run(both).stdout.str()
    quiet = project.run(both, "-q").stdout.str()
    for text in (loud, quiet):
        assert re.search(r"candidate .*WER, % +drop .*verdict", text)
        assert re.search(r"^ *scripted:int8 .*(PASS|INCONCLUSIVE)$", text, re.MULTILINE)
    row = re.compile(r"^ *divergence, % .*< 5", re.MULTILINE)
    assert row.search(loud)
    assert not row.search(quiet)


def test_one_candidate_has_one_table(project: Project) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(GATES)
    assert not re.search(r"candidate .*WER", project.run().stdout.str())
