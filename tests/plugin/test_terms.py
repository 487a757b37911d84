"""The gates on terms and entities as users meet them: what is said before anything is decoded, and planted losses."""

import pytest
from scripted_project import PLAIN_OR_WORKERS, WORDS, Project, same

TESTS = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=3)
def test_accuracy(): pass

@pytest.mark.whisperq_terms(max_recall_drop=6, terms="terms.txt")
def test_terms(): pass
"""
TERM = WORDS[0]


def without_some(index: int, reference: str) -> str:
    """Say another word for every term, in each fifth text: a point and a half of all words."""
    return reference.replace(TERM, "something") if index % 5 == 0 else reference


@pytest.fixture(params=PLAIN_OR_WORKERS)
def any_project(request: pytest.FixtureRequest) -> Project:
    return Project(request, request.param)


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Project:
    return Project(request, ("-p", "no:xdist"))


def test_a_candidate_that_passes_on_words_fails_on_terms(any_project: Project) -> None:
    any_project.record(int8=without_some)
    any_project.pytester.path.joinpath("terms.txt").write_text(f"# names\n{TERM}\nacme cloud\n")
    any_project.pytester.makepyfile(TESTS)
    result = any_project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq terms gate: FAIL",
            "  recall drop: +* points (must stay below 6)*",
            "*of 2 terms 1 are never said in the corpus, and nothing is known of them: acme cloud*",
            f"*terms lost most: {TERM} (found * of * times, by the baseline *)*",
        ]
    )


CONFIGURED = TESTS.replace('max_recall_drop=6, terms="terms.txt"', "")


def test_what_the_terms_of_a_corpus_certify_is_said_first(any_project: Project) -> None:
    any_project.record(60, int8=same)
    any_project.pytester.path.joinpath("own.txt").write_text(f"{TERM}\n")
    any_project.pytester.makepyfile(CONFIGURED)
    result = any_project.run("--whisperq-terms=own.txt", "--whisperq-max-recall-drop=0.5", "-k", "terms")
    beyond = "max_recall_drop=0.5 is out of their reach: a gate with it cannot pass; at least * are needed"
    said = ["whisperq: * utterances / * terms certify a recall drop below * points *", f"whisperq: {beyond}"]
    result.stdout.fnmatch_lines(said)
    assert len([line for line in result.outlines if line.startswith("whisperq: ") and "recall drop below" in line]) == 1


def test_a_configured_file_that_cannot_be_used_ends_the_run_in_workers_too(any_project: Project) -> None:
    any_project.record(10, int8=same)
    any_project.pytester.path.joinpath("own.txt").write_text("[x]\n")
    any_project.pytester.makepyfile(CONFIGURED)
    result = any_project.run("--whisperq-terms=own.txt", "-k", "terms")
    assert "own.txt:1: nothing is left of the term" in result.stdout.str() + result.stderr.str()
    assert "whisperq terms gate" not in result.stdout.str()
    assert not any_project.transcript_files()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "*terms.txt: cannot be read: *correct --whisperq-terms, or terms= of the test*"),
        ("[x]\n", "*terms.txt:1: nothing is left of the term*"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_run_before_anything_is_decoded(
    content: str | None, message: str, project: Project
) -> None:
    project.record(10, int8=same)
    if content:
        project.pytester.path.joinpath("terms.txt").write_text(content)
    project.pytester.makepyfile(TESTS)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert not project.transcript_files()


def test_a_candidate_that_gets_numbers_wrong_fails_on_entities(project: Project) -> None:
    said = [f"please hold the line and dial {1000 + number} for the office in town" for number in range(200)]
    heard = [text.replace(" dial 1", " dial 9") if number % 5 == 0 else text for number, text in enumerate(said)]
    project._make_corpus(project.corpus, said, {"language": ["en"] * 200})
    project._make_script(project.model, project.corpus, {"float32": None, "int8": heard})
    project.pytester.makepyfile(
        "import pytest\n\n@pytest.mark.whisperq_entities(kinds=('digits', 'dates'))\ndef test_it(): pass\n"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq: 200 utterances / 200 entities certify a recall drop below * points *",
            "whisperq entities gate: FAIL",
            "  recall drop: +20.00 points (must stay below 2)*",
            "*entities lost most: 1000 (found 0 of 1 times, by the baseline 1), *",
        ]
    )


def test_a_candidate_that_loses_case_and_marks_fails_on_format_alone(project: Project) -> None:
    said = [f"Please call Anna, Bob or Carl, and {WORDS[number % len(WORDS)]}." for number in range(200)]
    project._make_corpus(project.corpus, said, {"language": ["en"] * 200})
    lower = [text.lower() for text in said]
    project._make_script(project.model, project.corpus, {"float32": None, "int8": lower})
    project.pytester.makepyfile(
        "import pytest\n\n@pytest.mark.whisperq_accuracy(max_drop=3)\ndef test_accuracy(): pass\n\n"
        "@pytest.mark.whisperq_format\ndef test_format(): pass\n"
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["whisperq: * certify a drop of format below * points *", "  format drop: +50.00 points (must stay below 1)*"]
    )


def test_format_of_transcripts_that_have_none_is_refused(project: Project) -> None:
    project.record(10, int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_format\ndef test_format(): pass\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*whisperq_format: the transcripts of the corpus have neither case nor punctuation; *"]
    )
