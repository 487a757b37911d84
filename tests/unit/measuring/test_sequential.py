"""Early failure: what is plainly broken is found soon, and what is exactly at the limit hardly ever."""

import csv
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import ErrorCount
from pytest_whisperq.measuring.sequential import BETS, AccuracyLimit, BettingTest, EarlyFail, shuffled
from pytest_whisperq.system.on_disk import Made

Pairs = Callable[..., PairedTexts]
METADATA = Path(__file__).parents[3] / "fixtures" / "audio" / "evaluation" / "metadata.csv"
LIMIT = 0.01


class Embedded:
    """The words and clusters of the embedded corpus, a baseline that errs as the embedded model does, and candidates.

    The baseline gets a fifth of what people say wrong and 4 % of the rest, unevenly; a candidate mends a tenth of that,
    makes as many errors elsewhere, and ``drop`` more, in one of several patterns.
    """

    def __init__(self) -> None:
        with METADATA.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["kind"] != "nonspeech"]
        self.words = np.array([len(row["text"].split()) for row in rows])
        self.error_rate = np.where([row["kind"] == "human" for row in rows], 0.2, 0.04)
        names = [row["cluster"] or row["file_name"] for row in rows]
        self.cluster = np.unique(names, return_inverse=True)[1]
        self.sizes = np.bincount(self.cluster)

    def stop(self, drop: float, pattern: str, seed: int, alpha: float, loops: float = 0.0) -> float | None:
        """Return the share of the utterances after which a candidate is failed, or None.

        ``loops`` is the share of clips in which both say thirty words too many.
        """
        rng = np.random.default_rng(seed)
        words, count = self.words, len(self.sizes)
        rates = np.clip(self.error_rate * rng.gamma(1.5, 1 / 1.5, len(words)), 0, 0.9)
        errors = rng.binomial(words, rates)
        right = words - errors
        churn = rng.binomial(words, 0.1 * errors.sum() / words.sum()) - rng.binomial(errors, 0.1)
        change = churn + self._damage(drop, pattern, right, rates, rng)
        contrast = np.bincount(self.cluster, change - LIMIT * words)
        looping = 30 * (rng.random(len(words)) < loops)
        baseline = [
            ErrorCount(substitutions=int(e), deletions=0, insertions=int(more), length=int(w))
            for e, more, w in zip(errors, looping, words, strict=True)
        ]
        test = BettingTest.against(baseline, list(np.bincount(self.cluster, LIMIT * words)), alpha)
        heard = 0
        for place in rng.permutation(count):
            test.add(contrast[place])
            heard += self.sizes[place]
            if test.rejected:
                return heard / len(words)
        return None

    def _damage(self, drop: float, pattern: str, right: Any, rates: Any, rng: np.random.Generator) -> Any:
        total = drop * self.words.sum()
        if pattern == "single words":
            return rng.binomial(right, total / right.sum())
        if pattern == "hard clips":  # where the baseline errs too
            weight = np.clip(rates / rates.mean(), 0, 8)
            return rng.binomial(right, np.clip(weight * total / (right * weight).sum(), 0, 1))
        chance = total / np.ceil(0.75 * right).sum()
        groups = np.arange(len(right)) if pattern == "catastrophic clips" else self.cluster
        return np.where((rng.random(len(right)) < chance)[groups], np.ceil(0.75 * right), 0)


@pytest.fixture(scope="module")
def embedded() -> Embedded:
    """The embedded corpus."""
    return Embedded()


@pytest.mark.parametrize("pattern", ["single words", "catastrophic clips", "catastrophic clusters", "hard clips"])
def test_a_candidate_exactly_at_the_limit_is_failed_no_oftener_than_allowed(embedded: Embedded, pattern: str) -> None:
    failed = sum(embedded.stop(LIMIT, pattern, seed, alpha=0.05) is not None for seed in range(300))
    assert failed / 300 <= 0.05


def test_a_large_limit_is_held_as_well() -> None:
    """A baseline that errs in one clip of ten, eight words each, may be joined by a word in 80 clips of 100: 100 %."""
    rng, failed = np.random.default_rng(0), 0
    for _ in range(300):
        errs = rng.random(200) < 0.1
        own = np.where(errs, 8, rng.random(200) < 8 / 9)
        baseline = [ErrorCount(substitutions=8 * int(one), deletions=0, insertions=0, length=10) for one in errs]
        test = BettingTest.against(baseline, list(8.0 * errs), alpha=0.05)
        for more, base in zip(own, baseline, strict=True):
            test.add(more - base.errors - 1.0 * base.errors)
        failed += test.rejected
    assert failed / 300 <= 0.05


@pytest.mark.parametrize(("drop", "median", "most"), [(0.08, 0.10, 0.15), (0.03, 0.50, 0.85)])
def test_a_broken_candidate_is_failed_soon(embedded: Embedded, drop: float, median: float, most: float) -> None:
    """At the 1 % that a confidence of 95 % leaves for stopping: the half, and nine in ten, after such a share."""
    stops = [embedded.stop(drop, "single words", seed, alpha=0.01) or np.inf for seed in range(200)]
    assert np.median(stops) <= median
    assert np.quantile(stops, 0.9) <= most


def test_a_good_candidate_is_not_stopped(embedded: Embedded) -> None:
    assert [embedded.stop(0.0, "single words", seed, alpha=0.01) for seed in range(100)] == [None] * 100


def test_what_a_looping_baseline_says_too_much_is_granted(embedded: Embedded) -> None:
    """One clip in fifty with thirty words too many could be mended by any candidate: eight points and more."""
    assert embedded.stop(0.08, "single words", 0, alpha=0.01) is not None
    assert embedded.stop(0.08, "single words", 0, alpha=0.01, loops=0.02) is None


def test_wealth_is_the_mean_of_what_the_bets_have_won() -> None:
    test = BettingTest(cap=2.0, alpha=0.01)
    test.add(1.0)
    test.add(-0.5)
    bets = [number / BETS / 2 for number in range(1, BETS + 1)]
    assert test.wealth == pytest.approx(np.mean([(1 + bet) * (1 - bet / 2) for bet in bets]))
    assert test.steps == 2


def test_mending_more_than_the_cap_takes_what_the_larger_bets_have_won() -> None:
    test = BettingTest(cap=2.0, alpha=0.01)
    test.add(-4.0)
    assert test.wealth == pytest.approx(np.mean([1 - 4 * number / BETS / 2 for number in (1, 2, 3, 4, 5)]) / 2)


def test_fewer_clusters_than_bound_anything_reject_nothing() -> None:
    test = BettingTest(cap=0.01, alpha=0.01)
    for _ in range(4):
        test.add(100.0)
    assert not test.rejected
    test.add(0.0)
    assert test.rejected


def test_clusters_stay_together_in_an_order_that_only_the_seed_changes() -> None:
    names = [f"k{number % 40}" for number in range(100)]
    order = shuffled(names, 0)
    assert sorted(order) == list(range(100))
    in_order = [names[index] for index in order]
    assert list(dict.fromkeys(in_order)) == [n for i, n in enumerate(in_order) if not i or in_order[i - 1] != n]
    assert in_order != [names[index] for index in shuffled(names, 1)]
    turned = names[::-1]
    assert [turned[index] for index in shuffled(turned, 0)] == in_order


def test_the_order_is_that_of_seeded_digests_which_saved_runs_have() -> None:
    rng = random.Random(0)
    for names in ([], ["k"], ["", "", "k"], [rng.choice(["", "ä", "k", str(rng.random())]) for _ in range(300)]):

        def place(index: int, names: list[str] = names) -> tuple[str, int]:
            return hashlib.sha256(f"7:order:{names[index]}".encode()).hexdigest(), index

        assert [*shuffled(names, 7)] == sorted(range(len(names)), key=place)


def test_the_first_places_are_taken_by_all_alike() -> None:
    """Over many seeds each of ten clusters comes first in about a tenth: 1000 draws, five standard deviations."""
    firsts = [shuffled([f"k{number}" for number in range(10)], seed)[0] for seed in range(1000)]
    assert np.abs(np.bincount(firsts, minlength=10) - 100).max() < 48


@pytest.fixture
def broken(make_pairs: Pairs) -> Callable[..., Iterator[EarlyFail]]:
    """An `EarlyFail` over thirty utterances of four words in clusters of two, against a baseline with some errors."""

    def make(limit: AccuracyLimit, baseline: str = "a b c x") -> EarlyFail:
        clusters = [f"k{number // 2}" for number in range(30)]
        return EarlyFail(make_pairs(["a b c d"] * 30, [baseline] * 30, clusters=clusters), limit, 0.01)

    return make


def test_it_stops_behind_a_whole_cluster_however_the_texts_arrive(broken: Any) -> None:
    wrong = ["nothing at all"] * 30
    at_once = broken(AccuracyLimit(1.0)).after(wrong)
    assert at_once is not None
    assert at_once % 2 == 0
    test = broken(AccuracyLimit(1.0))
    one_by_one = [test.after(wrong[:count]) for count in range(31)]
    assert one_by_one == [None] * at_once + [at_once] * (31 - at_once)


def test_other_texts_begin_anew(broken: Any) -> None:
    test = broken(AccuracyLimit(1.0))
    stopped = test.after(["nothing at all"] * 30)
    assert test.after(["a b c d"] * 30) is None
    assert test.after(["nothing at all"] * 30) == stopped


def test_texts_are_read_where_they_are_and_counted_once(broken: Any) -> None:
    texts = ["nothing at all"] * 30
    counted: list[str] = []
    test = broken(AccuracyLimit(1.0))
    test._texts = replace(test._texts, normalizer=lambda text, language: counted.append(text) or text)
    stops = [test.after(Made(texts.__getitem__, range(count))) for count in range(31)]
    assert stops == [broken(AccuracyLimit(1.0)).after(texts[:count]) for count in range(31)]
    assert len(counted) == next(filter(None, stops))


@pytest.mark.parametrize(
    ("limit", "fails"),
    [
        (AccuracyLimit(1.0), True),
        (AccuracyLimit(80.0), False),  # the drop is 75 points
        (AccuracyLimit(150.0, "relative"), True),  # and 300 % of the baseline's errors
        (AccuracyLimit(350.0, "relative"), False),
        (AccuracyLimit(50.0, "accuracy-ratio"), True),  # all that the baseline had
        (AccuracyLimit(120.0, "accuracy-ratio"), False),
        (AccuracyLimit(1.0, "absolute", "cer"), True),
        (AccuracyLimit(99.0, "absolute", "cer"), False),
    ],
)
def test_every_drop_type_and_metric_has_its_own_limit(broken: Any, limit: AccuracyLimit, fails: bool) -> None:
    assert (broken(limit).after(["y y y y"] * 30) is not None) == fails


def test_a_relative_drop_of_a_baseline_without_errors_is_not_defined(broken: Any) -> None:
    assert broken(AccuracyLimit(10.0, "relative"), baseline="a b c d").after(["y"] * 30) is None


def test_a_corpus_without_speech_stops_nothing(make_pairs: Pairs) -> None:
    silent = make_pairs(["", ""], kinds=["nonspeech", "nonspeech"])
    assert EarlyFail(silent, AccuracyLimit(1.0), 0.01).after(["", ""]) is None


@pytest.mark.parametrize(("language", "fails"), [("ja", False), ("en", True)])
def test_spaces_that_part_no_words_break_no_candidate(make_pairs: Pairs, language: str, fails: bool) -> None:
    said, spaced = "きょうははれ", "き ょ う は は れ"
    texts = make_pairs([said] * 40, spoken=[language] * 40)
    test = EarlyFail(texts, AccuracyLimit(1.0, "absolute", "cer"), 0.01)
    assert (test.after([spaced] * 40) is not None) is fails
