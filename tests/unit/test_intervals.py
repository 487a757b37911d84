"""The one interval behind every gate: what it covers, what widens it, and where it refuses to speak."""

import numpy as np
import pytest

from pytest_whisperq.measure import intervals
from pytest_whisperq.measure.intervals import MIN_CLUSTERS, Interval, bound_sums, ratio


def bound(
    errors: np.ndarray, words: np.ndarray, clusters: list[str] | None = None, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Bounds of Σ errors / Σ words, with half the words of the pseudo-clip wrong."""
    length = float(words.mean()) if len(words) else 0.0
    return bound_sums(
        np.column_stack([errors, words]).astype(float),
        ratio,
        clusters or [""] * len(words),
        worse=(length / 2, length),
        better=(0.0, length),
        confidence=confidence,
        seed=seed,
    )


def test_the_value_is_the_ratio_of_sums() -> None:
    assert bound(np.array([1, 0, 0, 0, 3]), np.array([1, 1, 1, 1, 6])).value == pytest.approx(0.4)


def test_the_same_seed_gives_the_same_bounds_and_another_one_nearly_the_same() -> None:
    words = np.full(200, 8)
    errors = (np.arange(200) % 7 == 0).astype(int)
    one = bound(errors, words, seed=1)
    assert bound(errors, words, seed=1) == one
    other = bound(errors, words, seed=2)
    assert other != one
    assert other.upper == pytest.approx(one.upper, abs=0.002)
    assert other.lower == pytest.approx(one.lower, abs=0.002)


def test_bounds_agree_with_the_closed_form_on_plenty_of_data() -> None:
    rng = np.random.default_rng(5)
    words = rng.integers(5, 15, 1_000)
    errors = rng.binomial(words, 0.1)
    found = bound(errors, words)
    residuals = errors - found.value * words
    error = np.sqrt(1_000 / 999 * (residuals**2).sum()) / words.sum()
    assert found.upper - found.value == pytest.approx(1.645 * error, rel=0.15)
    assert found.value - found.lower == pytest.approx(1.645 * error, rel=0.15)


def test_a_perfect_score_proves_little_on_ten_clips_and_much_on_a_thousand() -> None:
    uppers = [bound(np.zeros(n), np.full(n, 8)).upper for n in (10, 100, 1_000)]
    assert uppers[0] > 0.05
    assert 0.003 < uppers[1] < 0.05
    assert 0 < uppers[2] < 0.003


def test_more_confidence_is_a_wider_interval() -> None:
    errors, words = np.arange(60) % 3, np.full(60, 8)
    levels = [bound(errors, words, confidence=level) for level in (0.5, 0.8, 0.95, 0.99)]
    assert sorted(i.upper for i in levels) == [i.upper for i in levels]
    assert sorted((i.lower for i in levels), reverse=True) == [i.lower for i in levels]
    assert levels[0].upper < levels[3].upper
    assert all(i.lower <= i.value <= i.upper for i in levels)


def test_clips_that_share_recordings_say_less_than_as_many_independent_ones() -> None:
    rng = np.random.default_rng(0)
    words = np.full(300, 8)
    errors = np.repeat(rng.binomial(8, 0.2, 30), 10)  # ten takes of one sentence go wrong together
    alone = bound(errors, words)
    together = bound(errors, words, [f"take{n // 10}" for n in range(300)])
    assert (alone.clusters, together.clusters) == (300, 30)
    assert together.value == alone.value
    assert together.upper - together.lower > 2 * (alone.upper - alone.lower)


def test_an_empty_cluster_name_is_a_group_of_its_own() -> None:
    names = ["k", "k", "", "", ""]
    assert bound(np.zeros(5), np.full(5, 8), names).clusters == 4


@pytest.mark.parametrize("count", range(MIN_CLUSTERS))
def test_too_few_groups_bound_nothing(count: int) -> None:
    found = bound(np.zeros(count), np.full(count, 8))
    assert (found.lower, found.upper, found.clusters) == (None, None, count)
    assert (found.value is None) == (count == 0)
    five_clips_of_few_groups = bound(np.zeros(8), np.full(8, 8), [f"k{n % max(count, 1)}" for n in range(8)])
    assert five_clips_of_few_groups.upper is None


def test_a_statistic_that_is_undefined_in_a_resample_bounds_nothing() -> None:
    words = np.array([8] + [0] * 9)  # some resamples hold no word at all
    found = bound_sums(
        np.column_stack([words / 8, words]),
        ratio,
        [""] * 10,
        worse=(0.0, 0.0),
        better=(0.0, 0.0),
        confidence=0.95,
        seed=0,
    )
    assert found.value == 0.125
    assert (found.lower, found.upper) == (None, None)


@pytest.mark.parametrize(
    ("size", "count", "chance"),
    [(1, 100, 0.02), (1, 100, 0.05), (10, 30, 0.03)],
    ids=["rare", "less rare", "by cluster"],
)
def test_the_upper_bound_covers_the_truth_as_often_as_it_claims(
    size: int, count: int, chance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of ``size`` clips is wrecked together, half its words wrong; 400 corpora, each bounded at 95 %."""
    monkeypatch.setattr(intervals, "RESAMPLES", 500)
    rng = np.random.default_rng(20)
    trials, covered = 400, 0
    names = [f"k{n // size}" for n in range(size * count)]
    for seed in range(trials):
        words = rng.integers(2, 9, size * count) * 2
        wrecked = np.repeat(rng.random(count) < chance, size)
        covered += bound(np.where(wrecked, words // 2, 0), words, names, seed=seed).upper >= chance / 2
    assert covered / trials >= 0.93
