"""New catastrophes among the utterances at risk, and the exact bound of their rate."""

from collections.abc import Callable
from dataclasses import replace
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.gates.catastrophe import judge_catastrophe
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.catastrophe import binomial, clustered, measure_catastrophes
from pytest_whisperq.measuring.intervals import independent
from pytest_whisperq.measuring.pairs import PairedTexts

MakePairs = Callable[..., PairedTexts]
TEXT = "please hold the line until the next agent is free"


@pytest.mark.parametrize(
    ("spoken", "heard_as", "baseline", "kinds"),
    [
        (None, "fr", "en", ("other language",)),
        (None, "en", "en", None),
        (None, None, "en", None),
        (None, "en", None, None),  # the baseline does not tell
        ("en", "fr", "en", None),  # told a language, it writes in it
    ],
)
def test_another_language_is_a_catastrophe_where_a_model_may_choose(
    make_pairs: MakePairs, spoken: str | None, heard_as: str | None, baseline: str | None, kinds: tuple[str, ...] | None
) -> None:
    texts = make_pairs([TEXT] * 9, languages=[heard_as] * 9, spoken=[spoken] * 9)
    pairs = tuple(replace(pair, baseline_language=baseline) for pair in texts.pairs)
    found = measure_catastrophes(replace(texts, pairs=pairs), confidence=0.95)
    assert {one.kinds for one in found.catastrophes} == ({kinds} if kinds else set())


def test_catastrophes_of_a_language_without_spaces_are_found(make_pairs: MakePairs) -> None:
    said = ["係員が出るまでそのままお待ちください"] * 20
    cut = ["係員が出るまで" if n < 3 else text for n, text in enumerate(said)]
    found = measure_catastrophes(make_pairs(said, None, cut, spoken=["ja"] * 20), confidence=0.95)
    assert len(found.catastrophes) == 3
    assert found.no_regression.value == 17 / 20


def test_only_new_catastrophes_count_and_silence_that_speaks_is_one(make_pairs: MakePairs) -> None:
    texts = make_pairs(
        [TEXT] * 4 + [""] * 3,
        baseline=[TEXT, "", TEXT, TEXT, "", "hello", ""],
        candidate=["", "", TEXT, "please hold", "hello", "hello", ""],
        kinds=[""] * 4 + ["nonspeech"] * 3,
    )
    found = measure_catastrophes(texts, confidence=0.95)
    assert [(one.utterance.id, one.kinds) for one in found.catastrophes] == [
        (texts.corpus.utterances[0].id, ("empty",)),
        (texts.corpus.utterances[3].id, ("length", "truncated tail")),
        (texts.corpus.utterances[4].id, ("text on non-speech",)),
    ]
    assert (found.at_risk, found.left_aside) == (5, 2)
    assert found.rate.value == pytest.approx(3 / 5)
    assert found.no_regression.value == pytest.approx(2 / 4)


@pytest.mark.parametrize(("count", "percent"), [(10, 25.9), (50, 5.8), (100, 3.0), (300, 1.0), (2620, 0.11)])
def test_no_catastrophe_at_all_certifies_what_the_tables_say(count: int, percent: float) -> None:
    assert 100 * (binomial(0, count, 0.95).upper or 0) == pytest.approx(percent, abs=0.05)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95]))
def test_the_bounds_are_where_the_tails_have_their_chance(trial: tuple[int, int], confidence: float) -> None:
    hits, count = trial
    bounds = binomial(hits, count, confidence)
    assert bounds.lower is not None
    assert bounds.upper is not None
    assert bounds.lower <= hits / count <= bounds.upper
    if hits < count:
        assert _tail(count, bounds.upper, range(hits + 1)) == pytest.approx(1 - confidence, abs=1e-6)
    if hits:
        assert _tail(count, bounds.lower, range(hits, count + 1)) == pytest.approx(1 - confidence, abs=1e-6)


def _tail(count: int, probability: float, hits: range) -> float:
    return sum(comb(count, k) * probability**k * (1 - probability) ** (count - k) for k in hits)


def test_a_planted_rate_is_covered() -> None:
    rng = np.random.default_rng(0)
    uppers = [binomial(int(hits), 100, 0.95).upper or 0 for hits in rng.binomial(100, 0.03, 400)]
    assert np.mean(np.array(uppers) >= 0.03) >= 0.95


@pytest.mark.parametrize("alike", [1.0, 0.0], ids=["all or none of a cluster", "each by itself"])
def test_a_planted_rate_is_covered_where_utterances_share_clusters(alike: float) -> None:
    """120 clusters of one to seven; as many independent utterances would have too narrow a bound."""
    rng = np.random.default_rng(0)
    sizes = np.resize([1, 1, 1, 2, 4, 7], 120)
    names = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    worth = independent(names)
    assert 50 < worth < 120
    hits = rng.binomial(1, 0.05, (1000, 120)) @ sizes if alike else rng.binomial(len(names), 0.05, 1000)
    shares = hits / len(names)
    covered, naive = (
        np.mean([(binomial(share * trials, trials, 0.95).upper or 0) >= 0.05 for share in shares])
        for trials in (worth, len(names))
    )
    assert covered >= 0.94
    assert naive < 0.9 or not alike


@pytest.mark.parametrize(("sizes", "planted"), [([60] * 2 + [1] * 300, 0.05), ([50] + [1] * 50, 0.1)])
def test_a_large_cluster_is_one_piece_of_evidence_for_fail(sizes: list[int], planted: float) -> None:
    """The lower bound holds in 95 of 100 corpora whose clusters are hit whole; of its worth alone it held in 90."""
    rng = np.random.default_rng(0)
    names = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    worth, covered, alone = independent(names), 0, 0
    for hit_clusters in rng.random((1000, len(sizes))) < planted:
        hit = [name for name in names if hit_clusters[int(name)]]
        found = clustered(hit, names, 0.95)
        assert found.value == pytest.approx(len(hit) / len(names))
        covered += (found.lower or 0) <= planted
        alone += (binomial(worth * len(hit) / len(names), worth, 0.95).lower or 0) <= planted
    assert covered >= 940
    assert alone < 930


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=50))
def test_no_more_is_independent_than_there_are_clusters(names: list[str]) -> None:
    groups = names.count("") + len({name for name in names if name})
    assert 1 <= independent(names) <= groups + 1e-9
    assert independent(["one"] * 5) == 1
    assert independent(["", "", *"abc"]) == 5


def test_copies_certify_no_more_than_one_of_each(make_pairs: MakePairs) -> None:
    """Fifty clips that are there three times are not 150."""
    clips = [f"sound{number % 50}" for number in range(150)]
    (check,) = judge_catastrophe(
        make_pairs([TEXT] * 150, clips=clips), max_rate=0.02, confidence=0.95, seed=0
    ).judgement.checks
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.upper == binomial(0, 50, 0.95).upper
    assert check.reason == (
        "0 of 150 utterances; 150 utterances, which share clusters and are worth 50 independent ones, "
        "without a catastrophe certify 5.82 % at best; 447 without one would certify the limit"
    )


def test_silence_that_is_there_twice_is_one_piece_of_evidence(make_pairs: MakePairs) -> None:
    texts = make_pairs([""] * 20, clips=[f"noise{number % 10}" for number in range(20)], kinds=["nonspeech"] * 20)
    assert measure_catastrophes(texts, confidence=0.95).rate.upper == binomial(0, 10, 0.95).upper


def test_a_baseline_that_catastrophes_everything_leaves_nothing_to_judge(make_pairs: MakePairs) -> None:
    texts = make_pairs([TEXT] * 200, baseline=[""] * 200, candidate=[""] * 200)
    (check,) = judge_catastrophe(texts, max_rate=0.02, confidence=0.95, seed=0).judgement.checks
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.reason.startswith("all 200 utterances are catastrophic as the baseline says them")


def test_what_is_catastrophic_already_is_left_aside_and_told(make_pairs: MakePairs) -> None:
    texts = make_pairs([TEXT] * 200, baseline=[""] * 20 + [TEXT] * 180)
    (check,) = judge_catastrophe(texts, max_rate=0.02, confidence=0.95, seed=0).judgement.checks
    assert check.upper == binomial(0, 180, 0.95).upper
    assert check.reason == "0 of 180 utterances, 20 left aside, catastrophic already as the baseline says them"


@pytest.mark.parametrize(
    ("count", "bad", "limit", "verdict", "reason"),
    [
        (150, 0, 0.02, Verdict.PASS, "0 of 150 utterances"),
        (100, 0, 0.02, Verdict.INCONCLUSIVE, "2.95 % at best; 149 without one would certify the limit"),
        (300, 60, 0.02, Verdict.FAIL, "60 of 300 utterances (60 empty)"),
    ],
)
def test_the_verdict_is_on_the_bound(
    make_pairs: Any, count: int, bad: int, limit: float, verdict: Verdict, reason: str
) -> None:
    texts = make_pairs([TEXT] * count, candidate=[""] * bad + [TEXT] * (count - bad))
    outcome = judge_catastrophe(texts, max_rate=limit, confidence=0.95, seed=0)
    assert outcome.judgement.verdict is verdict
    assert outcome.judgement.checks[0].reason.endswith(reason)
    assert len(outcome.worst) == min(bad, 3)
