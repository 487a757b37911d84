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


def test_a_planted_task_flip_is_caught_and_a_baseline_that_translates_is_left_aside(make_pairs: MakePairs) -> None:
    said, english = "lunes tres de abril maría", "monday the third of april maría"
    heard = [english if n < 3 else "lunes tres de april maría" if n < 6 else said for n in range(40)]
    texts = make_pairs([said] * 40, [english if n == 0 else said for n in range(40)], heard, spoken=["es"] * 40)
    assert not any("task flip" in one.kinds for one in measure_catastrophes(texts, confidence=0.95).catastrophes)
    told = replace(texts, pairs=tuple(replace(pair, translation=english) for pair in texts.pairs))
    found = measure_catastrophes(told, confidence=0.95)
    flipped = [one.utterance.id for one in found.catastrophes if "task flip" in one.kinds]
    assert flipped == ["clip0001.wav", "clip0002.wav"]
    assert found.left_aside == 1
    outcome = judge_catastrophe(told, max_rate=0.02, confidence=0.95, seed=0)
    assert outcome.judgement.verdict is Verdict.FAIL or "2 task flip" in outcome.judgement.checks[0].reason


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


SIZES = ([1] * 250 + [10] * 10, [1, 1, 1, 2, 4, 7] * 20, [3] * 100, [10] * 30, [60] * 2 + [1] * 300)
"""Utterances of each cluster: of corpora that are mostly single clips, mixed, even, and with two large calls."""


@pytest.mark.parametrize("alike", [True, False], ids=["all or none of a cluster", "each by itself"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("planted", [0.01, 0.02, 0.05])
def test_both_bounds_of_a_planted_rate_hold_however_alike_clusters_are(
    sizes: list[int], planted: float, *, alike: bool
) -> None:
    """As often as promised. Twenty times as many corpora: ``python tests/benchmarks/bound_coverage.py``."""
    rng = np.random.default_rng(0)
    names = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    upper = lower = 0
    for _ in range(300):
        clusters = rng.random(len(sizes)) < planted
        hit = np.repeat(clusters, sizes) if alike else rng.random(len(names)) < planted
        found = clustered(hit.tolist(), names, 0.95)
        assert found.value == pytest.approx(hit.mean())
        upper += (found.upper or 0) >= planted
        lower += (found.lower or 0) <= planted
    assert upper >= 279  # 93 %: 300 corpora scatter by 1.3
    assert lower >= 279


def test_correlation_is_estimated_where_there_is_something_to_estimate_it_from() -> None:
    """Sixty hits in clusters of ten tell whether they come by clusters or by themselves."""
    names = [str(number // 10) for number in range(600)]
    by_cluster, alone = ([number % 100 < 10 for number in range(600)], [number % 10 == 0 for number in range(600)])
    together, spread = clustered(by_cluster, names, 0.95), clustered(alone, names, 0.95)
    assert together.value == spread.value == 0.1
    assert together.upper == binomial(6, 60, 0.95).upper
    assert spread.upper is not None
    assert spread.upper < 0.14
    assert spread.lower is not None
    assert spread.lower > 0.06


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.booleans()), min_size=1, max_size=50))
def test_utterances_are_worth_no_less_than_their_clusters_and_no_more_than_they_are(
    rows: list[tuple[str, bool]],
) -> None:
    names, hit = [name for name, _ in rows], [one for _, one in rows]
    groups = names.count("") + len({name for name in names if name})
    none = clustered([False] * len(rows), names, 0.95)
    assert none.upper == pytest.approx(binomial(0, groups, 0.95).upper, rel=1e-12)
    found = clustered(hit, names, 0.95)
    assert found.lower <= found.value <= found.upper  # type: ignore[operator]
    assert found.upper >= (binomial(sum(hit), len(rows), 0.95).upper or 0) - 1e-9  # type: ignore[operator]


def test_where_none_share_a_cluster_the_bounds_are_exact() -> None:
    found, exact = clustered([True] * 3 + [False] * 97, [""] * 100, 0.95), binomial(3, 100, 0.95)
    assert (found.lower, found.upper) == (pytest.approx(exact.lower), pytest.approx(exact.upper))


@pytest.mark.parametrize("place", [0, 345], ids=["by itself", "in a cluster of many"])
def test_one_catastrophe_in_346_clips_of_260_clusters_passes_two_per_cent(make_pairs: MakePairs, place: int) -> None:
    """A corpus of read sentences: most speakers once, ten of them often."""
    clusters = [f"once{number}" for number in range(250)] + [f"often{number % 10}" for number in range(96)]
    candidate = ["" if number == place else TEXT for number in range(346)]
    outcome = judge_catastrophe(
        make_pairs([TEXT] * 346, None, candidate, clusters=clusters), max_rate=0.02, confidence=0.95, seed=0
    )
    assert outcome.judgement.verdict is Verdict.PASS


def test_copies_certify_no_more_than_one_of_each(make_pairs: MakePairs) -> None:
    """Fifty clips that are there three times are not 150."""
    clips = [f"sound{number % 50}" for number in range(150)]
    (check,) = judge_catastrophe(
        make_pairs([TEXT] * 150, clips=clips), max_rate=0.02, confidence=0.95, seed=0
    ).judgement.checks
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.upper == binomial(0, 50, 0.95).upper
    assert check.reason == (
        "0 of 150 utterances; 150 utterances in 50 clusters without a catastrophe certify 5.82 % at best; 447 without "
        "one would certify the limit"
    )


@pytest.mark.parametrize("clusters", [None, [f"room{number}" for number in range(20)]], ids=["alone", "in rooms"])
def test_silence_that_is_there_twice_is_one_piece_of_evidence(
    make_pairs: MakePairs, clusters: list[str] | None
) -> None:
    clips = [f"noise{number % 10}" for number in range(20)]
    texts = make_pairs([""] * 20, clips=clips, clusters=clusters, kinds=["nonspeech"] * 20)
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
