"""Matched-pairs bounds on segments of an utterance, an alternative to clusters of utterances: NIST's MAPSSWE.

Gillick and Cox (ICASSP 1989), as NIST's sclite does it: references are cut where at least two words in a row are right
in both transcripts; what lies between is a segment, whose errors Z = q − r are taken to be independent of the others'.
It is blind to what ties segments together: a model that loops, a voice it cannot hear, recordings that utterances share
(the ``cluster`` column is not used). Three things differ from sclite, which tests whether the mean of Z is zero:

- How many segments have an error is chance, too: a candidate that adds one error to each of its segments makes Z the
  same everywhere, and yet the drop is not known exactly. The spread of ΣZ is therefore that of a random number of
  segments (compound Poisson), √ΣZ², about zero and not about the mean.
- The quantile is that of t on n − 1 degrees of freedom instead of 1.96.
- Fewer than `MIN_SEGMENTS` bound nothing (sclite reports a difference from three), nor do transcripts that are alike.
"""

from collections.abc import Sequence
from math import sqrt

from pytest_whisperq.measuring.intervals import Interval

MIN_SEGMENTS = 30
GOOD_WORDS = 2
"""Words in a row that are right in both transcripts and end a segment; sclite's DEFAULT_MIN_NUM_GOOD."""


def segments(reference: str, baseline: str, candidate: str) -> list[tuple[int, int]]:
    """Return the errors (baseline's, candidate's) of every segment of one utterance that has any; normalized texts."""
    segment_errors: list[tuple[int, int]] = []
    good = 0
    for place, (before, after) in enumerate(zip(*(_errors(reference, t) for t in (baseline, candidate)), strict=True)):
        if not before and not after:
            good += place % 2  # a word: between words, nothing inserted is nothing
            continue
        if segment_errors and good < GOOD_WORDS:
            before, after = segment_errors[-1][0] + before, segment_errors.pop()[1] + after
        segment_errors.append((before, after))
        good = 0
    return segment_errors


def bound_segments(
    segment_errors: Sequence[tuple[int, int]], words: int, *, confidence: float, lower_confidence: float | None = None
) -> Interval:
    """Bound the accuracy drop in points, 100·ΣZ / ``words``, from the segments of a corpus and its reference words."""
    import numpy as np
    from scipy.special import stdtrit

    gained = np.array([after - before for before, after in segment_errors], np.float64)
    count, value = len(gained), (100 * float(gained.sum()) / words if words else None)
    if value is None or count < MIN_SEGMENTS or not gained.any():
        problem = (
            f"needs {MIN_SEGMENTS} segments with an error, and there are {count}"
            if count < MIN_SEGMENTS
            else f"sees no difference in any of {count} segments, which bounds nothing"
        )
        return Interval(
            value=value,
            lower=None,
            upper=None,
            confidence=confidence,
            clusters=count,
            unbounded=f"MAPSSWE {problem}; use --whisperq-bounds t or sign-flip",
        )
    spread = 100 / words * sqrt(count / (count - 1) * float((gained**2).sum()))
    return Interval(
        value=value,
        lower=value - float(stdtrit(count - 1, lower_confidence or confidence)) * spread,
        upper=value + float(stdtrit(count - 1, confidence)) * spread,
        confidence=confidence,
        clusters=count,
    )


def _errors(reference: str, hypothesis: str) -> list[int]:
    """Return the errors along the reference: words inserted, first word wrong (0 or 1), inserted, second wrong … ."""
    import jiwer

    output = jiwer.process_words(reference, hypothesis)
    errors = [0] * (2 * len(output.references[0]) + 1)
    for chunk in output.alignments[0]:
        if chunk.type == "insert":
            errors[2 * chunk.ref_start_idx] += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type != "equal":
            for word in range(chunk.ref_start_idx, chunk.ref_end_idx):
                errors[2 * word + 1] = 1
    return errors
