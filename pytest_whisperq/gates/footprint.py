"""Gates on what a model takes (bytes on disk, memory) and on whether it repeats itself."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.judging.rule import WORST, Evidence, Outcome, baseline_name, exactly, footprint, judge
from pytest_whisperq.judging.verdict import Check, Judgement, Verdict
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.memory import MemoryMeasurement
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.corpus import Corpus

_RATIO = "of the baseline"


def judge_size(baseline: Artifact, candidate: Artifact, *, max_ratio: float) -> Outcome:
    """Pass when the candidate's files take less than ``max_ratio`` of the baseline's bytes. Counted, not estimated."""
    ratio = exactly(candidate.size / baseline.size)
    check = judge("size", ratio, max_ratio, keep="below", unit=_RATIO, utterances=1)
    check = replace(check, reason=f"{candidate.size:,} bytes against {baseline.size:,}")
    return Outcome(judgement=judgement_of("size", baseline, candidate, (check,)))


def judge_memory(
    baseline: Artifact,
    candidate: Artifact,
    runs: tuple[MemoryMeasurement, MemoryMeasurement],
    *,
    max_ratio: float,
) -> Outcome:
    """Pass when the candidate's peak memory is below ``max_ratio`` of the baseline's in every pairing of the runs.

    ``runs`` are those of the baseline and of the candidate; the bounds are the extreme ratios, not confidence bounds.
    """
    base, own = (sorted(found.peaks) for found in runs)
    middle = own[len(own) // 2] / base[len(base) // 2]
    ratio = Interval(value=middle, lower=own[0] / base[-1], upper=own[-1] / base[0], confidence=None, clusters=len(own))
    check = judge("peak memory", ratio, max_ratio, keep="below", unit=_RATIO, utterances=1)
    figures = f"{own[len(own) // 2] / 1e6:.0f} MB against {base[len(base) // 2] / 1e6:.0f} MB"
    check = replace(check, reason=f"{figures}; the bounds are the extremes of {len(own)} processes each")
    return Outcome(judgement=judgement_of("memory", baseline, candidate, (check,), runs[1].compute_type))


def judge_determinism(
    candidate: Artifact,
    compute_type: str,
    corpus: Corpus,
    runs: Sequence[Sequence[Hypothesis]],
    *,
    seed: int,
) -> Outcome:
    """Pass when decoding the same clips again gave the very same tokens; ``runs`` are the decodings.

    One clip that differs proves a model unsteady. That none did proves nothing beyond these clips and runs.
    """
    pairs = list(zip(corpus.utterances, zip(*runs, strict=True), strict=True))
    unsteady = [(item, said) for item, said in pairs if len({(h.tokens, h.text) for h in said}) > 1]
    share = len(unsteady) / len(pairs)
    check = Check(
        name="unsteady",
        value=share,
        limit=0.0,
        keep="at",
        lower=share,
        upper=share,
        confidence=None,
        unit="of utterances",
        verdict=Verdict.FAIL if unsteady else Verdict.PASS,
        reason=f"{len(unsteady)} of {len(pairs)} clips differ between {len(runs)} decodings",
    )
    worst = tuple(
        Evidence(utterance=item, weight=1, rows=tuple((f"run {n}", h.text) for n, h in enumerate(said, 1)))
        for item, said in unsteady[:WORST]
    )
    judgement = replace(
        judgement_of("determinism", None, candidate, (check,), compute_type),
        corpus=corpus.name,
        utterances=len(pairs),
        words=sum(len(item.reference.split()) for item in corpus.speech),
        seed=seed,
    )
    return Outcome(judgement=judgement, worst=worst, counted="unsteady")


def judgement_of(
    gate: str, baseline: Artifact | None, candidate: Artifact, checks: tuple[Check, ...], compute_type: str = ""
) -> Judgement:
    """Return the judgement of a gate that hears no corpus; ``compute_type`` is "" for one that runs nothing."""
    return Judgement(
        gate=gate,
        candidate=str(candidate.spec),
        baseline=baseline_name(baseline.spec, candidate.spec) if baseline else "",
        checks=checks,
        compute_type=compute_type,
        fell_back=bool(compute_type) and compute_type != candidate.spec.promised,
        operations=candidate.calibration,
        built=candidate.notes,
        details=footprint(candidate),
    )
