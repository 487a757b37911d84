"""The gate on the bytes on disk."""

import re
from collections.abc import Mapping
from dataclasses import replace
from math import log2
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.keywords import limit
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome, exactly, judge, judgement_of
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.session import Session

SHORT, OTHERS = 0.5, 1.1
"""Share of the baseline's bytes that a precision of 8 bits or fewer, or any other, may take if nothing else is said."""


_NAMED_BITS = {"codebook": 4.0, "ternary": log2(3)}
"""Bits of precisions whose names do not count them: an index into 16 numbers, and one of three values."""


def nominal_bits(precision: str) -> float | None:
    """Return in how many bits a precision stores a weight, by its name; None for a name that does not tell.

    An index into 256 vectors of two weights takes 8 bits for both.

    >>> [nominal_bits(name) for name in ("int8-ptq", "nf4", "bfloat16", "vq2x256", "codebook", "own")]
    [8.0, 4.0, 16.0, 4.0, 4.0, None]
    """
    if vectors := re.search(r"vq(\d+)x(\d+)", precision):
        return log2(int(vectors[2])) / int(vectors[1])
    if named := [bits for word, bits in _NAMED_BITS.items() if word in precision]:
        return named[0]
    bits = re.search(r"\d+", precision)
    return float(bits[0]) if bits else None


def is_short(precision: str) -> bool:
    """Whether a precision stores weights in 8 bits or fewer, by its name.

    >>> [is_short(name) for name in ("int8-ptq", "nf4", "vq4x256", "bfloat16", "float32")]
    [True, True, True, False, False]
    """
    bits = nominal_bits(precision)
    return bits is not None and bits <= 8


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the bytes on disk against the baseline's."""
    default = SHORT if is_short(candidate.precision) else OTHERS
    limit = default if limits["max_ratio"] is None else limits["max_ratio"]
    baseline, quantized = session.built(session.baseline_spec), session.built(session.spec(candidate))
    return judge_size(baseline, quantized, max_ratio=limit)


GATE = Gate(
    name="size",
    summary="the candidate's files take less than max_ratio of the baseline's bytes",
    keywords={"max_ratio": limit("max_size_ratio")},
    run=run,
)


def judge_size(baseline: Artifact, candidate: Artifact, *, max_ratio: float) -> Outcome:
    """Pass when the candidate's files take less than ``max_ratio`` of the baseline's bytes. Counted, not estimated."""
    ratio = exactly(candidate.size / baseline.size)
    check = judge("size", ratio, max_ratio, keep="below", unit="of the baseline", utterances=1)
    check = replace(check, reason=f"{candidate.size:,} bytes against {baseline.size:,}")
    return Outcome(judgement=judgement_of("size", baseline, candidate, (check,)))
