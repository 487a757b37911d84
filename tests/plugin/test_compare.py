"""A run compared with saved ones: the last accepted, and an anchor that ten small losses do not move."""

import json
import re
from collections.abc import Callable

import pytest
from scripted_project import Project, same

from pytest_whisperq.__main__ import main

GATE = "import pytest\n\n@pytest.mark.whisperq_accuracy(max_drop=3)\ndef test_it(): pass\n"


def losing(words: int) -> Callable[[int, str], str]:
    """Get a word wrong in so many of a hundred clips of six words."""
    return lambda index, text: text.rsplit(" ", 1)[0] + " wrong" if index % 100 < words else text


def saved(project: Project, name: str, change: Callable[[int, str], str], **more: Callable[[int, str], str]) -> None:
    project.record(int8=change, **more)
    project.pytester.makepyfile(GATE)
    project.run(f"--whisperq-save={name}")


def test_a_candidate_that_fell_behind_fails_though_its_drop_is_within_the_limit(project: Project) -> None:
    saved(project, "good.json", same, float32=losing(9))
    project.record(int8=losing(40), float32=losing(35))
    result = project.run("--whisperq-compare=good.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*drop: +0.83 points*", "*drop since good.json: +6.67 points (must stay below 3)*"])


def test_one_that_kept_up_passes_and_the_table_says_against_what(project: Project) -> None:
    saved(project, "good.json", losing(3))
    result = project.run("--whisperq-compare=good.json")
    assert result.ret == pytest.ExitCode.OK
    assert re.search(r"drop since .*\+0\.00", result.stdout.str())


def test_an_anchor_sees_what_small_losses_add_up_to(project: Project) -> None:
    """Each step loses a point and is accepted; the anchor is four steps back."""
    baseline = losing(30)
    for step in range(5):
        saved(project, f"{step}.json", losing(6 * step), float32=baseline)
    last = project.run("--whisperq-compare=3.json")
    assert last.ret == pytest.ExitCode.OK
    anchored = project.run("--whisperq-compare=3.json,0.json")
    assert anchored.ret == pytest.ExitCode.TESTS_FAILED
    anchored.stdout.fnmatch_lines(["*drop since 3.json: +1.00*", "*drop since 0.json: +4.00*"])


def test_another_corpus_is_explained_and_not_compared(project: Project) -> None:
    saved(project, "run.json", same)
    project.pytester.path.joinpath("calls", "clip0000.wav").write_bytes(
        project.pytester.path.joinpath("calls", "clip0001.wav").read_bytes()
    )
    rows = project.pytester.path.joinpath("calls", "metadata.csv").read_text().splitlines(keepends=True)
    project.pytester.path.joinpath("calls", "metadata.csv").write_text("".join([rows[0], *rows[2:]]))
    result = project.run("--whisperq-compare=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*INCONCLUSIVE: not compared: the corpus changed: 1 recordings gone (clip0000.wav); accept a new run*"]
    )


def test_a_run_under_another_normalizer_is_compared_under_its_own(project: Project) -> None:
    """What is lost is capital letters alone: under identity it is half of the words, then and now."""
    saved(project, "run.json", same)
    project.record(int8=lambda index, text: text.title())
    options = "--whisperq-compare=run.json", "--whisperq-normalizer=identity", "--whisperq-early-stop=false"
    project.run(*options).stdout.fnmatch_lines(
        [
            "  drop: +100.00 points*",
            "  drop since run.json: +0.00 points *",
            "*compared with run.json under its own normalizer, whisper-english (*",
        ]
    )


def test_other_substitutions_are_those_of_the_saved_run(project: Project) -> None:
    own = project.pytester.path / "own.txt"
    own.write_text("wrong => right\n")
    project.record(int8=losing(50))
    project.pytester.makepyfile(GATE)
    whole = "--whisperq-early-stop=false"
    project.run("--whisperq-save=run.json", "--whisperq-substitutions=own.txt", whole)
    stored = json.loads((project.pytester.path / "run.json").read_text())
    assert stored["settings"]["substitutions"] == {"wrong": "right"}
    assert ", substitutions " in stored["settings"]["normalizer"]
    result = project.run("--whisperq-compare=run.json", whole)
    result.stdout.fnmatch_lines(["*drop since run.json: +0.00*", "*under its own normalizer, *, substitutions *"])


def test_a_normalizer_that_is_gone_is_explained_and_not_compared(project: Project) -> None:
    saved(project, "run.json", same)
    path = project.pytester.path / "run.json"
    path.write_text(path.read_text().replace('"whisper-english (', '"whisper-english (old '))
    result = project.run("--whisperq-compare=run.json")
    result.stdout.fnmatch_lines(
        ["*not compared: the normalizer changed: whisper-english (old *), now whisper-english*"]
    )


@pytest.mark.parametrize("redact", [False, True])
def test_a_redacted_run_keeps_the_digest_of_substitutions_alone(redact: bool, project: Project) -> None:
    (project.pytester.path / "own.txt").write_text("acme => secretly\n")
    project.record(int8=same)
    project.pytester.makepyfile(GATE)
    project.run("--whisperq-save=run.json", "--whisperq-substitutions=own.txt", *["--whisperq-redact"] * redact)
    assert ("secretly" in (project.pytester.path / "run.json").read_text()) is not redact


def test_a_single_saved_candidate_stands_for_one_of_another_name(project: Project) -> None:
    saved(project, "run.json", same, int4_sym=losing(50))
    result = project.run(
        "--whisperq-compare=run.json", "--whisperq-candidate=scripted:int4-sym", "--whisperq-early-stop=false"
    )
    result.stdout.fnmatch_lines(["*drop since run.json (scripted:int8): +8.33 points*"])


def test_one_of_several_that_was_never_saved_is_inconclusive(project: Project) -> None:
    project.record(int8=same, int4_sym=same)
    project.pytester.makepyfile(GATE)
    both = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    project.run(both, "--whisperq-save=run.json")
    project.record(int8=same, int4_sym=same, float32=same)
    result = project.run("--whisperq-compare=run.json", "--whisperq-candidate=scripted:float32")
    result.stdout.fnmatch_lines(["*run.json has no candidate scripted:float32 that heard all of the corpus*"])


def test_a_saved_run_that_had_not_passed_is_named(project: Project) -> None:
    saved(project, "bad.json", losing(90))
    result = project.run("--whisperq-compare=bad.json", "--whisperq-early-stop=false")
    result.stdout.fnmatch_lines(["*bad.json itself had ended FAIL*"])


def test_a_file_that_is_no_run_ends_the_run_before_any_gate(project: Project) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile(GATE)
    (project.pytester.path / "run.json").write_text("{}")
    result = project.run("--whisperq-compare=run.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-compare: run.json is not a report of pytest-whisperq*"])


def test_a_redacted_run_can_be_compared_with(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(GATE)
    project.run("--whisperq-save=run.json", "--whisperq-redact")
    assert project.run("--whisperq-compare=run.json").ret == pytest.ExitCode.OK


def compared(project: Project, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    root = project.pytester.path
    capsys.readouterr()
    assert main(["compare", str(root / "old.json"), str(root / "new.json"), *arguments]) == 0
    return capsys.readouterr().out


def test_a_noisier_candidate_after_a_float_one_is_put_down_to_quantization(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.record(int8=losing(40))
    project.pytester.makepyfile(GATE)
    options = ("--whisperq-early-stop=false",)
    project.run("--whisperq-candidate=scripted:float32", "--whisperq-save=old.json", *options)
    project.run("--whisperq-save=new.json", *options)
    text = compared(project, capsys, "--html", str(project.pytester.path / "compared.html"))
    assert re.search(
        r"Beyond that the candidate got worse by \+6\.67 points .* against its baseline: quantization, or", text
    )
    assert "scripted:float32 → scripted:int8" in text
    assert "The baseline" not in text
    assert "Since earlier runs" in (project.pytester.path / "compared.html").read_text()


def test_another_base_checkpoint_is_put_down_to_the_model(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    saved(project, "old.json", same)
    project.record(float32=losing(40), int8=losing(40))
    project.run("--whisperq-save=new.json")
    text = compared(project, capsys)
    assert re.search(r"The baseline got worse by \+6\.67 points .*: base model or library\.", text)
    assert "another checkpoint under the name model" in text
    assert "quantization" not in text


def test_two_runs_over_other_recordings_are_refused_with_the_reason(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(project, "old.json", same)
    project.run("--whisperq-save=new.json", "--whisperq-max-utterances=200")
    root = project.pytester.path
    assert main(["compare", str(root / "old.json"), str(root / "new.json")]) == 2
    assert "not compared: the corpus changed: 100 recordings gone" in capsys.readouterr().out


def test_a_run_without_transcripts_cannot_be_compared(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_size(max_ratio=2)\ndef test_it(): pass\n")
    project.run("--whisperq-save=size.json")
    path = str(project.pytester.path / "size.json")
    assert main(["compare", path, path]) == 2
    assert "did not hear the corpus; save a run with an accuracy gate" in capsys.readouterr().out


def test_a_run_that_failed_does_not_replace_the_accepted_one(project: Project) -> None:
    saved(project, "accepted.json", same)
    path = project.pytester.path / "accepted.json"
    before = path.read_text()
    project.record(int8=losing(60))
    both = ("--whisperq-compare=accepted.json", "--whisperq-save=accepted.json")
    result = project.run(*both)
    result.stdout.fnmatch_lines(["*not saved: accepted.json is compared with, and this run ended FAIL*"])
    assert path.read_text() == before
    project.record(int8=same)
    project.run(*both)
    assert path.read_text() != before


WAIVER = '[[waiver]]\nid = "accuracy/scripted:int8"\nreason = "known"\nexpires = 2999-01-01\n'
SIZE = "\n@pytest.mark.whisperq_size(max_ratio=2)\ndef test_size(): pass\n"
PARITY = "import pytest\n\n@pytest.mark.whisperq_parity\ndef test_parity(): pass\n"


def test_a_failure_that_is_waived_does_not_replace_the_accepted_run(project: Project) -> None:
    saved(project, "accepted.json", same)
    path = project.pytester.path / "accepted.json"
    before = path.read_text()
    project.record(int8=losing(60))
    project.pytester.makepyfile(GATE + SIZE)
    (project.pytester.path / "waivers.toml").write_text(WAIVER)
    both = ("--whisperq-compare=accepted.json", "--whisperq-save=accepted.json", "--whisperq-report=out")
    result = project.run(*both, "--whisperq-waivers=waivers.toml")
    assert result.ret == pytest.ExitCode.OK
    # Its gates but the waived one passed.
    assert json.loads((project.pytester.path / "out" / "report.json").read_text())["verdict"] == "PASS"
    expected = "accuracy/scripted:int8 ended FAIL, waived until 2999-01-01"
    result.stdout.fnmatch_lines([f"*not saved: accepted.json is compared with, and {expected}"])
    assert path.read_text() == before


def test_a_run_without_an_accuracy_gate_says_that_it_was_not_compared(project: Project) -> None:
    saved(project, "accepted.json", same)
    path = project.pytester.path / "accepted.json"
    before = path.read_text()
    project.pytester.makepyfile(PARITY)
    only_compared = project.run("--whisperq-compare=accepted.json")
    only_compared.stdout.fnmatch_lines(["*whisperq: not compared with accepted.json:*"])
    result = project.run("--whisperq-compare=accepted.json", "--whisperq-save=accepted.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*whisperq: not compared with accepted.json: no accuracy gate ran, and there was no speedup to compare; *",
            "*whisperq: not saved: accepted.json is compared with, and no accuracy gate of this run was",
        ]
    )
    assert path.read_text() == before
    project.run("--whisperq-compare=accepted.json", "--whisperq-save=other.json")
    assert (project.pytester.path / "other.json").exists()


@pytest.mark.usefixtures("virtual_time")
def test_speedups_stand_for_a_run_that_has_nothing_else(project: Project) -> None:
    project.record(12, int8=same)
    script = json.loads((project.model / "scripted.json").read_text())
    for precision, seconds in (("float32", 0.04), ("int8", 0.01)):
        script[precision]["seconds"] = {"encoder": seconds, "token": 0.002}
    (project.model / "scripted.json").write_text(json.dumps(script))
    project.pytester.makepyfile(
        'import pytest\n\n@pytest.mark.whisperq_speedup(stage="encoder")\ndef test_ratio(): pass\n\n'
        "@pytest.mark.whisperq_accuracy(max_drop=90)\ndef test_accuracy(): pass\n"
    )
    project.run("--whisperq-timing-budget=6", "--whisperq-save=both.json")
    speed = ("--whisperq-timing-budget=6", "-k", "test_ratio")
    project.run(*speed, "--whisperq-save=speed.json")
    result = project.run(*speed, "--whisperq-compare=speed.json,both.json", "--whisperq-save=speed.json")
    result.stdout.no_fnmatch_line("*not compared with*")
    result.stdout.fnmatch_lines(["*over that of*", "*whisperq: saved speed.json*"])
    result = project.run(*speed, "--whisperq-compare=both.json", "--whisperq-save=both.json")
    result.stdout.fnmatch_lines(["*not saved: both.json is compared with, and no accuracy gate of this run was"])


def test_characters_are_not_compared_with_words(project: Project) -> None:
    saved(project, "words.json", same)
    project.pytester.makepyfile(GATE.replace("max_drop=3", 'max_drop=3, metric="cer"'))
    result = project.run("--whisperq-compare=words.json")
    advice = "to compare it, save a run with --whisperq-metric cer"
    result.stdout.fnmatch_lines([f"*INCONCLUSIVE: not compared: what is counted changed: wer, now cer; {advice}*"])
    project.run("--whisperq-metric=cer", "--whisperq-save=characters.json")
    compared = project.run("--whisperq-metric=cer", "--whisperq-compare=characters.json")
    compared.assert_outcomes(passed=1)
    compared.stdout.fnmatch_lines(["*drop since *PASS*", "*characters.json*"])


def test_a_run_that_extends_has_no_corpus_to_compare_on(project: Project) -> None:
    saved(project, "run.json", same)
    options = ("--whisperq-on-inconclusive=extend", "--whisperq-max-utterances=50")
    result = project.run("--whisperq-compare=run.json", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-compare: a run that extends*"])


def test_a_candidate_that_is_broken_beyond_doubt_is_not_compared(project: Project) -> None:
    saved(project, "run.json", same)
    project.record(int8=lambda index, text: "wrong")
    result = project.run("--whisperq-compare=run.json")
    result.stdout.no_fnmatch_line("*drop since*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.usefixtures("virtual_time")
def test_speedups_of_another_checkpoint_are_called_that(project: Project) -> None:
    project.record(12, int8=same)
    path = project.model / "scripted.json"
    script = json.loads(path.read_text())
    for precision, seconds in (("float32", 0.04), ("int8", 0.01)):
        script[precision]["seconds"] = {"encoder": seconds, "token": 0.002}
    path.write_text(json.dumps(script))
    project.pytester.makepyfile(
        'import pytest\n\n@pytest.mark.whisperq_speedup(stage="encoder")\ndef test_ratio(): pass'
    )
    project.run("--whisperq-timing-budget=6", "--whisperq-save=one.json")
    path.write_text(json.dumps({**script, "note": "another one"}))
    result = project.run("--whisperq-timing-budget=6", "--whisperq-compare=one.json")
    result.stdout.fnmatch_lines_random(["*one.json timed another checkpoint*", "*over that of*"])


def test_a_run_in_which_every_gate_is_skipped_replaces_no_saved_run(project: Project) -> None:
    saved(project, "accepted.json", same)
    path = project.pytester.path / "accepted.json"
    before = path.read_text()
    project.pytester.makepyfile(GATE.replace("@", "@pytest.mark.skipif(True, reason='x')\n@", 1))
    result = project.run("--whisperq-save=accepted.json")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["whisperq: nothing is written or compared: every gate was skipped"])
    assert path.read_text() == before
    (project.pytester.path / "test_broken.py").write_text("import nowhere\n")
    project.run("--whisperq-save=broken.json", "--continue-on-collection-errors")
    assert json.loads((project.pytester.path / "broken.json").read_text())["cut_short"] is True
