"""The gate on timestamps: when a candidate says that segments and words begin and end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from math import isfinite
from typing import Any

from pytest_whisperq.backends import TimedText
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.baselines import unquantized
from pytest_whisperq.gates.keywords import limit
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import WORST, Evidence, Outcome, judge, judgement_on
from pytest_whisperq.judging.verdict import Check, Figure
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.measuring.scores import shorten_loops
from pytest_whisperq.measuring.timestamps import (
    Drift,
    SegmentTimes,
    measure_drift,
    measure_partings,
    timed_pairs,
)
from pytest_whisperq.session import Session

TOLERATED = 0.05
"""The share of times that may be off by more: the gate is on the 95th percentile."""

PARTED = 0.5
"""The share of boundaries between segments that one of two texts may have alone: most are where they were."""


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge how far segments and words are from those of the same backend at float32 in time.

    The same backend, because each has its own way to find out when something is said. Decodes once more, with
    timestamps.
    """
    spec = session.spec(candidate)
    session.built(spec)  # before the baseline is decoded: quantization may have broken it
    (base_texts, base_times), (candidate_texts, candidate_times) = (
        session.timed(model) for model in (unquantized(spec, "timestamps"), spec)
    )
    spoken = [item.is_speech for item in session.corpus.utterances]
    return judge_timestamps(
        pair_texts(session.corpus, session.normalizer, base_texts, candidate_texts),
        (list(compress(base_times, spoken)), list(compress(candidate_times, spoken))),
        max_shift=limits["max_shift"],
        confidence=session.config.confidence,
        seed=session.config.seed,
    )


GATE = Gate(
    name="timestamps",
    summary="95 of 100 segment and word times are within max_shift seconds of the same backend's at float32",
    keywords={"max_shift": limit("max_shift")},
    run=run,
    hears_speech=True,
    extendable=True,
)


def judge_timestamps(
    texts: PairedTexts,
    timed_texts: tuple[Sequence[TimedText], Sequence[TimedText]],
    *,
    max_shift: float,
    confidence: float,
    seed: int,
) -> Outcome:
    """Pass when 95 % of segment times, and of word times where both models tell them, are within ``max_shift`` seconds.

    ``timed_texts`` are what baseline and candidate say and when, for each of the pairs of ``texts``. Only times with
    the same words beside them are compared. Texts may be parted elsewhere, if most boundaries are kept; with few
    boundaries that is reported only.
    """
    segments, words = timed_pairs(*timed_texts, texts.normalizer, [pair.utterance.language for pair in texts.pairs])
    segment_shifts = [one.shifts for one in segments]
    checks, details = [], []
    for name, shifts in (("segment", segment_shifts), ("word", words)):
        if shifts is None:
            continue
        drift = measure_drift(shifts, texts.clusters, max_shift=max_shift, confidence=confidence)
        checks.append(_check(name, drift, max_shift, len(texts.pairs)))
        for key, seconds in ((f"{name}_shift", drift.median), (f"{name}_shift_95", drift.percentile95)):
            details += [(key, seconds)] if isfinite(seconds) else []
    count = sum(len(text.segments) for text in timed_texts[0])
    partings = measure_partings(segments, texts.clusters, limit=PARTED, confidence=confidence)
    if partings is not None:
        name, unit = "parted elsewhere", "of boundaries between segments"
        checks.append(judge(name, partings, PARTED, keep="below", unit=unit, utterances=len(texts.pairs)))
    rows = zip(segment_shifts, texts.pairs, *timed_texts, strict=True)
    worst = sorted(rows, key=lambda row: -max(row[0], default=0.0))
    judgement = judgement_on("timestamps", texts, tuple(checks), tuple(details), seed)
    notes = (*judgement.notes, f"times are compared with those of {judgement.baseline}, where the words are the same")
    return Outcome(
        judgement=replace(judgement, figures=_figures(segments, count), notes=notes),
        worst=tuple(
            Evidence(
                utterance=pair.utterance,
                weight=sum(shift >= max_shift for shift in shifts),
                rows=(("baseline", _times(base_text)), ("candidate", _times(candidate_text))),
            )
            for shifts, pair, base_text, candidate_text in worst[:WORST]
            if max(shifts, default=0.0) >= max_shift
        ),
        counted="segment times off",
    )


def _figures(segments: Sequence[SegmentTimes], count: int) -> tuple[Figure, ...]:
    """Return what became of the baseline's ``count`` segments besides a time that moved.

    Joined and split are of the boundaries between segments that the baseline and the candidate have.
    """
    names = ("lost", "kept", "joined", "split", "uncompared")
    lost, kept, joined, split, uncompared = (sum(getattr(one, name) for one in segments) for name in names)
    compared = sum(len(one.shifts) for one in segments)
    shares = (
        ("lost segments, %", lost, count),
        ("joined segments, %", joined, kept + joined),
        ("split segments, %", split, kept + split),
        ("times not compared, %", uncompared, uncompared + compared),
    )
    return tuple(Figure(name=name, value=100 * part / whole) for name, part, whole in shares if whole)


def _check(name: str, drift: Drift, max_shift: float, utterances: int) -> Check:
    check = judge(
        f"moved {name}s",
        drift.late,
        TOLERATED,
        keep="below",
        unit=f"of {name} times",
        utterances=utterances if drift.count else 0,
    )
    if not drift.count:
        return replace(check, reason=f"no {name} of the baseline has a time and the same words in both texts")
    shifts = f"median {_seconds(drift.median)}, 95th percentile {_seconds(drift.percentile95)}"
    reason = f"{drift.count} times, moved if off by {max_shift:g} s or more; {shifts}; {check.reason}"
    return replace(check, reason=reason)


def _seconds(shift: float) -> str:
    return f"{shift:.2f} s" if isfinite(shift) else "without end (nothing is said there)"


def _times(text: TimedText) -> str:
    return " | ".join(f"{s.start:.2f}-{s.end:.2f} {shorten_loops(s.text)}" for s in text.segments) or "(no segment)"
