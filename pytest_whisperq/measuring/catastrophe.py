"""Catastrophic utterances, not merely worse ones, and how often they can happen to a model that passes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log, log1p

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.catastrophe_kinds import LANGUAGE, NONSPEECH, catastrophe_kinds, new_kinds
from pytest_whisperq.measuring.intervals import Interval, distinct, independent
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
    worth: int
    left_aside: int


def measure_catastrophes(texts: PairedTexts, *, confidence: float) -> CatastropheMeasurement:
    """Find the new catastrophes and bound their rate (Clopper and Pearson, Biometrika 1934; `clustered`)."""
    catastrophes: list[Catastrophe] = []
    hit: list[str] = []
    at_risk: list[str] = []
    no_worse: list[str] = []
    for pair in texts.pairs:
        before, after = kinds_of(pair)
        if not before:
            at_risk.append(pair.cluster)
        if after and not before:
            hit.append(pair.cluster)
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
        if candidate_errors <= baseline_errors:
            no_worse.append(pair.cluster)
    silent = _on_non_speech(texts)
    spoken_over = [(cluster, one) for cluster, one in silent if one.candidate and not one.baseline]
    at_risk += [cluster for cluster, one in silent if not one.baseline]
    return CatastropheMeasurement(
        catastrophes=(*catastrophes, *(one for _, one in spoken_over)),
        rate=clustered([*hit, *(cluster for cluster, _ in spoken_over)], at_risk, confidence),
        no_regression=clustered(no_worse, texts.clusters, confidence),
        best=binomial(0, independent(at_risk), confidence).upper or 1.0,
        at_risk=len(at_risk),
        worth=int(independent(at_risk)),
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
    return before, after


def _on_non_speech(texts: PairedTexts) -> list[tuple[str, Catastrophe]]:
    """Return what is said about each clip in which nobody speaks, with its cluster."""
    columns = (texts.baseline.clips, texts.baseline.texts, texts.candidate.texts)
    return [
        (
            item.cluster or clip,
            Catastrophe(
                utterance=item,
                kinds=(NONSPEECH,),
                reference="",
                baseline=texts.normalizer(base_text, item.language),
                candidate=texts.normalizer(candidate_text, item.language),
            ),
        )
        for item, clip, base_text, candidate_text in zip(texts.corpus.utterances, *columns, strict=True)
        if not item.is_speech
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


def clustered(hit: Sequence[str], clusters: Sequence[str], confidence: float) -> Interval:
    """Return the share of utterances that are ``hit`` (their clusters), of all (theirs), with one-sided bounds.

    Exact where each is its own cluster. Else they count for what they are worth together (`intervals.independent`), and
    where clusters differ in size, a large one that is hit alone would look like many: the lower bound is no higher than
    that of the clusters in which any is hit, each a trial (simulated: holds in 95 of 100 corpora and more).
    """
    worth, groups = independent(clusters), len(set(distinct(clusters)))
    share = len(hit) / len(clusters) if clusters else 0.0
    interval = binomial(worth * share, worth, confidence)
    whole = binomial(len(set(distinct(hit))), groups, confidence)
    if interval.lower is None or whole.lower is None:
        return interval
    return replace(interval, lower=min(interval.lower, whole.lower), clusters=groups)


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
