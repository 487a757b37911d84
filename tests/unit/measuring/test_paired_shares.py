"""The difference of two shares: a score test that is inverted, and what clusters make of it."""

import numpy as np
import pytest

from pytest_whisperq.measuring.paired_shares import Shares, best_bound, bound_difference, score_bound


def rejects(lost: int, gained: int, trials: int, difference: float, critical: float) -> bool:
    """Tango's score test, with the likeliest shares of this difference looked for on a grid."""
    down = np.linspace(max(0.0, -difference), (1 - difference) / 2, 20001)[1:-1]
    same = trials - lost - gained
    likelihood = lost * np.log(down + difference) + gained * np.log(down) + same * np.log(1 - 2 * down - difference)
    likeliest = down[np.argmax(likelihood)]
    spread = np.sqrt(trials * (2 * likeliest + difference * (1 - difference)))
    return bool((lost - gained - trials * difference) / spread < -critical)


@pytest.mark.parametrize(("lost", "gained", "trials"), [(12, 2, 44), (43, 3, 50), (3, 9, 40), (0, 4, 30), (6, 0, 30)])
@pytest.mark.parametrize(("confidence", "critical"), [(0.95, 1.6449), (0.975, 1.9600)])
def test_a_bound_is_where_the_score_test_begins_to_reject(
    lost: int, gained: int, trials: int, confidence: float, critical: float
) -> None:
    bound = score_bound(Shares(lost / trials, gained / trials, trials), confidence)
    assert not rejects(lost, gained, trials, bound - 0.002, critical)
    assert rejects(lost, gained, trials, bound + 0.002, critical)


def test_what_is_lost_together_weighs_as_one() -> None:
    def upper(clusters: list[str], lost: list[float]) -> float:
        counts = np.array([(0.0, one, 2.0) for one in lost])
        return bound_difference(counts, clusters, 0.95)[1]

    alone = upper([""] * 100, [2.0 if n % 20 == 0 else 0.0 for n in range(100)])
    together = upper([str(n // 5) for n in range(100)], [2.0 if n < 5 else 0.0 for n in range(100)])
    assert together > 1.5 * alone


def test_no_loss_is_one_thing_a_cluster() -> None:
    counts = np.array([(0.0, 0.0, 2.0)] * 120)
    lower, upper = bound_difference(counts, [str(n % 40) for n in range(120)], 0.95)
    assert upper == pytest.approx(best_bound(40, 0.95))
    assert lower == pytest.approx(-best_bound(40, 0.95))
    critical = 1.6448536**2
    assert upper == pytest.approx(critical / (40 + critical), abs=1e-6)
