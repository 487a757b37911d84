"""What became worse between two runs over the same corpus, and which part of it quantization has to answer for.

A candidate is what its base model and its runtime make of the sound, and what quantization makes of that. With errors
b₀, q₀ of the baseline and the candidate then, b₁, q₁ now, all of the same utterances, the change of the candidate is

    q₁ − q₀ = (b₁ − b₀) + ((q₁ − b₁) − (q₀ − b₀)):

what moved the baseline too (the checkpoint, the library), and what the candidate lost beyond that. Both terms are
paired differences of error sums over the words, and are bounded as every drop is (`measuring.intervals`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_whisperq.measuring.intervals import Interval, bound_ratio, pseudo_loss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Loss of accuracy from one run to the next, in points; positive means worse.

    base: of the baseline. quantized: what the candidate lost beyond that. total: of the candidate. The bounds of base
    and quantized hold together: each is two-sided at half the error that the confidence allows (Bonferroni).
    """

    base: Interval
    quantized: Interval
    total: Interval


def moved(interval: Interval) -> int:
    """Return 1 for a loss that chance does not explain, −1 for such a gain, 0 for neither."""
    if interval.lower is not None and interval.lower > 0:
        return 1
    return -1 if interval.upper is not None and interval.upper < 0 else 0


def measure_change(
    old: "NDArray[np.float64]",
    new: "NDArray[np.float64]",
    lengths: Sequence[int],
    clusters: Sequence[str],
    *,
    confidence: float,
) -> Change:
    """Measure the change between two runs: rows of (b, q), shape (utterances, 2), of each; ``lengths`` in words."""
    import numpy as np

    size = np.asarray(lengths, np.float64)
    step = np.asarray(new, np.float64) - np.asarray(old, np.float64)
    base, total = step[:, 0], step[:, 1]
    half = 1 - (1 - confidence) / 2

    def bound(difference: "NDArray[np.float64]", level: float) -> Interval:
        length = float(size.mean()) if len(size) else 0.0
        rows = np.column_stack([100.0 * difference, size])
        pseudo = 100.0 * length * pseudo_loss(difference, size, clusters)
        return bound_ratio(
            rows, clusters, worse=(pseudo, length), better=(-pseudo, length), confidence=1 - (1 - level) / 2
        )

    return Change(base=bound(base, half), quantized=bound(total - base, half), total=bound(total, confidence))
