"""What becomes of a gate that cannot tell: it fails, is skipped by name, or looks at more of the corpus."""

import pytest
from scripted_project import GATES, Project, catastrophic, same

ACCURACY = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=1)
def test_accuracy():
    pass
"""


def slips(index: int, reference: str) -> str:
    """Get a word wrong in every hundredth clip: 0.17 points."""
    return f"{reference} uh" if index % 100 == 50 else reference


def test_it_fails_unless_told_otherwise(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile(ACCURACY)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["whisperq accuracy gate: INCONCLUSIVE"])


def test_it_is_skipped_green_and_named_at_the_end(any_project: Project) -> None:
    any_project.record(count=20, int8=same)
    any_project.pytester.makepyfile(ACCURACY)
    result = any_project.run("--whisperq-on-inconclusive=skip")
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["not certified, and green by --whisperq-on-inconclusive=skip: whisperq accuracy gate of scripted:int8 INCON*"]
    )


def test_what_passed_beside_it_is_not_called_inconclusive(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile(ACCURACY.replace("@", "@pytest.mark.whisperq_size\n@", 1))
    result = project.run("--whisperq-on-inconclusive=skip")
    result.assert_outcomes(skipped=1)
    assert result.stdout.str().count("not certified, and green") == 1


def test_a_candidate_that_fails_is_not_skipped(project: Project) -> None:
    project.record(int8=lambda index, text: text if index % 2 else "wrong")
    project.pytester.makepyfile(GATES)
    project.run("--whisperq-on-inconclusive=skip", "--whisperq-early-stop=false").assert_outcomes(failed=2)


@pytest.mark.parametrize("word", ["skip", "xfail"])
def test_what_is_broken_is_not_skipped_where_the_test_of_its_accuracy_does_not_show_it(
    project: Project, word: str
) -> None:
    """Decoding stops where accuracy has failed; a body that ends its test keeps that failure from the run."""
    project.record(int8=catastrophic)
    body = f"def test_accuracy():\n    pytest.{word}('not today')"
    project.pytester.makepyfile(GATES.replace("def test_accuracy():\n    pass", body))
    result = project.run("--whisperq-on-inconclusive=skip")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([" divergence, % *FAIL"])


def test_it_looks_at_more_of_the_corpus_until_it_can_tell(project: Project) -> None:
    project.record(count=800, int8=slips)
    project.pytester.makepyfile(ACCURACY)
    few = ("--whisperq-max-utterances=50",)
    project.run(*few).assert_outcomes(failed=1)
    result = project.run(*few, "--whisperq-on-inconclusive=extend")
    result.assert_outcomes(passed=1)
    # 50, 100, 200, 400, 800: five looks share the error of one
    result.stdout.fnmatch_lines(["*99% bounds*", "*drop, points*< 1*PASS"])


def test_what_the_whole_corpus_cannot_tell_still_fails(project: Project) -> None:
    project.record(count=40, int8=same)
    project.pytester.makepyfile(ACCURACY)
    result = project.run("--whisperq-max-utterances=20", "--whisperq-on-inconclusive=extend")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  corpus calls: 40 utterances, *", "*INCONCLUSIVE: *"])


def test_another_word_is_refused(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile(ACCURACY)
    result = project.run("--whisperq-on-inconclusive=warn")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--whisperq-on-inconclusive: must be one of fail, skip, extend (got 'warn')*"])


BODY = """
import pytest

{mark}
def test_it(whisperq_gate):
    whisperq_gate.accuracy(max_drop=0.01)
    {then}
"""


@pytest.mark.parametrize(
    ("mark", "then", "outcome"),
    [
        ("", "pass", "skipped"),
        ("", "assert 1 == 2", "failed"),
        ("", "whisperq_gate.size(max_ratio=0.01)", "failed"),
        ("@pytest.mark.whisperq_size(max_ratio=0.01)", "pass", "failed"),
        ("@pytest.mark.whisperq_size(max_ratio=2)", "whisperq_gate.parity(min_exact_match=0.999)", "skipped"),
    ],
)
def test_what_comes_after_a_gate_that_is_skipped_has_to_hold(
    project: Project, mark: str, then: str, outcome: str
) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile(BODY.format(mark=mark, then=then))
    result = project.run("--whisperq-on-inconclusive=skip", "-rs")
    result.assert_outcomes(**{outcome: 1})
    if outcome == "skipped":
        result.stdout.fnmatch_lines(["SKIPPED*whisperq accuracy gate of scripted:int8 INCONCLUSIVE:*"])


LATE = """
import pytest

@pytest.fixture
def checked(whisperq_gate):
    yield
    whisperq_gate.accuracy(max_drop=0.01)

def test_asked_at_run_time(whisperq_candidate, request):
    request.getfixturevalue("whisperq_gate").accuracy(max_drop=0.01)

def test_at_teardown(checked):
    pass
"""


def test_a_gate_that_is_asked_for_late_is_skipped_too(project: Project) -> None:
    project.record(count=20, int8=same)
    project.pytester.makepyfile(LATE)
    result = project.run("--whisperq-on-inconclusive=skip", "-rs")
    result.assert_outcomes(skipped=2, passed=1)  # the body of the second
    told = "SKIPPED*whisperq accuracy gate of scripted:int8 INCONCLUSIVE:*"
    result.stdout.fnmatch_lines([told, told])


def test_what_an_earlier_attempt_could_not_tell_is_forgotten(project: Project) -> None:
    """Plugins that rerun a test run the same item again."""
    project.record(count=20, int8=same)
    project.pytester.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=report)
            return True
        """
    )
    project.pytester.makepyfile(
        """
        tries = []

        def test_it(whisperq_gate):
            tries.append(1)
            whisperq_gate.accuracy(max_drop=0.01 if len(tries) == 1 else 90)
        """
    )
    project.run("--whisperq-on-inconclusive=skip").assert_outcomes(passed=1)
