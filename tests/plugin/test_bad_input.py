"""What a user gets for a slip: one message that names it, exit code 4, and never a green run."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scripted_project import GATES, Project, same

from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.models import source


def with_gates(project: Project) -> Project:
    project.record(30, int8=same)
    project.pytester.makepyfile(GATES)
    return project


@pytest.fixture
def gated(project: Project) -> Project:
    return with_gates(project)


@pytest.fixture
def gated_anywhere(any_project: Project) -> Project:
    return with_gates(any_project)


def assert_usage_error(result: pytest.RunResult, *parts: str) -> None:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str() + result.stdout.str()
    assert "Traceback" not in text
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (
            ["--whisperq-backend=opnvino"],
            ["--whisperq-backend: unknown backend 'opnvino' (did you mean 'openvino'?)"],
        ),
        (["--whisperq-backend=scripted", "--whisperq-precision=int9"], ["unknown precision 'int9'", "int8"]),
        (["--whisperq-candidate=scripted:float16"], ["unknown precision for scripted 'float16'", "float32"]),
        (["--whisperq-candidate=scripted"], ["--whisperq-candidate: 'scripted' names no precision", "scripted:int8"]),
        (["--whisperq-max-drop=lots"], ["--whisperq-max-drop: must be a number", "'lots'"]),
        (["--whisperq-confidence=1"], ["--whisperq-confidence: must be a level", "'1'"]),
        (["--whisperq-normalizer=whisper"], ["--whisperq-normalizer: unknown normalizer 'whisper'", "whisper-basic"]),
        (["--whisperq-model=nowhere"], ["--whisperq-model: 'nowhere' is neither a directory"]),
        (["--whisperq-corpus=nowhere"], ["--whisperq-corpus: 'nowhere' does not exist"]),
    ],
)
def test_a_bad_option_ends_the_run(gated: Project, options: list[str], parts: list[str]) -> None:
    assert_usage_error(gated.run(*options), *parts)


def test_a_bad_option_ends_the_run_with_and_without_workers(gated_anywhere: Project) -> None:
    assert_usage_error(gated_anywhere.run("--whisperq-max-drop=lots"), "--whisperq-max-drop: must be a number")


def test_a_pipe_is_no_place_to_save_a_run_and_is_refused_before_any_gate(gated: Project) -> None:
    """As a device is, which a test had better not try: a file would take its place."""
    pipe, link = gated.pytester.path / "pipe", gated.pytester.path / "link.json"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for name in ("pipe", "link.json"):
        result = gated.run(f"--whisperq-save={name}")
        assert_usage_error(result, f"--whisperq-save: {name} is no regular file; name one")
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert not gated.transcript_files()


def test_a_bad_ini_value_is_named(gated: Project) -> None:
    gated.pytester.makeini("[pytest]\nwhisperq_seed = minus\n")
    assert_usage_error(gated.run(), "whisperq_seed (ini): must be a whole number", "'minus'")


def test_a_missing_recording_names_the_line(gated: Project) -> None:
    (gated.corpus / "clip0003.wav").unlink()
    assert_usage_error(gated.run(), "metadata.csv:5: the audio file 'clip0003.wav' does not exist")


def test_a_broken_recording_names_the_line(gated_anywhere: Project) -> None:
    (gated_anywhere.corpus / "clip0003.wav").write_bytes(b"RIFF but not really")
    assert_usage_error(gated_anywhere.run(), "metadata.csv:5: clip0003.wav: ", "replace")


def test_a_recording_that_was_cut_names_the_line_and_both_lengths(gated: Project) -> None:
    whole = (gated.corpus / "clip0003.wav").read_bytes()
    (gated.corpus / "clip0003.wav").write_bytes(whole[: len(whole) * 2 // 5])
    assert_usage_error(gated.run(), "metadata.csv:5: clip0003.wav: is cut off: it holds 0.60 s", "promises 1.50 s")


def test_an_hour_in_one_file_is_refused_before_it_is_decoded(gated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gated.corpus / "clip0000.wav"
    soundfile.write(path, np.zeros(3600 * 16_000, np.int16), 16_000, "PCM_U8")
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **options: pytest.fail("it was decoded"))
    where = "metadata.csv:2: clip0000.wav: lasts 3600 s, longer than Whisper's 30 s window; split it at pauses"
    assert_usage_error(gated.run(), where)


def test_an_empty_corpus_is_not_a_pass(gated: Project) -> None:
    (gated.corpus / "metadata.csv").write_text("file_name,text,language\n")
    assert_usage_error(gated.run(), "calls: holds no utterance")


def test_an_unknown_keyword_lists_the_valid_ones(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile("import pytest\n@pytest.mark.whisperq_accuracy(max_dorp=1)\ndef test_it():\n    pass\n")
    message = "whisperq_accuracy: unknown keyword 'max_dorp' (did you mean 'max_drop'?); valid: drop_type"
    assert_usage_error(project.run(), "test_it", message)


def test_an_unknown_keyword_fails_under_xdist_too(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.record(30, int8=same)
    project.pytester.makepyfile("import pytest\n@pytest.mark.whisperq_parity(7)\ndef test_it():\n    pass\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*whisperq_parity: takes keywords only (got 7); valid: min_exact_match*"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("whisperq_accuracy(max_drop='1')", "max_drop must be a number from -100 to 1000 (got '1')"),
        ("whisperq_size(max_ratio=50)", "max_ratio must be a ratio above 0, up to 10: 0.5 is half the baseline's size"),
        ("whisperq_accuracy(metric='ter')", "metric must be one of 'wer', 'cer', 'mer' (got 'ter')"),
        (
            "whisperq_parity(min_exact_match=80)",
            "min_exact_match must be a rate from 0 up to, not including, 1, such as 0.80 for 80 % (got 80)",
        ),
    ],
)
def test_a_bad_marker_value_is_named(project: Project, call: str, message: str) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(f"import pytest\n@pytest.mark.{call}\ndef test_it():\n    pass\n")
    assert_usage_error(project.run(), message)


def test_without_a_backend_gates_are_skipped_not_passed(gated_anywhere: Project) -> None:
    result = gated_anywhere.run_plain("-q")
    result.assert_outcomes(skipped=2)
    why = "no gate runs without --whisperq-backend or --whisperq-candidate"
    result.stdout.fnmatch_lines([f"whisperq: 2 tests skipped, and nothing gated: {why}"])
    gated_anywhere.run_plain("-rs").stdout.fnmatch_lines([f"SKIPPED*{why}"])
    gated_anywhere.run("-q").stdout.no_fnmatch_line("*nothing gated*")


def test_a_backend_without_any_gate_says_so(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile("def test_plain():\n    pass\n")
    project.run().stdout.fnmatch_lines(["*no gate reached a verdict: none was collected*"])


def test_a_gate_marker_on_a_unittest_case_fails(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(
        "import pytest, unittest\nclass TestCase(unittest.TestCase):\n"
        "    @pytest.mark.whisperq_accuracy\n    def test_it(self):\n        pass\n"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a gate marker belongs on a test function*"])


def test_a_clip_the_model_cannot_decode_is_one_message(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(GATES)
    (project.model / "scripted.json").write_text('{"float32": {}, "int8": {}}')
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["whisperq: scripted:float32 at *metadata.csv:2: the script has no text for this clip*"]
    )


BLOCK = """
import importlib.util
original = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "openvino" else original(name, *rest)
"""


def test_a_missing_backend_is_an_error_when_named(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(GATES, block=BLOCK)
    result = project.pytester.runpytest_subprocess("-p", "block", "--whisperq-backend=openvino")
    assert_usage_error(result, "backend 'openvino' needs openvino", 'pip install "pytest-whisperq[openvino]"')


def test_a_missing_backend_is_skipped_with_the_install_line_under_all(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(GATES, block=BLOCK)
    result = project.pytester.runpytest_subprocess("-p", "block", "--whisperq-backend=all", "-rs", "-k", "openvino")
    assert result.parseoutcomes().keys() == {"skipped", "deselected"}
    assert result.parseoutcomes()["skipped"] == 2
    result.stdout.fnmatch_lines(['*pip install "pytest-whisperq[[]openvino]"*'])


def say_in_last(project: Project, count: int, text: str) -> str:
    """Replace the transcripts of the last clips; return the last one's name."""
    metadata = project.corpus / "metadata.csv"
    lines = metadata.read_text().splitlines()
    for number in range(len(lines) - count, len(lines)):
        name, _, language = lines[number].split(",")
        lines[number] = f"{name},{text},{language}"
    metadata.write_text("\n".join(lines))
    return lines[-1].partition(",")[0]


def test_a_column_that_is_named_and_not_there_is_told_with_those_that_are(gated: Project) -> None:
    told = "metadata.csv:2: has no column 'said'; it has: file_name, text, language; correct --whisperq-text-column"
    assert_usage_error(gated.run("--whisperq-text-column=said"), told)
    told = "--whisperq-corpus-root: nowhere is no folder"
    assert_usage_error(gated.run("--whisperq-corpus-root=nowhere"), told)


def test_one_transcript_of_which_nothing_is_left_ends_no_run_and_is_noted(gated: Project) -> None:
    name = say_in_last(gated, 1, "[laughs]")
    result = gated.run()
    assert result.ret in (0, 1)
    result.stdout.fnmatch_lines([f"*{name}: a transcript has no words under *; what is heard there counts as made up*"])


def test_transcripts_of_which_mostly_nothing_is_left_are_named_before_anything_is_decoded(gated: Project) -> None:
    say_in_last(gated, 16, "[laughs]")
    assert_usage_error(gated.run(), "metadata.csv:16: nothing is left of the transcript '[laughs]'")
    assert not gated.transcript_files()


def test_a_gate_that_does_not_exist_is_named_and_those_that_do(project: Project) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile("def test_it(whisperq_gate):\n    whisperq_gate.report('wer')\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*whisperq_gate.report: unknown gate 'wer'*accuracy*speedup*"])


def test_what_a_redacted_run_refuses_quotes_no_transcript(gated: Project) -> None:
    """Whisper's normalizers leave nothing of what stands in brackets: it may be just what nobody shall read."""
    say_in_last(gated, 16, "(Mr Smith hangs up)")
    result = gated.run("--whisperq-redact")
    assert_usage_error(result, "metadata.csv:16: nothing is left of the transcript … under the normalizer")
    assert "Smith" not in result.stdout.str() + result.stderr.str()
    assert_usage_error(gated.run("--whisperq-redact", "--whisperq-model=nowhere"), "'nowhere' is neither a directory")


@pytest.mark.parametrize("order", [("gates", "gates/slow.py"), ("gates/slow.py::test_parity", "gates")])
def test_a_file_that_pytest_would_pass_over_beside_its_folder_is_no_green_run(
    project: Project, order: tuple[str, str]
) -> None:
    project.record(60, int8=same)
    folder = project.pytester.mkdir("gates")
    for name in ("test_quick.py", "slow.py"):
        (folder / name).write_text(GATES)
    (other,) = (name for name in order if name != "gates")
    assert_usage_error(project.run(*order), f"{other} lies in gates, and pytest collects only one of them")
    assert project.run("gates/slow.py", "gates/test_quick.py", "--collect-only", "-q").ret == pytest.ExitCode.OK


def test_neither_is_a_file_in_a_folder_that_pytest_does_not_enter_or_beside_one_above(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(60, int8=same)
    project.pytester.makepyfile(GATES)
    below = project.pytester.mkdir("build")
    for name in ("test_quick.py", "slow.py"):
        (below / name).write_text(GATES)
    assert_usage_error(project.run(".", "build"), "build lies in ., and pytest collects only one of them")
    assert_usage_error(project.run(".", "build/test_quick.py"), "build/test_quick.py lies in ., and pytest")
    monkeypatch.chdir(below)
    options = [f"--whisperq-{name}={project.pytester.path / name}" for name in ("model",)]
    corpus = f"--whisperq-corpus={project.corpus}"
    assert_usage_error(project.run("..", "slow.py", *options, corpus), "slow.py lies in .., and pytest collects")


def test_a_module_that_pytest_would_pass_over_beside_its_package_is_told_too(project: Project) -> None:
    project.record(60, int8=same)
    package = project.pytester.mkpydir("gates")
    for name in ("test_quick.py", "slow.py"):
        (package / name).write_text(GATES)
    project.pytester.syspathinsert()
    assert_usage_error(project.run("--pyargs", "gates", "gates.slow"), "gates.slow lies in gates, and pytest collects")


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 8 collects only the module then")
def test_a_test_module_may_be_named_beside_its_folder(project: Project) -> None:
    project.record(60, int8=same)
    folder = project.pytester.mkdir("gates")
    (folder / "test_quick.py").write_text(GATES)
    options = ("-k", "parity", "--whisperq-min-exact-match=0.5")
    result = project.run("gates", "gates/test_quick.py::test_parity", *options)
    result.assert_outcomes(passed=1, deselected=1)
    (folder / "slow.py").write_text(GATES)
    kept = project.run("--keep-duplicates", "gates", "gates/slow.py", *options)
    assert kept.ret == pytest.ExitCode.OK
    kept.stdout.fnmatch_lines(["gates/slow.py*"])
    project.pytester.makeini("[pytest]\npython_files = gates/s*.py test_*.py\n")
    project.run("gates", "gates/slow.py", *options).assert_outcomes(passed=2, deselected=2)


@pytest.mark.parametrize("option", ["corpus", "model", "cache-dir", "waivers", "compare", "report"])
def test_a_name_that_no_file_can_have_is_one_message(gated: Project, option: str) -> None:
    name = "x" * 300
    assert_usage_error(gated.run(f"--whisperq-{option}={name}"), f"--whisperq-{option}: '{name}' cannot be looked at: ")


def test_a_file_that_the_system_refuses_is_named(gated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file without r permission, or in a folder without x, does to all but root, who runs this in containers."""

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(source, "sha256", refuse)
    assert_usage_error(gated.run(), "model/scripted.json: Permission denied; check the name, the permissions")


def test_it_is_named_inside_of_a_gate_too(gated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied", "model/scripted.json")

    monkeypatch.setattr(EarlyStopping, "failed", refuse)
    result = gated.run("-k", "accuracy")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["whisperq: model/scripted.json: Permission denied; check *"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*raise *")


def test_a_generation_config_that_is_no_json_ends_the_run(gated_anywhere: Project) -> None:
    (gated_anywhere.model / "generation_config.json").write_text("{")
    assert_usage_error(gated_anywhere.run(), "model/generation_config.json: it cannot be read (JSONDecodeError")


def test_a_number_of_workers_that_is_none_ends_the_run(gated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "abc")
    assert_usage_error(gated.run(), "PYTEST_XDIST_WORKER_COUNT: must be a whole number, 1 or more (got 'abc')")
