"""The utterances that speak against a candidate, as a failing gate shows them."""

from collections.abc import Sequence
from heapq import nlargest, nsmallest

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
    if len(weights) != len(texts.pairs):
        raise ValueError(f"{len(weights)} weights of {len(texts.pairs)} utterances")
    least = max(1, min(nlargest(WORST, weights), default=1))  # those of less weight are not looked at
    heavy = (place for place, weight in enumerate(weights) if weight >= least)
    ranked = nsmallest(WORST, heavy, key=lambda place: (-weights[place], texts.pairs[place].utterance.id))
    return tuple(
        Evidence(utterance=pair.utterance, weight=weights[place], rows=_aligned(pair, metric, names))
        for place, pair in zip(ranked, map(texts.pairs.__getitem__, ranked), strict=True)
    )


def _aligned(pair: Pair, metric: Metric, names: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(("reference", *names), align(*pair.compared(metric)), strict=True))
