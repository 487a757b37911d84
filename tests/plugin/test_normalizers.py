"""Scores under several normalizers and the warning when they disagree; languages without spaces, as users meet them."""

import json
import re

import pytest
from scripted_project import GATES, PLAIN_OR_WORKERS, WORDS, Project, same


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Project:
    """A project whose candidates are heard to the end, however broken: what is counted shows on all of the corpus."""
    return Project(request, ("-p", "no:xdist", "--whisperq-early-stop=false"))


@pytest.fixture(params=PLAIN_OR_WORKERS)
def any_project(request: pytest.FixtureRequest) -> Project:
    return Project(request, (*request.param, "--whisperq-early-stop=false"))


ACCURACY = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=3)
def test_accuracy():
    pass
"""
WARNING = "warning: accuracy gate of scripted:int8: the verdict depends on the normalizer: "


def shouting(index: int, reference: str) -> str:
    """Say every word right, and begin as sentences do."""
    return f"{reference.capitalize()}."


def japanese(index: int, reference: str) -> str:
    """Say one of twelve characters wrong in every second clip, and put a space in every third."""
    heard = reference.replace("晴", "雨") if index % 2 else reference
    return heard.replace("は", "は ") if index % 3 == 0 else heard


def forecast(project: Project, languages: list[str], **precisions: list[str]) -> None:
    """Make recordings that say the same, in the languages given."""
    texts = {
        "ja": "今日は晴れるでしょうか。",
        "zh": "今天天气很好",
        "th": "วันนี้อากาศดี",
        "en": "will the sun shine today",
    }
    references = [texts[language] for language in languages]
    project._make_corpus(project.corpus, references, {"language": languages})
    project._make_script(project.model, project.corpus, {"float32": None, **precisions})


def test_a_pass_that_depends_on_the_normalizer_is_green_and_says_so(any_project: Project) -> None:
    any_project.record(int8=shouting)
    any_project.pytester.makepyfile(ACCURACY)
    result = any_project.run("--whisperq-normalizer=whisper-basic", "-W", "error")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    (line,) = [line for line in result.outlines if line.startswith(WARNING)]
    assert re.fullmatch(
        re.escape(WARNING) + r"PASS under whisper-basic \(whisper-normalizer [\d.+]+\), FAIL under identity \(1\)", line
    )


def test_a_failure_that_depends_on_the_normalizer_lists_every_score(project: Project) -> None:
    project.record(int8=shouting)
    project.pytester.makepyfile(ACCURACY)
    result = project.run("--whisperq-normalizer=identity")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "  WER 0.00 % → 33.33 %",
            "  the same transcripts under other normalizers:",
            "    whisper-basic (*): WER 0.00 % → 0.00 %, drop +0.00, bounds at 95%: * … +*: PASS",
            "    by-language (*): WER 0.00 % → 0.00 %, drop +0.00, bounds at 95%: * … +*: PASS",
            "  the verdict depends on the normalizer: FAIL under identity (1), PASS under whisper-*",
            f"{WARNING}FAIL under identity (1), PASS under *",
        ]
    )


def test_transcripts_in_capital_letters_are_no_reason_to_warn(project: Project) -> None:
    """Under identity both models get every word wrong, so that a drop of a tenth of the words would pass there."""
    references = [f"HOLD THE LINE {word.upper()}" for word in WORDS * 40]
    project._make_corpus(project.corpus, references, {"language": ["en"] * len(references)})
    heard = [text.lower() for text in references]
    dropped = [text.replace("hold", "old") if n % 2 else text for n, text in enumerate(heard)]
    project._make_script(project.model, project.corpus, {"float32": heard, "int8": dropped})
    project.pytester.makepyfile(ACCURACY)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["    identity (1): WER 100.00 % → 100.00 %, *: no verdict, less than half of the *"])
    result.stdout.no_fnmatch_line("*depends on the normalizer*")


@pytest.mark.parametrize("change", [same, lambda index, text: "something else entirely"], ids=["pass", "fail"])
def test_where_all_normalizers_agree_there_is_no_warning(change: object, project: Project) -> None:
    project.record(int8=change)  # type: ignore[arg-type]
    project.pytester.makepyfile(ACCURACY)
    result = project.run()
    result.assert_outcomes(passed=int(change is same), failed=int(change is not same))
    result.stdout.no_fnmatch_line("*depends on the normalizer*")


def test_scores_reach_the_junit_file(project: Project) -> None:
    project.record(int8=shouting)
    project.pytester.makepyfile(ACCURACY)
    project.run("--whisperq-normalizer=whisper-basic", "--junitxml=out.xml")
    text = (project.pytester.path / "out.xml").read_text().replace("&quot;", '"')
    found = re.search(r'name="whisperq" value="(\{.*?\})" />', text)
    assert found
    scores = json.loads(found[1])["scores"]
    assert [(one["normalizer"].split()[0], one["check"]["verdict"]) for one in scores] == [
        ("whisper-basic", "PASS"),
        ("identity", "FAIL"),
        ("by-language", "PASS"),
    ]
    assert [one["candidate_rate"] for one in scores] == [0.0, pytest.approx(1 / 3), 0.0]


def test_japanese_is_gated_on_characters(project: Project) -> None:
    reference = "今日は晴れるでしょうか。"
    forecast(project, ["ja"] * 200, int8=[japanese(n, reference) for n in range(200)])
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-min-exact-match=0.8")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "  corpus calls: 200 utterances, 2200 characters",  # the full stop goes
            "  exact match: 50.00 % of utterances (must stay above 80); *",
            "  divergence: 4.55 % of characters (must stay below 5); *",
            "  worst 5 utterances (characters):",
            "    clip0003.wav  +1  *",
            "      reference  今日は晴れるでしょうか",
            "      baseline   今日は晴れるでしょうか",
            "      candidate  今日は雨れるでしょうか",  # without the space that it has
        ]
    )
    result.stdout.fnmatch_lines(["  CER 0.00 % → 4.55 %", "  CER drop: +4.55 points (must stay below 1); *"])
    result.stdout.fnmatch_lines([" CER, % *0.00 → 4.55", "*; corpus calls, 2200 characters; whisper-basic (*"])


OTHERS = """
import pytest

@pytest.mark.whisperq_catastrophe(max_rate=0.5)
def test_catastrophe():
    pass

@pytest.mark.whisperq_accuracy(max_drop=3)
def test_accuracy():
    pass
"""


@pytest.mark.parametrize(
    ("languages", "said", "one"),
    [
        (["zh"] * 40, "240 characters", "a character"),
        (["en", "zh"] * 20, "220 words and characters", "a word or character"),
        (["en"] * 40, "200 words", "a word"),
    ],
)
def test_what_is_said_is_told_in_what_the_corpus_is_written_in(
    project: Project, languages: list[str], said: str, one: str
) -> None:
    """Before the gates, by each gate, with a metric or without, and behind them."""
    forecast(project, languages, int8=["x"] * 40)
    project.pytester.makepyfile(OTHERS)
    result = project.run()
    result.assert_outcomes(failed=2)
    size = f"  corpus calls: 40 utterances, {said}"
    foreseen = (
        f"whisperq: 40 utterances / {said} certify a drop below * (judged by 8% of the texts changing by {one}; *"
    )
    result.stdout.fnmatch_lines([foreseen, size, size, f"against scripted:float32; corpus calls, {said}; *"])


def test_a_marker_that_asks_for_words_gets_words(project: Project) -> None:
    forecast(project, ["ja"] * 50, int8=["今日は雨でしょうか。"] * 50)
    project.pytester.makepyfile(ACCURACY.replace("max_drop=3", "max_drop=3, metric='wer'"))
    result = project.run()
    result.stdout.fnmatch_lines(["  corpus calls: 50 utterances, 50 words", "  WER 0.00 % → 100.00 %"])


def test_vowel_signs_are_heard(project: Project) -> None:
    """With whisper-basic, which blanks them out, both say the same."""
    forecast(project, ["th"] * 200, int8=["วันนื้อากาศดื"] * 200)
    project.pytester.makepyfile(ACCURACY)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["  normalizer by-language (*", f"{WARNING}FAIL under by-language (*), PASS under whisper-basic (*)"]
    )


def test_a_mixture_is_judged_by_words_and_characters_and_says_so_first(any_project: Project) -> None:
    """One of 4 words per clip is wrong in English, one of 11 characters in Japanese: 200 + 200 of 200·5 + 200·11."""
    spoilt = ["will a sun shine today", "今日は晴れるでしょうが。"] * 200
    forecast(any_project, ["en", "ja"] * 200, int8=spoilt)
    any_project.pytester.makepyfile(ACCURACY.replace("max_drop=3", "max_drop=20"))
    result = any_project.run()
    result.assert_outcomes(passed=1)
    said = result.outlines.index(
        "whisperq: calls mixes languages written with spaces (200 en) and without (200 ja): errors are counted in "
        "words of those and in characters of these, the mixed error rate (MER); --whisperq-metric chooses another"
    )
    assert said < next(number for number, line in enumerate(result.outlines) if "PASS" in line or "passed" in line)
    result.stdout.fnmatch_lines(["*MER*", "*0.00 → 12.50*"])


def test_a_failing_mixture_shows_its_figures_by_name(project: Project) -> None:
    forecast(project, ["en", "ja"] * 100, int8=["will a sun shine today", "今日は晴れるでしょうが。"] * 100)
    project.pytester.makepyfile(ACCURACY)
    result = project.run("--whisperq-report=out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "  corpus calls: 200 utterances, 1600 words and characters",
            "  MER 0.00 % → 12.50 %",
            "  MER drop: +12.50 points*",
            "  MER is the mixed error rate: of words where spaces part them and of characters where none do",
        ]
    )
    document = json.loads((project.pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert document["settings"]["metric"] == "mer"
    assert [row["length"] for row in document["utterances"][:2]] == [5, 11]


def test_bounds_that_count_words_are_refused_for_a_mixture_before_any_gate(any_project: Project) -> None:
    forecast(any_project, ["en", "ja"] * 20)
    any_project.pytester.makepyfile(GATES)
    result = any_project.run("--whisperq-bounds=mapsswe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-bounds: mapsswe counts words in points, * metric='mer'; use t *"])
    assert not any_project.transcript_files()


def test_a_mixture_whose_metric_is_chosen_says_nothing_of_it(project: Project) -> None:
    forecast(project, ["en", "ja"] * 20)
    project.pytester.makepyfile(ACCURACY)
    project.run("--whisperq-metric=cer").stdout.no_fnmatch_line("*mixes languages*")


@pytest.mark.parametrize("how", ["option", "ini", "marker"])
def test_a_mixture_that_says_what_to_count_is_gated(how: str, project: Project) -> None:
    forecast(project, ["en", "ja"] * 20, int8=["x"] * 40)
    marker = "max_drop=3, metric='cer'" if how == "marker" else "max_drop=3"
    project.pytester.makepyfile(ACCURACY.replace("max_drop=3", marker))
    project.pytester.makeini("[pytest]\nwhisperq_metric = cer\n" if how == "ini" else "[pytest]\n")
    result = project.run(*(["--whisperq-metric=cer"] if how == "option" else []))
    result.stdout.fnmatch_lines(["  corpus calls: 40 utterances, 700 characters", "  CER drop: *"])


def test_another_metric_is_refused(project: Project) -> None:
    project.record(10, int8=same)
    project.pytester.makepyfile(ACCURACY)
    result = project.run("--whisperq-metric=ter")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-metric: must be one of wer, cer, mer (got 'ter')*"])


def test_substitutions_decide_a_gate_and_stand_in_its_normalizer(any_project: Project) -> None:
    """Every text ends in another spelling of a word that a team counts as the same."""
    any_project.record(int8=lambda index, text: text.rsplit(" ", 1)[0] + " ackme")
    rows = "".join(f'{word} = "ackme"\n' for word in WORDS)
    any_project.pytester.path.joinpath("own.toml").write_text(f"[replace]\n{rows}")
    any_project.pytester.makepyfile(ACCURACY)
    any_project.run().assert_outcomes(failed=1)
    result = any_project.run("--whisperq-substitutions=own.toml")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*; whisper-english (whisper-normalizer *, substitutions *)*"])


def test_a_file_of_substitutions_that_is_none_is_refused_before_any_gate(project: Project) -> None:
    project.record(10, int8=same)
    project.pytester.path.joinpath("own.toml").write_text("[replace]\na = 3\n")
    project.pytester.makepyfile(ACCURACY)
    result = project.run("--whisperq-substitutions=own.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*own.toml: replace.a: must be a text (got 3)*"])
    assert not project.transcript_files()


OWN = """
from pytest_whisperq import Normalizer

def pytest_whisperq_normalizers():
    return [Normalizer(name="mute", version="1", apply=lambda text, language: "the same")]
"""


def test_a_conftest_brings_a_normalizer(any_project: Project) -> None:
    any_project.record(int8=lambda index, text: "something else")
    any_project.pytester.makepyfile(ACCURACY)
    any_project.pytester.makeconftest(OWN)
    any_project.run().assert_outcomes(failed=1)
    result = any_project.run("--whisperq-normalizer=mute", "--whisperq-report=out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*; mute (1)*"])


def test_one_that_is_none_or_misspelt_is_refused(project: Project) -> None:
    project.record(10, int8=same)
    project.pytester.makepyfile(ACCURACY)
    project.pytester.makeconftest(OWN.replace("Normalizer(name", "dict(name"))
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*a normalizer is a value of pytest_whisperq.Normalizer (got {'name': 'mute'*"])
    project.pytester.makeconftest(OWN)
    result = project.run("--whisperq-normalizer=mutes")
    result.stderr.fnmatch_lines(["*unknown normalizer 'mutes' (did you mean 'mute'?)*"])
