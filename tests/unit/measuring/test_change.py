"""What of a change is the base model's and what is quantization's: planted, and found."""

import numpy as np
import pytest

from pytest_whisperq.measuring.change import Change, measure_change, moved


def changed(base: float = 0.0, candidate: float = 0.0, *, clips: int = 600, seed: int = 0) -> Change:
    """Measure a change of so many errors a clip of ten words, on top of unchanged noise."""
    random = np.random.default_rng(seed)
    before = random.binomial(10, 0.05, (clips, 2))
    shared, own = random.poisson(abs(base), clips), random.poisson(abs(candidate), clips)
    gained = np.sign(base) * shared
    after = before + np.column_stack([gained, gained + np.sign(candidate) * own])
    return measure_change(before, after, [10] * clips, [""] * clips, confidence=0.95)


def test_what_moves_both_models_is_the_base_models() -> None:
    found = changed(base=0.3)
    assert (moved(found.base), moved(found.quantized)) == (1, 0)
    assert found.base.value == pytest.approx(3, abs=0.5)
    assert found.quantized.value == 0


def test_what_moves_the_candidate_beyond_that_is_quantizations() -> None:
    found = changed(candidate=0.3)
    assert (moved(found.base), moved(found.quantized)) == (0, 1)
    assert found.base.value == 0
    assert found.total.value == found.quantized.value == pytest.approx(3, abs=0.5)


def test_both_and_neither_are_told_apart_and_so_is_the_direction() -> None:
    assert [moved(one) for one in (changed(0.3, 0.3).base, changed(0.3, 0.3).quantized)] == [1, 1]
    assert [moved(one) for one in (changed().base, changed().quantized)] == [0, 0]
    assert [moved(one) for one in (changed(-0.3, 0.3).base, changed(-0.3, 0.3).quantized)] == [-1, 1]


def test_the_parts_make_the_whole() -> None:
    found = changed(0.2, 0.1)
    assert found.total.value == pytest.approx((found.base.value or 0) + (found.quantized.value or 0))


def test_both_parts_are_bounded_more_widely_than_the_whole() -> None:
    """Two statements are made of them, and both have to hold."""
    found = changed(0.2, 0.0)
    assert found.total.value == found.base.value
    assert found.base.confidence == pytest.approx(0.9875)
    assert found.total.confidence == pytest.approx(0.975)
    assert (found.base.lower or 0) < (found.total.lower or 0)


def test_four_clips_bound_nothing() -> None:
    found = changed(5, clips=4)
    assert moved(found.base) == 0
    assert found.base.lower is None


def test_utterances_of_one_cluster_count_once() -> None:
    before, after = np.zeros((300, 2)), np.ones((300, 2))
    together = measure_change(before, after, [10] * 300, ["a", "b", "c"] * 100, confidence=0.95)
    assert moved(together.base) == 0
