"""How far a candidate's segments and words are from the baseline's in time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pytest_whisperq.backends import Segment, TimedText, TimedWord
from pytest_whisperq.measuring.intervals import SHARE, Interval, bound_ratio
from pytest_whisperq.measuring.streaming import percentile

_NEVER = float("inf")  # the shift of a time that has no counterpart


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Shifts of one kind of time over a corpus.

    ``late`` bounds the share of times that are off by ``max_shift`` or more; ``median`` and ``percentile95`` are
    seconds (nearest rank), infinite where so many times have no counterpart; ``count`` is how many times there are.
    """

    late: Interval
    median: float
    percentile95: float
    count: int


def segment_shifts(baseline: Sequence[Segment], candidate: Sequence[Segment]) -> tuple[float, ...]:
    """Return, for every start and end of the baseline's segments, the seconds to the candidate's nearest start or end.

    Infinite where the candidate has none: what is no longer said has no time.
    """
    return tuple(
        min((abs(time - getattr(other, edge)) for other in candidate), default=_NEVER)
        for segment in baseline
        for edge, time in (("start", segment.start), ("end", segment.end))
    )


def word_shifts(
    baseline: Sequence[TimedWord], candidate: Sequence[TimedWord], normalizer: Callable[[str], str]
) -> tuple[float, ...]:
    """Return, for every start and end of the words that both say, how many seconds the two are apart.

    Words are aligned after ``normalizer`` (Levenshtein). One that the other model does not say is an error of words,
    which other gates count, and has no time to compare.
    """
    import jiwer

    texts = [[normalizer(word.text).replace(" ", "_") or "_" for word in side] for side in (baseline, candidate)]
    if not all(texts):
        return ()
    shifts: list[float] = []
    for chunk in jiwer.process_words(*(" ".join(side) for side in texts)).alignments[0]:
        if chunk.type != "equal":
            continue
        counterparts = candidate[chunk.hyp_start_idx : chunk.hyp_end_idx]
        for word, other in zip(baseline[chunk.ref_start_idx : chunk.ref_end_idx], counterparts, strict=True):
            shifts += [abs(word.start - other.start), abs(word.end - other.end)]
    return tuple(shifts)


def measure_drift(
    shifts: Sequence[Sequence[float]], clusters: Sequence[str], *, max_shift: float, confidence: float
) -> Drift:
    """Summarize the shifts of each utterance, in seconds.

    The 95th percentile is below ``max_shift`` exactly when less than one time in twenty is off by as much: that share
    is bounded, by utterances, for the times of one utterance go wrong together. The pseudo-clip of the upper bound is
    an utterance of average length all of whose times are off.
    """
    import numpy as np

    rounded = [[round(shift, 3) for shift in one] for one in shifts]  # times are multiples of 20 ms, but not in binary
    rows = np.array([(sum(shift >= max_shift for shift in one), len(one)) for one in rounded], np.float64).reshape(
        -1, 2
    )
    every = sorted(shift for one in rounded for shift in one)
    average = len(every) / max(len(rounded), 1)
    return Drift(
        late=bound_ratio(
            rows,
            clusters,
            worse=(average, average),
            better=(0.0, average),
            confidence=confidence,
            within=SHARE,
        ),
        median=percentile(every, 0.5),
        percentile95=percentile(every, 0.95),
        count=len(every),
    )


def timed_pairs(
    baseline: Sequence[TimedText],
    candidate: Sequence[TimedText],
    normalizer: Callable[..., str],
    languages: Sequence[str | None],
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]] | None]:
    """Return the segment shifts and the word shifts of every utterance, whose language ``normalizer`` is told.

    None for words when one of the models tells no word a time.
    """
    segments = [segment_shifts(one.segments, other.segments) for one, other in zip(baseline, candidate, strict=True)]
    if not all(any(text.words for text in side) for side in (baseline, candidate)):
        return segments, None
    words = [
        word_shifts(one.words, other.words, partial(normalizer, language=language))
        for one, other, language in zip(baseline, candidate, languages, strict=True)
    ]
    return segments, words
