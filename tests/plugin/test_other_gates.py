"""Language, size, memory and determinism as users meet them."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_project import WORDS, Project, same

EVERY = """
import pytest

@pytest.mark.whisperq_language
def test_language():
    pass

@pytest.mark.whisperq_size
def test_size():
    pass

@pytest.mark.whisperq_determinism(repeats=2)
def test_determinism():
    pass

@pytest.mark.whisperq_memory
def test_memory():
    pass
"""


def test_the_original_against_itself_passes_every_gate(any_project: Project) -> None:
    any_project.record(int8=same)
    any_project.pytester.makepyfile(EVERY)
    result = any_project.run()
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines_random(
        [
            "scripted:int8, runs int8; * MB, built in * s*",
            "*same language, %*100.00*PASS",
            "*language, %*100.00 → 100.00*",
            "*size, %*100.00*< 110*PASS",
            "*unsteady, %*0.00*counted*= 0*PASS",
            "*peak memory, %*range*< 125*PASS",
        ]
    )


def test_a_candidate_that_hears_another_language_fails_and_shows_where(project: Project) -> None:
    project.record(int8=lambda index, text: [text, "fr"] if index % 2 else text)  # type: ignore[arg-type,return-value]
    project.pytester.makepyfile(EVERY)
    result = project.run("-k", "test_language")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq language gate: FAIL",
            "  language 100.00 % → 50.00 %",
            "  same language: 50.00 % of utterances (must stay above 95); *",
            "    clip0001.wav *",
            "      spoken     en",
            "      baseline   en",
            "      candidate  fr",
        ]
    )


def test_a_candidate_bigger_than_the_limit_fails(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(EVERY)
    result = project.run("-k", "test_size", "--whisperq-max-size-ratio=0.5")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["whisperq size gate: FAIL", "  size: 100.00 % of the baseline (must stay below 50); counted"]
    )
    result.stdout.no_fnmatch_line("*0 utterances*")


def test_an_english_only_model_has_no_language_to_gate(project: Project) -> None:
    project.record(int8=same)
    (project.model / "generation_config.json").write_text('{"is_multilingual": false}')
    project.pytester.makepyfile(EVERY)
    result = project.run("-k", "test_language")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*whisperq: whisperq_language: model is English-only and detects no language; *"])


@pytest.mark.parametrize("repeats", ["1", "True", "'2'", "2.0"])
def test_determinism_takes_a_number_of_repeats(repeats: str, project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(EVERY.replace("repeats=2", f"repeats={repeats}"))
    result = project.run("-k", "test_determinism")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*repeats must be a whole number from 2 to 100 (got *"])


SUITES = Path(__file__).parents[2] / "suites"


def test_the_packaged_language_gate_demands_nothing_of_an_english_only_model(project: Project) -> None:
    project.record(int8=same)
    (project.model / "generation_config.json").write_text('{"is_multilingual": false}')
    suites = map(str, (SUITES / "test_language.py", SUITES / "test_accuracy.py"))
    result = project.run("--whisperq-report=out", "--whisperq-export=models", *suites)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*whisperq: exported models/scripted-int8; *"])
    assert "did not pass" not in (project.pytester.path / "out" / "summary.md").read_text()


def test_the_packaged_language_gate_gates_a_multilingual_model(project: Project) -> None:
    project.record(int8=same)
    result = project.run(str(SUITES / "test_language.py"), "--whisperq-min-language-agreement=0.9")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*language* 90 *PASS*"])


TIMES = """
import pytest

@pytest.mark.whisperq_timestamps
def test_times():
    pass

def test_by_hand(whisperq_gate):
    whisperq_gate.timestamps(max_shift=0.9)
"""


def late(index: int, text: str) -> str:
    """Say the last word of every second clip half a second late."""
    *others, last = text.split()
    return " ".join([*others, f"{last}@3.0"]) if index % 2 else text


def test_times_that_do_not_move_pass(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(TIMES)
    result = project.run()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*segment shift, s *0.00*95 % within 0.00*",
            "*word shift, s *0.00*95 % within 0.00*",
            "*moved segments, %*0.00*< 5*PASS",
            "*moved words, %*0.00*< 5*PASS",
        ]
    )


def test_words_that_come_late_fail_and_are_shown(project: Project) -> None:
    project.record(int8=late)
    project.pytester.makepyfile(TIMES)
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq timestamps gate: FAIL",
            "  moved segments: 25.00 % of segment times (must stay below 5); bounds at 95%: *",
            "    FAIL: 600 times, moved if off by 0.5 s or more; median 0.00 s, 95th percentile 0.50 s; *",
            "  moved words: 8.33 % of word times (must stay below 5); *",
            "    clip0001.wav  +1  (*",
            "      baseline   0.00-3.00 *",
            "      candidate  0.00-3.50 *",
        ]
    )


def test_times_are_compared_with_the_same_backend_at_float32_whatever_the_baseline(project: Project) -> None:
    """Another runtime finds words in another way, which is no loss of the candidate's."""
    project.record(int8=same, int4_sym=late)
    project.pytester.makepyfile(TIMES)
    result = project.run("--whisperq-baseline=scripted:int4-sym")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*moved segments, %*0.00*< 5*PASS",
            "*lost segments, %*0.00*",
            "timestamps: times are compared with those of scripted:float32, where the words*",
        ]
    )


def test_a_shift_of_nothing_cannot_be_asked_for(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(TIMES)
    result = project.run("--whisperq-max-shift=0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-max-shift: must be a number of seconds above 0, up to 30, * (got '0')*"])


CATASTROPHES = """
import pytest

@pytest.mark.whisperq_catastrophe
def test_catastrophes():
    pass
"""


def test_a_tenth_of_the_calls_cut_off_is_a_catastrophe_by_class_and_clip(project: Project) -> None:
    project.record(int8=lambda index, text: " ".join(text.split()[:2]) if index % 10 == 0 else text)
    project.pytester.makepyfile(CATASTROPHES)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq catastrophe gate: FAIL",
            "  new catastrophes: 10.00 % of utterances (must stay below 2); bounds at 95%: 7.29 … 13.32",
            "    FAIL: 30 of 300 utterances (30 length, 30 truncated tail)",
            "  worst 3 utterances (new catastrophes):",
            "      kinds      length, truncated tail",
        ]
    )
    result.stdout.fnmatch_lines(["*no worse (QoI), %*90.00*at least 86.*"])


MADE_UP = "thank you for watching see you next time"


@pytest.mark.parametrize(
    ("heard", "kinds"),
    [
        (lambda text: MADE_UP, "10 unrelated"),
        (lambda text: f"{text} {text}", "10 length, 10 repetition"),
        (lambda text: "добрый день и до свидания", "10 other script, 10 unrelated"),
        (lambda text: "das ist nicht der Anschluss den sie suchen", "10 other language, 10 unrelated"),
    ],
    ids=["made up", "said twice", "Russian letters", "German words"],
)
def test_ten_of_two_hundred_calls_made_up_fail(project: Project, heard: Callable[[str], str], kinds: str) -> None:
    project.record(200, int8=lambda index, text: heard(text) if index % 20 == 0 else text)
    project.pytester.makepyfile(CATASTROPHES)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"    FAIL: 10 of 200 utterances ({kinds})"])


@pytest.mark.parametrize("normalizer", ["whisper-english", "whisper-basic", "identity"])
def test_a_telephone_number_that_is_cut_is_found_under_every_normalizer(project: Project, normalizer: str) -> None:
    """whisper-english makes one word of it, in which five lost digits are one wrong word."""
    number = "five five five one two one two nine nine eight"
    references = [f"{word} call me at {number} today" for word in itertools.islice(itertools.cycle(WORDS), 200)]
    heard = [
        text.replace(number, "five five five one two") if n % 20 == 0 else text for n, text in enumerate(references)
    ]
    project._make_corpus(project.corpus, references, {"language": ["en"] * 200})
    project._make_script(project.model, project.corpus, {"float32": None, "int8": heard})
    project.pytester.makepyfile(CATASTROPHES)
    result = project.run(f"--whisperq-normalizer={normalizer}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["    FAIL: 10 of 200 utterances (10 lost number)"])


def test_calls_that_stay_whole_pass_when_they_are_enough(project: Project) -> None:
    project.record(count=150, int8=same)
    project.pytester.makepyfile(CATASTROPHES)
    project.run().assert_outcomes(passed=1)
    few = project.run("--whisperq-max-utterances=100")
    few.assert_outcomes(failed=1)
    few.stdout.fnmatch_lines(["*INCONCLUSIVE: 0 of 100 utterances; * certify 2.95 % at best; 149 without one would *"])


@pytest.mark.parametrize(("asked", "outcome"), [("all", "skipped"), ("scripted", "failed"), ("all,scripted", "failed")])
def test_the_packaged_longform_gate_skips_what_hears_30_s_unless_it_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, asked: str, outcome: str
) -> None:
    monkeypatch.setattr("pytest_whisperq.config.candidates.in_all", lambda: ("scripted",))
    project.record(4, int8=same)
    options = (f"--whisperq-backend={asked}", "--whisperq-precision=int8")
    result = project.run("-rsf", *options, str(SUITES / "longform.py"))
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*scripted hears 30 s and no more*"])
