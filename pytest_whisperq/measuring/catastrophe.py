"""Catastrophic utterances, not merely worse ones, and how often they can happen to a model that passes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log, log1p

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.catastrophe_kinds import (
    LANGUAGE,
    NONSPEECH,
    TASK,
    catastrophe_kinds,
    is_other_task,
    new_kinds,
)
from pytest_whisperq.measuring.intervals import Interval, distinct, in_one_place
from pytest_whisperq.measuring.pairs import Pair, PairedTexts
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.speech.corpus import Utterance


@dataclass(frozen=True, slots=True, kw_only=True)
class Catastrophe:
    """An utterance that is catastrophic as the candidate says it and not as the baseline does: of which kinds."""

    utterance: Utterance
    kinds: tuple[str, ...]
    reference: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatastropheMeasurement:
    """New catastrophes among the utterances at risk, and the share of speech that is no worse than before.

    ``at_risk`` counts all utterances, non-speech included, less those that are catastrophic already as the baseline
    says them (``left_aside``). They are ``worth`` so many independent ones. ``best`` is the upper bound of the rate
    without a single catastrophe: what they can certify at most.
    """

    catastrophes: tuple[Catastrophe, ...]
    rate: Interval
    no_regression: Interval
    best: float
    at_risk: int
    clusters: int
    left_aside: int


def measure_catastrophes(texts: PairedTexts, *, confidence: float) -> CatastropheMeasurement:
    """Find the new catastrophes and bound their rate (`clustered`)."""
    catastrophes: list[Catastrophe] = []
    hit: list[bool] = []
    at_risk: list[str] = []
    no_worse: list[bool] = []
    for pair, cluster in zip(texts.pairs, texts.clusters, strict=True):
        before, after = kinds_of(pair)
        if not before:
            at_risk.append(cluster)
            hit.append(bool(after))
        if after and not before:
            catastrophes.append(
                Catastrophe(
                    utterance=pair.utterance,
                    kinds=after,
                    reference=pair.reference,
                    baseline=pair.baseline,
                    candidate=pair.candidate,
                )
            )
        metric: Metric = "wer" if pair.utterance.is_spaced else "cer"
        reference, *hypotheses = pair.compared(metric)
        baseline_errors, candidate_errors = (count_errors(reference, text, metric).errors for text in hypotheses)
        no_worse.append(candidate_errors <= baseline_errors)
    silent = _on_non_speech(texts)
    for cluster, one in silent:
        if not one.baseline:
            at_risk.append(cluster)
            hit.append(bool(one.candidate))
    clusters = len(set(at_risk))
    return CatastropheMeasurement(
        catastrophes=(*catastrophes, *(one for _, one in silent if one.candidate and not one.baseline)),
        rate=clustered(hit, at_risk, confidence),
        no_regression=clustered(no_worse, texts.clusters, confidence),
        best=clustered([False] * len(at_risk), at_risk, confidence).upper or 1.0,
        at_risk=len(at_risk),
        clusters=clusters,
        left_aside=len(texts.pairs) + len(silent) - len(at_risk),
    )


def kinds_of(pair: Pair) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return of which kinds the baseline's text is catastrophic, and of which the candidate's newly is."""
    told, spaced = pair.utterance.language, pair.utterance.is_spaced
    language = told or pair.baseline_language
    before = catastrophe_kinds(pair.reference, pair.baseline, spaced=spaced, language=language)
    after = new_kinds(pair.reference, pair.baseline, pair.candidate, spaced=spaced, language=language)
    is_flipped = pair.candidate_language not in (None, language)
    if not told and language and is_flipped and LANGUAGE not in after:  # told a language, a model detects none
        after = (*after, LANGUAGE)
    texts = (pair.baseline, pair.candidate) if pair.translation else ()
    flips = [is_other_task(text, pair.reference, pair.translation) for text in texts]
    if any(flips[:1]):
        before = (*before, TASK)
    elif any(flips):
        after = (*after, TASK)
    return before, after


def _on_non_speech(texts: PairedTexts) -> list[tuple[str, Catastrophe]]:
    """Return what is said about each clip in which nobody speaks, with its cluster."""
    columns = (texts.baseline.clips, texts.baseline.texts, texts.candidate.texts)
    rows = [row for row in zip(texts.corpus.utterances, *columns, strict=True) if not row[0].is_speech]
    clips = [clip for _, clip, *_ in rows]
    clusters = clips if texts.few_clusters else in_one_place([item.cluster or clip for item, clip, *_ in rows], clips)
    return [
        (
            cluster,
            Catastrophe(
                utterance=item,
                kinds=(NONSPEECH,),
                reference="",
                baseline=texts.normalizer(base_text, item.language),
                candidate=texts.normalizer(candidate_text, item.language),
            ),
        )
        for cluster, (item, _, base_text, candidate_text) in zip(clusters, rows, strict=True)
    ]


def binomial(hits: float, count: float, confidence: float) -> Interval:
    """Return the share ``hits / count`` with exact one-sided bounds, each at ``confidence``; None without a trial.

    Neither need be a whole number: the bounds are quantiles of beta distributions, which know parts.
    """
    if not count:
        return Interval(value=None, lower=None, upper=None, confidence=confidence, clusters=0)
    return Interval(
        value=hits / count,
        lower=1 - _upper(count - hits, count, 1 - confidence),
        upper=_upper(hits, count, 1 - confidence),
        confidence=confidence,
        clusters=ceil(count),
    )


def clustered(hit: Sequence[bool], clusters: Sequence[str], confidence: float) -> Interval:
    """Return the share of utterances that are ``hit``, with one-sided bounds; an empty name is a cluster of its own.

    The bounds are those of Clopper and Pearson (Biometrika 1934) for so many independent trials as the utterances are
    worth: their number over an estimated design effect, the scatter of the hits of clusters over that of as many
    independent utterances (Korn & Graubard, Survey Methodology 1998). On few hits an estimate tells little, so that
    it counts one cluster of average size besides in which all are hit. Hence no hit at all is as good as one trial a
    cluster, and the trials are never fewer than the clusters nor more than the utterances.

    Where clusters differ in size, whatever their correlation, the mean over clusters of the share that is hit
    estimates the same rate. The upper bound takes the larger of both shares and the lower the smaller. How often
    bounds hold: ``python tests/benchmarks/bound_coverage.py``.

    >>> one_in_350 = clustered([True] + [False] * 349, [""] * 250 + ["a", "b", "c", "d", "e"] * 20, 0.95)
    >>> f"{one_in_350.value:.4f}, below {one_in_350.upper:.4f}"
    '0.0029, below 0.0171'
    """
    count, names = len(clusters), distinct(clusters)
    if not count:
        return binomial(0, 0, confidence)
    sizes, hits = Counter(names), Counter(name for name, is_hit in zip(names, hit, strict=True) if is_hit)
    share = hits.total() / count
    by_cluster = sum(number / sizes[name] for name, number in hits.items()) / len(sizes)
    average = count / len(sizes)
    scatter = sum((hits[name] - share * size) ** 2 for name, size in sizes.items())
    effect = (scatter + average**2) / (hits.total() * (1 - share) + average)
    trials = min(max(count / effect, len(sizes)), count)
    least_hit, most_hit = sorted((share * trials, by_cluster * trials))
    return Interval(
        value=share,
        lower=binomial(least_hit, trials, confidence).lower,
        upper=binomial(most_hit, trials, confidence).upper,
        confidence=confidence,
        clusters=len(sizes),
    )


def least(limit: float, confidence: float) -> int:
    """Return how many utterances, none of them catastrophic, bound the rate below ``limit``.

    >>> least(0.02, 0.95)
    149
    """
    return 1 if limit >= 1 else floor(log(1 - confidence) / log1p(-limit)) + 1


def _upper(hits: float, count: float, alpha: float) -> float:
    """Return the probability at which so few hits have a chance of ``alpha``."""
    from scipy.special import betaincinv

    return 1.0 if hits >= count else float(betaincinv(hits + 1, count - hits, 1 - alpha))
