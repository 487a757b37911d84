"""How far a candidate's segments and words are from the baseline's in time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pytest_whisperq.backends import Segment, TimedText, TimedWord
from pytest_whisperq.measuring.intervals import SHARE, Interval, bound_ratio
from pytest_whisperq.measuring.streaming import percentile
from pytest_whisperq.speech.corpus.spacing import words_and_characters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTimes:
    """What became of the segments of one utterance.

    ``shifts`` are the seconds between the two models' times of starts and ends that have the same words beside them,
    infinite for both times of the ``lost`` segments, which the candidate does not say. ``uncompared`` is how many
    starts and ends have other words beside them. Of the boundaries between segments, ``kept`` are in both texts,
    ``joined`` only in the baseline's and ``split`` only in the candidate's.
    """

    shifts: tuple[float, ...]
    lost: int
    uncompared: int
    kept: int
    joined: int
    split: int


def compare_segments(
    baseline: Sequence[Segment], candidate: Sequence[Segment], normalizer: Callable[[str], str]
) -> SegmentTimes:
    """Find each boundary of the baseline's segments among the candidate's by the words around it, and compare times.

    Words are aligned after ``normalizer`` (Levenshtein). A segment of which the other model says less than half is lost
    or made up. Where one model parts a text that the other leaves whole, no time has moved: it is a split or a join.
    """
    base, other = (_spans(side, normalizer) for side in (baseline, candidate))
    partners = _partners(*([word for span in side for word in span.words] for side in (base, other)))
    backwards = {place: number for number, place in partners.items()}
    said = [span for span in base if _is_said(span, partners)]
    lost = len(base) - len(said)
    shifts = [_NEVER] * (2 * lost)
    heard = [span for span in other if _is_said(span, backwards)]
    if not (said and heard):
        return SegmentTimes(shifts=tuple(shifts), lost=lost, uncompared=0, kept=0, joined=0, split=0)

    starts, ends = [(said[0], heard[0])], [(said[-1], heard[-1])]
    free = list(pairwise(heard))
    joined = 0
    for before, after in pairwise(said):
        # The candidate's boundary lies behind the last word before it that both say, and before the next.
        low = max((partners[word] for word in range(before.end) if word in partners), default=-1)
        high = min(partners[word] for word in range(after.begin, base[-1].end) if word in partners)
        place = next((n for n, (one, two) in enumerate(free) if max(low, one.end - 1) < min(high, two.begin)), None)
        if place is None:
            joined += 1
            continue
        one, two = free.pop(place)
        ends.append((before, one))
        starts.append((after, two))
    kept = len(said) - 1 - joined
    pairs = [(a.segment.start, b.segment.start, partners.get(a.begin) == b.begin) for a, b in starts]
    pairs += [(a.segment.end, b.segment.end, partners.get(a.end - 1) == b.end - 1) for a, b in ends]
    shifts += [abs(time - own) for time, own, is_same in pairs if is_same]
    return SegmentTimes(
        shifts=tuple(shifts),
        lost=lost,
        uncompared=sum(not is_same for *_, is_same in pairs),
        kept=kept,
        joined=joined,
        split=len(free),
    )


class _Span(NamedTuple):
    """A segment, its normalized words and which of the text's they are: from ``begin`` up to, not with, ``end``."""

    segment: Segment
    words: list[str]
    begin: int
    end: int


def _spans(segments: Sequence[Segment], normalizer: Callable[[str], str]) -> list[_Span]:
    spans: list[_Span] = []
    for segment in segments:
        words = words_and_characters(normalizer(segment.text))
        begin = spans[-1].end if spans else 0
        spans += [_Span(segment, words, begin, begin + len(words))] if words else []
    return spans


def _is_said(span: _Span, partners: Mapping[int, int]) -> bool:
    return 2 * sum(word in partners for word in range(span.begin, span.end)) >= len(span.words)


def _partners(baseline: Sequence[str], candidate: Sequence[str]) -> dict[int, int]:
    """Return the place of the candidate's word for each of the baseline's that has one, the same word or another."""
    import jiwer

    if not (baseline and candidate):
        return {}
    (chunks,) = jiwer.process_words(" ".join(baseline), " ".join(candidate)).alignments
    return {
        place: chunk.hyp_start_idx + number
        for chunk in chunks
        if chunk.type in ("equal", "substitute")
        for number, place in enumerate(range(chunk.ref_start_idx, chunk.ref_end_idx))
    }


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


def measure_partings(
    segments: Sequence[SegmentTimes], clusters: Sequence[str], *, limit: float, confidence: float
) -> Interval | None:
    """Bound the share of boundaries that one of two texts has alone, among all between segments.

    None where there are so few that even the same text twice would not prove a quarter of ``limit``: some twenty
    utterances with boundaries are needed, or a good candidate that parts a few texts elsewhere could not pass.
    """
    import numpy as np

    counts = [(one.joined + one.split, one.joined + one.split + one.kept) for one in segments]
    parted = [(*row, cluster) for row, cluster in zip(counts, clusters, strict=True) if row[1]]
    alone, every = (np.array([row[column] for row in parted], np.float64) for column in (0, 1))
    average = float(every.mean()) if parted else 0.0

    def bound(counted: "NDArray[np.float64]") -> Interval:
        return bound_ratio(
            np.column_stack([counted, every]),
            [cluster for *_, cluster in parted],
            worse=(average, average),
            better=(0.0, average),
            confidence=confidence,
            within=SHARE,
        )

    best = bound(0.0 * alone).upper
    return bound(alone) if best is not None and best < limit / 4 else None


def timed_pairs(
    baseline: Sequence[TimedText],
    candidate: Sequence[TimedText],
    normalizer: Callable[..., str],
    languages: Sequence[str | None],
) -> tuple[list[SegmentTimes], list[tuple[float, ...]] | None]:
    """Return how the segments compare, and the word shifts, of every utterance; ``normalizer`` is told its language.

    None for words when one of the models tells no word a time.
    """
    rows = [
        (one, other, partial(normalizer, language=language))
        for one, other, language in zip(baseline, candidate, languages, strict=True)
    ]
    segments = [compare_segments(one.segments, other.segments, normalize) for one, other, normalize in rows]
    if not all(any(text.words for text in side) for side in (baseline, candidate)):
        return segments, None
    return segments, [word_shifts(one.words, other.words, normalize) for one, other, normalize in rows]
