"""What a model loses on its calibration set: measured while it is built, as the accuracy gate measures a corpus."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_whisperq.backends import Loss, Measure
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.accuracy import bound_drop, counts_between, groups_of
from pytest_whisperq.measuring.intervals import distinct
from pytest_whisperq.measuring.power import CHANCE, plan
from pytest_whisperq.measuring.scores import score
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.normalizers import Normalizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REVISION = 3
"""Of how the limit is found; another one may leave other blocks in float32."""

_SWAPS = 199
"""Models that are no worse and change as many texts, of which it is computed what their bounds would be."""


def measure_on(
    items: Sequence[Utterance], *, normalizer: Normalizer, metric: Metric, confidence: float, max_drop: float
) -> Measure:
    """Return how a build measures what it loses on ``items``, the utterances of its calibration set.

    A few dozen clips bound no drop as small as a corpus does. So the limit is ``max_drop``, in points, or what these
    clips certify in 90 of 100 draws of a model that is no worse than float32 (`Power.likely`), if that is more. Of one
    that loses no more than ``max_drop`` on them it is known how its texts change (`_likely`); of another it is assumed.
    """
    kept = [index for index, item in enumerate(items) if normalizer(item.reference, item.language)]
    spoken = [items[index] for index in kept]
    lengths = [score(item, "", normalizer, metric).length for item in spoken]
    groups = groups_of(spoken)
    limit = max(max_drop, plan(lengths, groups, confidence=confidence).likely)
    rows = [(item.reference, item.language, item.cluster) for item in items]
    recipe = json.dumps([rows, str(normalizer), metric, confidence, max_drop, limit, _REVISION])

    def between(before: Sequence[str], after: Sequence[str]) -> Loss:
        one, other = ([texts[index] for index in kept] for texts in (before, after))
        counts = counts_between(spoken, one, other, normalizer=normalizer, metric=metric)
        drop = bound_drop(counts, groups, confidence=confidence)
        is_small = drop.value is not None and drop.value <= max_drop
        reached = max(limit, _likely(counts, groups, confidence)) if is_small else limit
        return Loss(value=drop.value, upper=drop.upper, limit=reached, clips=len(spoken))

    return Measure(identity=hashlib.sha256(recipe.encode()).hexdigest(), limit=limit, between=between)


def _likely(counts: NDArray[np.float64], groups: Sequence[str], confidence: float) -> float:
    """Return below what the upper bound lies, in 90 of 100 draws, of a model that changes texts so and is no worse.

    Of such a model either text of a cluster might as well be that of float32 (Fisher's randomization test). The bound
    of one that changes nothing is always the same, and lies below. Rows of ``counts`` are (r, q, N).
    """
    import numpy as np

    names, group = np.unique(np.array(distinct(groups)), return_inverse=True)
    swapped = (np.random.default_rng(0).random((_SWAPS, len(names))) < 0.5)[:, group]
    drawn = (np.where(swap[:, None], counts[:, [1, 0, 2]], counts) for swap in swapped)
    uppers = [bound_drop(rows, groups, confidence=confidence).upper for rows in drawn]
    reached = np.quantile([math.inf if upper is None else upper for upper in uppers], CHANCE, method="higher")
    return math.nextafter(float(reached), math.inf)
