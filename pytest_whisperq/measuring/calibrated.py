"""What a model loses on its calibration set: measured while it is built, as the accuracy gate measures a corpus."""

import hashlib
import json
from collections.abc import Sequence

from pytest_whisperq.backends import Loss, Measure
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.accuracy import drop_between
from pytest_whisperq.measuring.intervals import judged_by
from pytest_whisperq.measuring.power import learn, plan
from pytest_whisperq.measuring.scores import score
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.normalizers import Normalizer

_REVISION = 2
"""Of how the limit is found; another one may leave other blocks in float32."""


def measure_on(
    items: Sequence[Utterance], *, normalizer: Normalizer, metric: Metric, confidence: float, max_drop: float
) -> Measure:
    """Return how a build measures what it loses on ``items``, the utterances of its calibration set.

    A few dozen clips bound no drop as small as a corpus does. So the limit is ``max_drop``, in points, or what these
    clips certify in 90 of 100 draws of a model that is no worse than float32 (`Power.likely`), if that is more. Of one
    that loses no more than ``max_drop`` on them it is known how often its texts change; of another that is assumed.
    """
    kept = [index for index, item in enumerate(items) if normalizer(item.reference, item.language)]
    spoken = [items[index] for index in kept]
    lengths = [score(item, "", normalizer, metric).length for item in spoken]
    groups, _ = judged_by([item.cluster or item.id for item in spoken], [item.id for item in spoken])
    power = plan(lengths, groups, confidence=confidence)
    limit = max(max_drop, power.likely)
    rows = [(item.reference, item.language, item.cluster) for item in items]
    recipe = json.dumps([rows, str(normalizer), metric, confidence, max_drop, limit, _REVISION])

    def between(before: Sequence[str], after: Sequence[str]) -> Loss:
        one, other = ([texts[index] for index in kept] for texts in (before, after))
        drop = drop_between(spoken, one, other, normalizer=normalizer, metric=metric, confidence=confidence)
        errors = [
            [score(item, text, normalizer, metric).errors for item, text in zip(spoken, texts, strict=True)]
            for texts in (one, other)
        ]
        gained = [now - then for then, now in zip(*errors, strict=True)]
        is_small = drop.value is not None and drop.value <= max_drop
        reached = max(limit, learn(power, gained, lengths, groups).likely) if is_small else limit
        return Loss(value=drop.value, upper=drop.upper, limit=reached, clips=len(spoken))

    return Measure(identity=hashlib.sha256(recipe.encode()).hexdigest(), limit=limit, between=between)
