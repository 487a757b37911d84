"""The share of what was lost that training wins back, on planted errors."""

import numpy as np
import pytest
from numpy.typing import NDArray
from qat_gain import won_back

WORDS = np.full(200, 8.0)
CLUSTERS = [""] * 200


def planted(lost: float, left: float) -> NDArray[np.float64]:
    """Errors of a clip in float32, of one that loses this many words more on average, and of one that loses so many."""
    random = np.random.default_rng(5)
    before = random.poisson(0.3, 200)
    return np.column_stack([before, before + random.poisson(lost, 200), before + random.poisson(left, 200)]).astype(
        float
    )


@pytest.mark.parametrize(("left", "share"), [(0.0, 1.0), (0.5, 0.8), (2.5, 0.0)])
def test_the_planted_share_is_between_the_bounds(left: float, share: float) -> None:
    found = won_back(planted(2.5, left), WORDS, CLUSTERS)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < share < found.upper + 1e-9
    assert found.upper - found.lower < 0.3
    assert (found.lower >= 0.5) == (share >= 0.8)


def test_where_nothing_is_lost_no_share_is_won_back() -> None:
    assert won_back(planted(0.0, 0.0), WORDS, CLUSTERS).lower is None
