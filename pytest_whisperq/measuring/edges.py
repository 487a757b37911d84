"""How far from the ends of its window a model errs, and how exact its word times are: what a merge has to live with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from pytest_whisperq.measuring.streaming import percentile, token
from pytest_whisperq.streaming import Chunk, StreamProfile, StreamWord, key
from pytest_whisperq.system.errors import StreamError

STEP, BAND = 50, 500
"""The edge zone is told to so many milliseconds, from the words within so many behind each step."""

TYPICAL = 0.75
"""The share of word times that are not further off than the jitter. Alignments have no worst case: a pause goes to the
word before it in one window and to the one behind it in the next, so that one time in twenty is off by most of a
second. A merge that counted on that would take equal words seconds apart for one."""

EXCESS = 0.05
"""So much more often than in its middle a window may be wrong behind its edge zone."""

_FEWEST = 50
"""Fewer words than this in the middle of windows say nothing about a model."""


class _WindowWord(NamedTuple):
    """A word said or heard in a window: ms to the nearer end of it, whether both agree, and how far times are off."""

    depth: int
    agrees: bool
    off: tuple[int, ...]


def measure_profile(
    streams: Sequence[tuple[Sequence[Chunk], Sequence[StreamWord]]],
    profile: StreamProfile,
    normalize: Callable[[str], str] = key,
) -> StreamProfile:
    """Return ``profile`` with the edge zone, the jitter and the longest word of a model.

    ``streams`` are what it heard in windows of ``profile``, with the words that were said and their times. The edge
    zone ends where, of the words in the next `BAND` ms, at most `EXCESS` more are wrong than in the middle half of
    windows. The jitter is how far `TYPICAL` starts and ends are off, at most, behind it; the longest word is the 99th
    percentile, for alignments give a word the pause beside it. How soon a word may be repeated follows from that.
    Raises `StreamError` for too few words that were heard as said, and where windows err all over.
    """
    words = [
        word
        for chunks, truth in streams
        for chunk in chunks
        for word in _compare(chunk, truth, chunks[0].start, normalize)
    ]
    middle = [word for word in words if word.depth >= profile.window // 4]
    right = sum(word.agrees for word in middle)
    if right < _FEWEST:
        raise StreamError(
            f"{right} of {len(middle)} words in the middle of windows were heard as they were said; {_FEWEST} "
            "are needed to measure a model",
            remedy="stream longer recordings (--whisperq-long-form), or a model that hears more",
        )
    tolerated = _wrong(middle) + EXCESS
    bands = {edge: [word for word in words if edge <= word.depth < edge + BAND] for edge in _edges(profile)}
    edge = next((edge for edge, band in bands.items() if band and _wrong(band) <= tolerated), None)
    if edge is None:
        raise StreamError(
            f"windows of {profile.window} ms err more in each part than in their middle: there is no edge "
            "zone to leave out",
            remedy="use longer windows (--whisperq-merge-profile)",
        )
    jitter = round(percentile([off for word in words if word.depth >= edge for off in word.off], TYPICAL))
    lengths = [word.end - word.start for _, truth in streams for word in truth]
    return replace(
        profile,
        edge=edge,
        jitter=jitter,
        longest_word=max(1, round(percentile(lengths, 0.99))),
        repeat_spacing=max(profile.repeat_spacing, 6 * jitter + 2),
    )


def _edges(profile: StreamProfile) -> range:
    return range(0, profile.window // 4 + 1, STEP)


def _wrong(words: Sequence[_WindowWord]) -> float:
    return sum(not word.agrees for word in words) / max(len(words), 1)


def _compare(
    chunk: Chunk, truth: Sequence[StreamWord], origin: int, normalize: Callable[[str], str]
) -> list[_WindowWord]:
    """Align what a window heard with what was said in it; a word that only one of the two has is an error there."""
    import jiwer

    def depth(word: StreamWord) -> int:
        left = word.start - chunk.start if chunk.start > origin else chunk.end
        right = chunk.end if chunk.final else chunk.end - word.end
        return max(0, min(left, right))

    reference_words = [word for word in truth if chunk.start <= word.start and word.end <= chunk.end]
    if not reference_words or not chunk.words:
        return [_WindowWord(depth(word), False, ()) for word in (*reference_words, *chunk.words)]
    texts = [" ".join(token(word, normalize) for word in side) for side in (reference_words, chunk.words)]
    words = []
    for part in jiwer.process_words(*texts).alignments[0]:
        spoken = reference_words[part.ref_start_idx : part.ref_end_idx]
        decoded = chunk.words[part.hyp_start_idx : part.hyp_end_idx]
        if part.type == "equal":
            words += [
                _WindowWord(depth(word), True, (abs(word.start - other.start), abs(word.end - other.end)))
                for word, other in zip(spoken, decoded, strict=True)
            ]
        else:
            words += [_WindowWord(depth(word), False, ()) for word in (spoken or decoded)]
    return words
