"""What a corpus can certify: against the bounds it will really get."""

from math import inf

import numpy as np
import pytest

from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.paired_shares import best_bound
from pytest_whisperq.measuring.power import CHANCE, Power, learn, plan


def planned(count: int, words: int = 6, clusters: list[str] | None = None) -> Power:
    return plan([words] * count, clusters or [""] * count, confidence=0.95)


def upper(gained: np.ndarray, words: int = 6) -> float:
    counts = np.column_stack([np.zeros(len(gained)), gained, np.full(len(gained), float(words))])
    found = bound_drop(counts, [""] * len(gained), confidence=0.95)
    assert found.upper is not None
    return found.upper


@pytest.mark.parametrize("count", [20, 100, 591])
def test_the_best_that_is_possible_is_the_bound_of_texts_that_do_not_change(count: int) -> None:
    assert planned(count).at_best == pytest.approx(upper(np.zeros(count)), rel=0.02)


@pytest.mark.parametrize("count", [100, 300, 600])
def test_a_candidate_that_is_no_worse_passes_the_likely_limit_nine_times_in_ten(count: int) -> None:
    limit = planned(count).likely
    rng = np.random.default_rng(0)
    passed = [upper(rng.choice([-1, 0, 1], count, p=[0.04, 0.92, 0.04])) < limit for _ in range(1_000)]
    assert np.mean(passed) == pytest.approx(CHANCE, abs=0.04)


def test_the_number_needed_is_the_smallest_that_certifies() -> None:
    needed = planned(50).needed(1.0)
    assert planned(needed).likely < 1.0 <= planned(needed - 1).likely
    best = planned(50).needed(1.0, best=True)
    assert planned(best).at_best < 1.0 <= planned(best - 1).at_best
    assert best < needed


def test_utterances_that_share_recordings_count_less() -> None:
    together = planned(300, clusters=[f"take{n // 10}" for n in range(300)])
    assert together.clusters == 30
    assert together.likely > 2 * planned(300).likely
    assert together.needed(1.0) > 2 * planned(300).needed(1.0)


def test_too_few_clusters_certify_nothing_and_no_corpus_certifies_no_drop() -> None:
    assert planned(4).at_best == inf
    assert planned(300).needed(0.0) is None
    assert planned(300).needed(-1.0) is None


def test_a_pilot_replaces_the_assumption() -> None:
    power, rng = planned(400), np.random.default_rng(1)
    wild = learn(power, list(rng.choice([-3, 0, 3], 60, p=[0.2, 0.6, 0.2])), [6] * 60, [""] * 60)
    assert (wild.pilot, wild.utterances) == (60, 400)
    assert wild.scatter == pytest.approx(3 * np.sqrt(0.4), rel=0.25)
    assert wild.likely > 2 * power.likely
    calm = learn(power, [0] * 60, [6] * 60, [""] * 60)
    assert power.at_best < calm.likely < power.likely  # none of sixty is not none at all


def test_many_small_changes_of_a_pilot_make_the_pseudo_clip_small_and_few_large_ones_do_not() -> None:
    """As the bound will: of the same scatter, what is spread over many clips certifies more."""
    power = planned(400)
    spread = learn(power, [1, -1] * 30 + [0] * 40, [6] * 100, [""] * 100)
    lumped = learn(power, [5, -5, 3, 1] + [0] * 96, [6] * 100, [""] * 100)
    assert spread.scatter == pytest.approx(lumped.scatter, rel=0.02)
    assert spread.likely < lumped.likely - 0.05


def test_shares_certify_what_the_bound_of_a_share_allows() -> None:
    """Terms of a cluster may be lost together: 40 clusters of which none is lost tell less than their words would."""
    lengths, clusters = [2] * 120, [str(number % 40) for number in range(120)]
    power, words = (plan(lengths, clusters, confidence=0.95, is_share=is_share) for is_share in (True, False))
    assert power.at_best == pytest.approx(100 * best_bound(40, 0.95))
    assert power.at_best > words.at_best
    needed = power.needed(2.0, best=True)
    assert needed == 3 * 133  # of so many clusters the bound is below two points
    assert 100 * best_bound(133, 0.95) < 2.0 <= 100 * best_bound(132, 0.95)
