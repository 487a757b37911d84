"""Sign-flip bounds of a ratio, an alternative to the t test of `intervals`: no normal distribution, only symmetry.

Null hypothesis θ: the contrasts a − θb of the groups are symmetric about zero, so that each might as well have come
with the other sign (Fisher's randomization test; "approximate randomization" where the outputs of both systems are
swapped). Its one-sided p-value is (1 + #{S* ≤ S}) / (B + 1) over B random assignments of signs to the contrasts, whose
sum is S. A flip of the groups F lowers S by twice their sum, so that S* ≤ S exactly where θ ≤ Σ_F a / Σ_F b: the bounds
at which the test stops rejecting are order statistics of the ratio over random halves (Hartigan's typical values,
JASA 1969), and no search for θ is needed.
"""

from typing import TYPE_CHECKING

from pytest_whisperq.measuring.intervals import Between

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLIPS = 9_999
"""Random assignments of signs, B. The p-value at a bound then errs by 0.002 (standard deviation at 0.05)."""

CHUNK = 500
"""Assignments that are in memory at once."""


def flip_signs(groups: "NDArray[np.float64]", confidence: float, *, seed: int) -> Between:
    """Return the bounds of Σa / Σb for rows (a, b) of independent groups, each at ``confidence``, one-sided.

    The same ``seed`` gives the same bounds. A bound is None where too few groups, or groups of too little length, allow
    none: k groups cannot be rejected at less than 2 to the power of −k.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    sums = np.concatenate(
        [
            (random.random((min(CHUNK, FLIPS - done), len(groups))) < 0.5) @ groups  # of the groups that are flipped
            for done in range(0, FLIPS, CHUNK)
        ]
    )
    over, under = sums.T
    halves = np.divide(over, under, out=np.full(FLIPS, np.inf), where=under > 0)
    # Where nothing is flipped, or nothing of any length, S* is S whatever θ is: against every θ on both sides. A
    # negative length (accuracy-ratio, where a baseline errs more often than there are words) counts so, to be safe.
    lowest = np.where(under > 0, halves, -np.inf)
    rank = int((1 - confidence) * (FLIPS + 1) + 1e-9)  # that many of B + 1 may lie beyond a bound
    if rank < 1:
        return None, None
    lower, upper = float(np.sort(lowest)[rank - 1]), float(np.sort(halves)[FLIPS - rank])
    return lower if np.isfinite(lower) else None, upper if np.isfinite(upper) else None
