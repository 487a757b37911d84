"""The marker that runs the contract of merges: a test for each check, with the counterexample as its failure."""

import pytest
from scripted_project import PLAIN_OR_WORKERS

from pytest_whisperq.contract import merge_kit

TEST = """
import pytest
from pytest_whisperq.contract.known_bad import AgreementStrip, SuffixPrefix
from pytest_whisperq.streaming import LocalAgreement

@pytest.mark.whisperq_merge_contract({})
def test_merge(): ...
"""


@pytest.fixture
def run(pytester: pytest.Pytester):
    def run(keywords: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(TEST.format(keywords))
        return pytester.runpytest("-p", "no:cacheprovider", *args)

    return run


@pytest.mark.parametrize("workers", PLAIN_OR_WORKERS)
def test_a_merge_that_keeps_it_passes(run, workers: tuple[str, ...]) -> None:
    chosen = ("-k", "I1- or I14", *workers)  # all of them are run in property/test_merges.py
    run("merger=LocalAgreement, level='text'", *chosen).assert_outcomes(passed=2, deselected=0 if workers else 10)


def test_a_failure_is_the_shortest_counterexample_and_nothing_else(run) -> None:
    result = run("merger=AgreementStrip", "-k", "I4")
    result.assert_outcomes(failed=1, deselected=13)
    told = ["I4 repeats, level TIMED: AgreementStrip: it does not say what was said", "*expected: *", "*found: *"]
    result.stdout.fnmatch_lines([*told, "*seq   window (ms)*", "*0-*"])
    call = "*check_exact_recovery(MergeSubject(AgreementStrip, level=Level.TIMED, profile=stream.profile), stream)"
    result.stdout.fnmatch_lines(["def test_i4_repeats():", call])
    result.stdout.no_fnmatch_line("*merge_kit.py*")


def test_the_highest_level_has_a_test_of_its_own(run, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = merge_kit.interior_error_rates
    monkeypatch.setattr(merge_kit, "interior_error_rates", lambda subject, examples: rates(subject, examples=100))
    result = run("merger=SuffixPrefix, level='interior'", "-k", "interior")
    result.assert_outcomes(failed=1, deselected=21)
    result.stdout.fnmatch_lines(["*SuffixPrefix, level INTERIOR: * % of its words are wrong, where windows mishear *"])


@pytest.mark.matrix
def test_a_merge_can_be_named(run) -> None:
    result = run("merger='pytest_whisperq.streaming:LocalAgreement', level='text'", "-k", "I1-")
    result.assert_outcomes(passed=1, deselected=11)


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ("merger=SuffixPrefix, level='loud'", "*level must be one of text, timed, *(got 'loud')*"),
        ("merger='nowhere:Merge'", "*merger 'nowhere:Merge' cannot be imported*"),
        ("merger=SuffixPrefix, max_lag=3", "*unknown keyword 'max_lag'*; valid: level, merger*"),
        ("level='text'", "*needs merger=, a class or 'module:Class' of a merge (got None)*"),
        ("merger=lambda: None, level='text'", "*takes no StreamProfile, and none is named: *--whisperq-merge-profile*"),
        ("merger=dict", "*dict claims no level: give level=, or the class an attribute `level`*"),
    ],
)
def test_what_cannot_be_meant_is_an_error(run, keywords: str, told: str) -> None:
    result = run(keywords)
    assert result.ret != pytest.ExitCode.OK
    (result.stdout if "nowhere" in keywords or result.outlines else result.stderr).fnmatch_lines([told])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.matrix
def test_a_profile_of_a_model_is_what_streams_are_made_of(run, pytester: pytest.Pytester) -> None:
    (pytester.path / "profile.json").write_text('{"window": 7777, "edge": 300}')
    result = run("merger=AgreementStrip", "-k", "I4", "--whisperq-merge-profile=profile.json")
    result.assert_outcomes(failed=1, deselected=13)
    (pytester.path / "profile.json").write_text('{"window": 1000}')
    broken = run("merger=AgreementStrip", "-k", "I4", "--whisperq-merge-profile=profile.json")
    assert broken.ret != pytest.ExitCode.OK
    told = broken.stdout.str() + broken.stderr.str()
    assert "--whisperq-merge-profile: profile.json: windows of 1000 ms every 1000 ms overlap by 0 ms" in told
    assert "Traceback" not in told


@pytest.mark.matrix
def test_the_profile_reaches_the_streams(run, pytester: pytest.Pytester) -> None:
    (pytester.path / "profile.json").write_text('{"window": 7777, "edge": 300}')
    (pytester.path / "own.py").write_text(
        "from pytest_whisperq.streaming import LocalAgreement\n\n"
        "class Own(LocalAgreement):\n"
        "    def __init__(self, profile):\n"
        "        super().__init__(profile)\n"
        "        assert (profile.window, profile.edge) == (7777, 300), profile\n"
    )
    pytester.syspathinsert()
    keywords = "merger='own:Own', level='text'"
    run(keywords, "-p", "own", "-k", "I1-", "--whisperq-merge-profile=profile.json").assert_outcomes(
        passed=1, deselected=11
    )


TWO = """
import pytest
import unittest
from pytest_whisperq.contract.known_bad import SuffixPrefix
from pytest_whisperq.streaming import LocalAgreement

contract = pytest.mark.whisperq_merge_contract
"""


def test_two_merges_on_one_test_are_refused(pytester: pytest.Pytester) -> None:
    marks = "@contract(merger=SuffixPrefix)\n@contract(merger=LocalAgreement, level='text')\n"
    pytester.makepyfile(f"{TWO}\n{marks}def test_merge(): ...\n")
    result = pytester.runpytest("-p", "no:cacheprovider")
    assert result.ret != pytest.ExitCode.OK
    told = "*has two markers whisperq_merge_contract; give each merge a test of its own*"
    (result.stdout if result.outlines else result.stderr).fnmatch_lines([told])


def test_a_marker_nearer_to_the_test_is_the_one_that_is_meant(pytester: pytest.Pytester) -> None:
    inner = "    @contract(merger=LocalAgreement, level='text')\n    def test_merge(self): ...\n"
    pytester.makepyfile(f"{TWO}\n@contract(merger=SuffixPrefix)\nclass TestMerge:\n{inner}")
    pytester.runpytest("-p", "no:cacheprovider", "-k", "I1-").assert_outcomes(passed=1, deselected=11)


@pytest.mark.parametrize(
    "test",
    [
        "class TestIt(unittest.TestCase):\n    @contract(merger=SuffixPrefix)\n    def test_it(self): ...\n",
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=contract(merger=SuffixPrefix))])\ndef test_it(x): ...\n",
    ],
)
def test_a_marker_where_no_test_can_be_made_of_it_is_told(pytester: pytest.Pytester, test: str) -> None:
    pytester.makepyfile(f"{TWO}\n{test}")
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*whisperq: a marker whisperq_merge_contract belongs on a test function*"])
