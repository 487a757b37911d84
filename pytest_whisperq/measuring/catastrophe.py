"""Catastrophic utterances, not merely worse ones, and how often they can happen to a model that passes."""

import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log, log1p

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.intervals import Interval, distinct, independent
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.corpus.spacing import without_spaces

EMPTY, LOOP, LENGTH, TRUNCATED, LANGUAGE, NONSPEECH = KINDS = (
    *("empty", "loop", "length", "truncated tail", "language flip", "text on non-speech"),
)
COMPRESSION = 2.4
"""Above this ratio a text repeats itself; openai/whisper's ``compression_ratio_threshold``."""
REPEATS = 3
"""So many more times in a row than the reference does, a text says a run of up to `LONGEST` words when it loops."""
LONGEST = 4
MANY = 4
"""Words by which a text is longer or shorter than the reference, and at least twice or half as long."""
TAIL = 3
"""Words missing at the end, and at least a quarter of all, when a text is cut off."""


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


def catastrophe_kinds(reference: str, hypothesis: str, *, spaced: bool = True) -> tuple[str, ...]:
    """Return of which kinds a normalized text is catastrophic, compared with its reference: of the first four `KINDS`.

    Where a language is not ``spaced``, its characters are taken for words.
    """
    reference_words, words = (
        text.split() if spaced else list(without_spaces(text)) for text in (reference, hypothesis)
    )
    if not words:
        return (EMPTY,)
    kinds = []
    is_repeated = _repeats(words) >= _repeats(reference_words) + REPEATS
    if is_repeated or _compression(reference) <= COMPRESSION < _compression(hypothesis):
        kinds.append(LOOP)
    if abs(len(words) - len(reference_words)) >= MANY and not 0.5 < len(words) / len(reference_words) < 2:
        kinds.append(LENGTH)
    if _lost_at_the_end(" ".join(reference_words), " ".join(words)) >= max(TAIL, len(reference_words) / 4):
        kinds.append(TRUNCATED)
    return tuple(kinds)


def _repeats(words: Sequence[str]) -> int:
    """Return how many times in a row the most repeated run of one to `LONGEST` words is said."""
    most = 1
    for size in range(1, LONGEST + 1):
        same = [words[i : i + size] == words[i + size : i + 2 * size] for i in range(len(words) - size)]
        longest = max((sum(1 for _ in run) for hit, run in itertools.groupby(same) if hit), default=0)
        most = max(most, 1 + (longest + size - 1) // size)  # r times give size · (r - 2) + 1 hits in a row
    return most


def _compression(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def _lost_at_the_end(reference: str, hypothesis: str) -> int:
    """Return how many words of the reference are missing behind a text that otherwise mostly follows it."""
    import jiwer

    output = jiwer.process_words(reference, hypothesis)
    last = output.alignments[0][-1] if output.alignments[0] else None
    cut = last is not None and last.type == "delete" and 2 * output.hits >= len(output.hypotheses[0])
    return last.ref_end_idx - last.ref_start_idx if last and cut else 0


def measure_catastrophes(texts: PairedTexts, *, confidence: float) -> CatastropheMeasurement:
    """Find the new catastrophes and bound their rate (Clopper and Pearson, Biometrika 1934; `clustered`)."""
    catastrophes: list[Catastrophe] = []
    hit: list[str] = []
    at_risk: list[str] = []
    no_worse: list[str] = []
    for pair in texts.pairs:
        spaced = pair.utterance.is_spaced
        before, after = (
            catastrophe_kinds(pair.reference, text, spaced=spaced) for text in (pair.baseline, pair.candidate)
        )
        # Told a language, a model writes in it, whatever it takes the sound for.
        detected = None if pair.utterance.language else pair.baseline_language
        if detected and pair.candidate_language not in (None, detected):
            after = (*after, LANGUAGE)
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
        metric: Metric = "wer" if spaced else "cer"
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
