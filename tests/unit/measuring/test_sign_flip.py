"""Sign-flip bounds: they are where the randomization test stops rejecting, and say nothing of next to nothing."""

from itertools import product

import numpy as np
import pytest

from pytest_whisperq.measuring.intervals import bound_ratio
from pytest_whisperq.measuring.sign_flip import flip_signs


def p_value(groups: np.ndarray, ratio: float) -> float:
    """Share of all assignments of signs under which the sum of a − ratio·b is not above the one that was seen."""
    contrasts = groups[:, 0] - ratio * groups[:, 1]
    signs = np.array(list(product([-1, 1], repeat=len(groups))))
    return float((signs @ contrasts <= contrasts.sum() + 1e-12).mean())


@pytest.mark.parametrize("seed", range(4))
def test_a_bound_is_where_the_test_of_all_assignments_stops_rejecting(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = np.column_stack([random.integers(-3, 8, 12), random.integers(4, 20, 12)]).astype(float)
    lower, upper = flip_signs(groups, 0.9, seed=0)
    assert p_value(groups, upper - 0.02) > 0.1 - 0.01  # 0.003 of it is the randomness of the assignments
    assert p_value(groups, upper + 0.02) < 0.1 + 0.01
    mirrored = groups * [-1, 1]
    assert p_value(mirrored, -(lower + 0.02)) > 0.1 - 0.01
    assert p_value(mirrored, -(lower - 0.02)) < 0.1 + 0.01


def test_on_plenty_of_data_it_agrees_with_the_t_test() -> None:
    random = np.random.default_rng(1)
    words = random.integers(5, 15, 800)
    columns = np.column_stack([random.binomial(words, 0.1) - random.binomial(words, 0.1), words]).astype(float)

    def bound(test: object) -> tuple[float, float]:
        found = bound_ratio(columns, [""] * 800, worse=(5, 10), better=(-5, 10), confidence=0.95, test=test)
        return found.lower, found.upper

    assert bound(lambda groups, level: flip_signs(groups, level, seed=0)) == pytest.approx(bound(None), rel=0.08)


def test_the_seed_decides() -> None:
    groups = np.column_stack([np.arange(40) % 7 - 2, np.full(40, 9)]).astype(float)
    assert flip_signs(groups, 0.95, seed=3) == flip_signs(groups, 0.95, seed=3)
    assert flip_signs(groups, 0.95, seed=3) != flip_signs(groups, 0.95, seed=4)


@pytest.mark.parametrize(
    ("groups", "level"),
    [
        ([(1, 5), (2, 5), (0, 5), (1, 5)], 0.95),  # 2⁻⁴ is more than 5 %
        ([(1, 0)] * 20 + [(0, 9)] * 3, 0.95),  # three groups have words
        ([(1, 5)] * 200, 0.99999),  # a p-value below 1 / (B + 1)
    ],
    ids=["few", "empty", "confidence"],
)
def test_what_cannot_be_rejected_has_no_bound(groups: list[tuple[int, int]], level: float) -> None:
    assert flip_signs(np.array(groups, float), level, seed=0) == (None, None)
