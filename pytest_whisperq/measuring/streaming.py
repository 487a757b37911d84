"""How a streamed transcript came about: how late its words were, how often it changed, and whether computing kept up.

All of it follows from the events of a stream (`streaming.simulate.Event`), the words that were said with their times,
and the sound's length. No measure of delay stands alone: a model that drops words is never late, so that each comes
with the share of words that it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import fmean

from pytest_whisperq.streaming import StreamWord, key
from pytest_whisperq.streaming.simulate import Event

Normalize = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How restless the text was. `erasure` and `unstable` are per word of the final text, `flicker` per minute.

    erasure: words that were shown and are not where they were, from the first change on (normalized erasure of
    Arivazhagan et al. 2020, arXiv:1912.03393). unstable: words that were shown and have no equal partner after the next
    window, without what only comes behind them (after Shangguan et al. 2020, arXiv:2006.01416, whose exact formula is
    not public: this is ours). flicker: their number by time. retractions: windows after which committed words had gone.
    """

    erasure: float
    unstable: float
    flicker: float
    retractions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Computing:
    """Whether computing kept up with the sound.

    factor: computing by sound (real-time factor). window_95: the 95th percentile of computing a window by the sound it
    adds. backlog: the most seconds of computing that were ever due. redecoded: how often each second was decoded.
    """

    factor: float
    window_95: float
    backlog: float
    redecoded: float


def commit_lags(
    truth: Sequence[StreamWord], events: Sequence[Event], normalize: Normalize, *, computing: bool
) -> list[float | None]:
    """Return, for each word said, how many ms after its end it was committed; None for one that never was.

    Words are aligned with those committed (Levenshtein): one heard as another was committed too. ``computing`` counts
    the time that decoding took, and without it only how much sound the merge waited for.
    """
    import jiwer

    when: list[float] = []
    for event in events:
        when += [event.done if computing else float(event.sent)] * (len(event.committed) - len(when))
    final = events[-1].committed if events else ()
    lags: list[float | None] = [None] * len(truth)
    texts = [" ".join(token(word, normalize) for word in side) for side in (truth, final)]
    if not all(texts):
        return lags
    for chunk in jiwer.process_words(*texts).alignments[0]:
        if chunk.type in ("equal", "substitute"):
            for number, place in enumerate(range(chunk.ref_start_idx, chunk.ref_end_idx)):
                lags[place] = when[chunk.hyp_start_idx + number] - truth[place].end
    return lags


def token(word: StreamWord, normalize: Normalize) -> str:
    """Return a word as one token: alignments split at spaces, and an empty one would not count."""
    return normalize(word.text).replace(" ", "_") or "_"


def average_lagging(delays: Sequence[float], length: float, spoken: int) -> float | None:
    """Return LAAL in ms: how far words lag behind a speaker who says them evenly (Papi et al. 2022, arXiv:2206.05807).

    ``delays`` are when the words of the hypothesis were committed, in ms since the utterance began, ``length`` is that
    of the utterance in ms and ``spoken`` the words of its reference. LAAL = 1/τ · Σ_{i ≤ τ} (d_i − (i − 1) · length /
    max(spoken, heard)), τ the first word committed after the end, or the last. None if nothing was committed.

    >>> average_lagging([1000, 2000, 3000, 4000], length=4000, spoken=4)  # a second behind an even speaker
    1000.0
    """
    if not delays:
        return None
    pace = length / max(spoken, len(delays))
    last = next((number for number, delay in enumerate(delays, 1) if delay >= length), len(delays))
    return fmean(delay - number * pace for number, delay in enumerate(delays[:last]))


def stability(events: Sequence[Event]) -> Stability:
    """Measure how often what was shown, or even committed, changed."""
    erased = unstable = retracted = 0
    for before, after in pairwise(events):
        retracted += after.committed[: len(before.committed)] != before.committed
        old, new = ([key(word.text) for word in event.shown] for event in (before, after))
        same = next(
            (number for number, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]),
            min(len(old), len(new)),
        )
        erased += len(old) - same
        unstable += _lost(old[same:], new[same:])
    words = max(len(events[-1].committed), 1) if events else 1
    minutes = events[-1].sent / 60_000 if events else 0.0
    return Stability(
        erasure=erased / words,
        unstable=unstable / words,
        flicker=unstable / minutes if minutes else 0.0,
        retractions=retracted,
    )


def _lost(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many of the old words have no equal partner among the new ones (Levenshtein)."""
    import jiwer

    if not old or not new:
        return len(old)
    kept: int = jiwer.process_words(*(" ".join(word or "_" for word in side) for side in (old, new))).hits
    return len(old) - kept


def computing(events: Sequence[Event], decoded: float) -> Computing:
    """Measure the computing; ``decoded`` is how much sound all windows hold together, in ms."""
    took, hops, due, most, sent = [], [], 0.0, 0.0, 0
    for event in events[:-1]:  # the flush decodes nothing
        hop = event.sent - sent
        sent = event.sent
        due = max(0.0, due + event.took - hop)
        most = max(most, due)
        took.append(event.took)
        hops.append(hop)
    return Computing(
        factor=sum(took) / sent,
        window_95=percentile([cost / hop for cost, hop in zip(took, hops, strict=True)], 0.95),
        backlog=most / 1000,
        redecoded=decoded / sent,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of all do not exceed (nearest rank); 0 of none.

    >>> percentile([3.0, 1.0, 2.0, 10.0], 0.5)
    2.0
    """
    return sorted(values)[ceil(share * len(values) - 1e-9) - 1] if values else 0.0
