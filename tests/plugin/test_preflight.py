"""Before the first gate: what the corpus can certify is said, and a limit beyond it is named up front."""

import html
import json
from pathlib import Path

import pytest
import soundfile
from scripted_project import GATES, Project, same, slipping

from pytest_whisperq import session
from pytest_whisperq.backends.scripted import ScriptedBackend

LIMITS = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=0.05)
def test_strict():
    pass

@pytest.mark.whisperq_accuracy(max_drop=2)
def test_loose():
    pass

@pytest.mark.whisperq_accuracy(max_drop=2, drop_type="relative")
def test_relative():
    pass
"""


def test_it_says_what_the_corpus_certifies_before_decoding(project: Project) -> None:
    project.record(count=300, int8=same)
    project.pytester.makepyfile(LIMITS)
    result = project.run("--collect-only")
    result.stdout.no_fnmatch_line("*certify*")
    result = project.run("-k", "strict or loose")
    judged = "judged by 8% of the texts changing by a word; 0.4 if no text changes"
    beyond = "max_drop=0.05 is out of their reach: a gate with it cannot pass; at least 26?? utterances are needed"
    result.stdout.fnmatch_lines(
        [
            f"whisperq: 300 utterances / 1800 words certify a drop below 0.9 points ({judged})",
            f"whisperq: {beyond}",
            "test_*",
        ]
    )
    result.stdout.no_fnmatch_line("whisperq: max_drop=2 *")
    result.assert_outcomes(passed=1, failed=1)


def test_the_next_run_knows_better_from_what_is_cached(project: Project) -> None:
    project.record(count=300, int8=slipping)
    project.pytester.makepyfile(LIMITS)
    project.run("-k", "loose", "--whisperq-max-utterances=100")
    result = project.run("-k", "loose")
    result.stdout.fnmatch_lines(
        ["whisperq: 300 utterances / * certify a drop below ?.? points (judged by a pilot of 100;*"]
    )


def test_a_limit_out_of_reach_is_named_once_with_xdist_and_without(any_project: Project) -> None:
    any_project.record(count=20, int8=same)
    any_project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_accuracy\ndef test_it():\n    pass\n")
    result = any_project.run("--whisperq-max-drop=1")
    lines = [line for line in result.outlines if "max_drop=1 is out of their reach" in line]
    needed = "a gate with it cannot pass; at least 132 utterances are needed"
    assert lines == [f"whisperq: max_drop=1 is out of their reach: {needed}"]


def test_a_run_without_an_accuracy_gate_is_not_lectured(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_parity\ndef test_it():\n    pass\n")
    project.run().stdout.no_fnmatch_line("*certify*")
    project.run("-q").stdout.no_fnmatch_line("*certify*")


def test_four_recordings_certify_nothing(project: Project) -> None:
    project.record(count=4, int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_accuracy\ndef test_it():\n    pass\n")
    project.run().stdout.fnmatch_lines(["whisperq: 4 utterances in 4 independent groups certify no drop at all"])


def test_characters_are_forecast_as_characters(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_accuracy\ndef test_it():\n    pass\n")
    stdout = project.run("--whisperq-metric=cer").stdout
    stdout.fnmatch_lines(["whisperq: 20 utterances / * characters certify a drop below *"])
    stdout.no_fnmatch_line("*words certify*")


def test_the_pilot_hears_texts_under_the_normalizer_of_the_gate(project: Project) -> None:
    """What only Whisper's English normalizer sees to be the same is no change."""
    project.record(count=300, int8=lambda index, text: f"um {text}" if index % 3 else text)
    project.pytester.makepyfile(LIMITS)
    project.run("-k", "loose", "--whisperq-normalizer=by-language")
    result = project.run("-k", "loose", "--whisperq-normalizer=by-language")
    result.stdout.fnmatch_lines(["* certify a drop below 0.? points (judged by a pilot of 300;*"])


GATE = "import pytest\n\n@pytest.mark.whisperq_accuracy(max_drop=50)\ndef test_it():\n    pass\n"
RUSHED = "more text than can be said in that time; is the sound cut off, or the text another's?"
UNTOLD = "the file does not say how long it is, and is read for what is there"


def test_recordings_that_may_be_cut_are_named_once_and_in_every_report(any_project: Project) -> None:
    any_project.record(count=20, int8=same)
    any_project.pytester.makepyfile(GATE)
    piped = bytearray((any_project.corpus / "clip0007.wav").read_bytes())
    at = piped.index(b"data") + 4
    piped[at : at + 4] = b"\xff" * 4
    (any_project.corpus / "clip0007.wav").write_bytes(piped)
    listing = any_project.corpus / "metadata.csv"
    rows = listing.read_text(encoding="utf-8").splitlines()
    name, text, language = rows[4].split(",")
    rows[4] = f"{name},{text}{' alpha' * 20},{language}"
    listing.write_text("\n".join(rows), encoding="utf-8")
    result = any_project.run("--whisperq-report=out")
    result.assert_outcomes(passed=1)
    lines = [line for line in result.outlines if "clip0003.wav" in line or "clip0007.wav" in line]
    size = f"{len(text) + 120} characters in {soundfile.info(any_project.corpus / name).duration:.1f} s"
    notes = [f"clip0003.wav ({size}): {RUSHED}", f"clip0007.wav: {UNTOLD}"]
    assert lines == [f"whisperq: {note}" for note in notes]
    assert json.loads(Path("out/report.json").read_text(encoding="utf-8"))["corpus"]["notes"] == notes
    for report in ("out/report.html", "out/summary.md"):
        shown = html.unescape(Path(report).read_text(encoding="utf-8")).replace("\\", "")
        assert all(note in shown for note in notes), report


def test_a_corpus_that_is_honest_is_not_doubted(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile(GATE)
    result = project.run("--whisperq-report=out")
    result.stdout.no_fnmatch_line("whisperq: clip*")
    assert json.loads(Path("out/report.json").read_text(encoding="utf-8"))["corpus"]["notes"] == []


def test_few_speakers_are_judged_by_utterances_which_is_said_before_decoding_and_after(project: Project) -> None:
    """Two speakers bounded nothing, which was said once all of them had been decoded."""
    project.record(count=40, speakers=2, int8=lambda _, text: " ".join(text.split()[:3]))
    project.pytester.makepyfile(LIMITS)
    result = project.run("-k", "loose", "--whisperq-early-stop=false", "--whisperq-save=run.json")
    alone = "judged utterance by utterance, for these 2 clusters alone: fewer than 5 tell nothing of others"
    result.stdout.fnmatch_lines([f"whisperq: {alone}", "test_*", "*FAIL: even the more favourable bound*", f"*{alone}"])
    result.assert_outcomes(failed=1)
    saved = json.loads((project.pytester.path / "run.json").read_text(encoding="utf-8"))
    assert alone in saved["corpus"]["notes"]
    assert alone in saved["gates"][0]["judgement"]["notes"]


def test_one_recording_under_many_names_and_speakers_certifies_nothing(project: Project) -> None:
    project.record(40, speakers=40, int8=same)
    table = project.corpus / "metadata.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    sound = (project.corpus / "clip0000.wav").read_bytes()
    for row in rows[1:]:
        (project.corpus / row[0]).write_bytes(sound)
        row[1] = rows[1][1]
    table.write_text("\n".join(map(",".join, rows)))
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-report=out")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["whisperq: 40 utterances in 1 independent groups certify no drop at all"])
    whole = json.loads((project.pytester.path / "out" / "report.json").read_text())["slices"][0]
    assert (whole["drop"], whole["lower"], whole["upper"]) == (0, None, None)


def test_few_speakers_of_whom_nothing_is_lost_pass_for_them(project: Project) -> None:
    project.record(count=300, speakers=1, int8=same)
    project.pytester.makepyfile(LIMITS)
    result = project.run("-k", "loose")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*accuracy: judged utterance by utterance, for this 1 cluster alone*"])


def test_a_corpus_that_states_no_language_is_told_one(project: Project) -> None:
    """What a model says when it is told a language is another transcript than what it says when it detects one."""
    project._make_corpus(project.corpus, ["guten morgen"] * 3)
    project._make_script(project.model, project.corpus, {"float32": None, "int8": None})
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_parity\ndef test_it(): pass\n")
    project.run()
    result = project.run("--whisperq-language=German", "--whisperq-report=out")
    told = "3 of 3 utterances state no language and are taken to be in de (--whisperq-language)"
    result.stdout.fnmatch_lines(["*; corpus calls, in de where it states no language; *", f"whisperq: {told}"])
    document = json.loads((project.pytester.path / "out" / "report.json").read_text())
    assert (document["settings"]["language"], document["corpus"]["notes"]) == ("de", [told])
    assert {row["language"] for row in document["utterances"]} == {"de"}
    assert told in html.unescape((project.pytester.path / "out" / "report.html").read_text())
    for cached in project.transcript_files():
        clips = [json.loads(line)["clip"].partition(":")[2] for line in cached.read_text().splitlines()[1:]]
        assert sorted(set(clips)) == ["de", "detect"]


def test_a_build_that_will_not_fit_into_memory_is_named_before_it_begins_and_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(count=20, int8=same)
    header = json.dumps({"weight": {"dtype": "F16", "shape": [1000, 1000, 500]}}).encode()
    (project.model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_parity\ndef test_it():\n    pass\n")
    monkeypatch.setattr(ScriptedBackend, "build_memory", {"int8": 3.0})
    monkeypatch.setattr(session, "available_memory", lambda: 4_000_000_000)
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "whisperq: warning: building of model (2.0 GB of weights in float32)*: scripted:int8 about 7.0 GB. 4.0 GB*",
            "test_*",
        ]
    )
    assert "scripted:int8, runs int8" in result.stdout.str()
    project.run().stdout.no_fnmatch_line("*takes memory*")  # it is in the cache
