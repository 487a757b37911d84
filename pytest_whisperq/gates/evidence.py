"""The utterances that speak against a candidate, as a failing gate shows them."""

from collections.abc import Sequence

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.judging.rule import WORST, Evidence
from pytest_whisperq.measuring.pairs import Pair, PairedTexts
from pytest_whisperq.measuring.scores import align


def worst_utterances(
    texts: PairedTexts,
    weights: Sequence[int],
    metric: Metric,
    names: tuple[str, str] = ("baseline", "candidate"),
) -> tuple[Evidence, ...]:
    """Return the utterances of most weight with their three texts word under word; ``names`` are of the two texts."""
    ranked = sorted(zip(weights, texts.pairs, strict=True), key=lambda row: (-row[0], row[1].utterance.id))
    return tuple(
        Evidence(utterance=pair.utterance, weight=weight, rows=_aligned(pair, metric, names))
        for weight, pair in ranked[:WORST]
        if weight > 0
    )


def _aligned(pair: Pair, metric: Metric, names: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(("reference", *names), align(*pair.compared(metric)), strict=True))
