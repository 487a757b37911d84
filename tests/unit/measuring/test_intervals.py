"""The one interval behind every gate: what it covers, what widens it, and where it refuses to speak."""

import numpy as np
import pytest

from pytest_whisperq.measuring.intervals import MIN_CLUSTERS, Interval, bound_ratio


def bound(
    errors: np.ndarray, words: np.ndarray, clusters: list[str] | None = None, confidence: float = 0.95
) -> Interval:
    """Bounds of Σ errors / Σ words, with half the words of the pseudo-clip wrong."""
    length = float(words.mean()) if len(words) else 0.0
    return bound_ratio(
        np.column_stack([errors, words]).astype(float),
        clusters or [""] * len(words),
        worse=(length / 2, length),
        better=(0.0, length),
        confidence=confidence,
    )


def test_the_value_is_the_ratio_of_sums() -> None:
    assert bound(np.array([1, 0, 0, 0, 3]), np.array([1, 1, 1, 1, 6])).value == pytest.approx(0.4)


def test_bounds_agree_with_the_paired_bootstrap_on_plenty_of_data() -> None:
    """Bisani and Ney (ICASSP 2004): utterances drawn with replacement, errors over words of each draw."""
    rng = np.random.default_rng(5)
    words = rng.integers(5, 15, 1_000)
    errors = rng.binomial(words, 0.1)
    found = bound(errors, words)
    drawn = rng.multinomial(1_000, np.full(1_000, 1e-3), size=4_000)
    lower, upper = np.quantile(drawn @ errors / (drawn @ words), (0.05, 0.95))
    assert found.upper - found.value == pytest.approx(upper - found.value, rel=0.15)
    assert found.value - found.lower == pytest.approx(found.value - lower, rel=0.15)


@pytest.mark.parametrize(("count", "quantile"), [(6, 2.0150), (80, 1.6644)], ids=["5 degrees", "79 degrees"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6])
def test_a_bound_clears_a_limit_exactly_when_a_t_test_of_the_contrast_does(
    count: int, quantile: float, part: float
) -> None:
    """Σ(a − limit·b) < 0 by the ordinary one-sample t test of the clips and the pseudo-clip; limits near the bound.

    Errors scatter evenly: of what is skewed the bound lies further out.
    """
    rng = np.random.default_rng(3)
    for _ in range(50):
        words = rng.integers(2, 20, count)
        errors = np.tile(rng.integers(1, 3, count // 2), 2)
        words = np.tile(words[: count // 2], 2)
        middle = errors.sum() / words.sum() * words
        errors = np.where(np.arange(count) < count // 2, errors, 2 * middle - errors)  # as far off on the other side
        upper = bound(errors, words).upper
        for limit in (upper * (1 - part / 50), upper * (1 + part / 50)):
            contrast = np.append(errors - limit * words, (0.5 - limit) * words.mean())
            t = contrast.mean() / (contrast.std(ddof=1) / np.sqrt(count + 1))
            assert (upper < limit) == (t < -quantile)


def test_rare_large_losses_move_the_upper_bound_by_their_skewness_and_gains_move_none() -> None:
    """Johnson (JASA 1978): μ₃·(1 + 2t²)/(6·s²·n), of 195 clips without an error and five all wrong."""
    words, errors = np.full(200, 10.0), np.where(np.arange(200) < 5, 10.0, 0.0)
    found, turned = bound(errors, words), bound(10 - errors, words)
    t, share = 1.6525, 5 / 200
    third, variance = share * (1 - share) * (1 - 2 * share), share * (1 - share) * 200 / 199
    moved = third * (1 + 2 * t**2) / (6 * variance * 200)

    def by_t(errors: np.ndarray, pseudo: float) -> float:
        rows = np.append(errors, pseudo) / 10
        return float(t * rows.std(ddof=1) / np.sqrt(201))

    assert found.upper == pytest.approx(np.append(errors, 5).mean() / 10 + by_t(errors, 5) + moved, abs=1e-4)
    assert found.lower == pytest.approx(np.append(errors, 0).mean() / 10 - by_t(errors, 0), abs=1e-4)
    assert turned.lower == pytest.approx(np.append(10 - errors, 0).mean() / 10 - by_t(10 - errors, 0), abs=1e-4)
    assert turned.upper == pytest.approx(np.append(10 - errors, 5).mean() / 10 + by_t(10 - errors, 5), abs=1e-4)


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


def test_a_ratio_over_next_to_nothing_is_not_bounded() -> None:
    words = np.array([8] + [0] * 9)
    found = bound_ratio(
        np.column_stack([words / 8, words]), [""] * 10, worse=(0.0, 0.0), better=(0.0, 0.0), confidence=0.95
    )
    assert found.value == 0.125
    assert (found.lower, found.upper) == (None, None)


@pytest.mark.parametrize(
    ("size", "count", "chance"),
    [(1, 100, 0.02), (1, 100, 0.05), (10, 30, 0.03)],
    ids=["rare", "less rare", "by cluster"],
)
def test_the_upper_bound_covers_the_truth_as_often_as_it_claims(size: int, count: int, chance: float) -> None:
    """A group of ``size`` clips is catastrophic together, half its words wrong; 400 corpora, each bounded at 95 %."""
    rng = np.random.default_rng(20)
    trials, covered = 400, 0
    names = [f"k{n // size}" for n in range(size * count)]
    for _ in range(trials):
        words = rng.integers(2, 9, size * count) * 2
        catastrophic = np.repeat(rng.random(count) < chance, size)
        covered += bound(np.where(catastrophic, words // 2, 0), words, names).upper >= chance / 2
    assert covered / trials >= 0.93
