"""The gate on peak memory: loading a model and decoding one batch, in processes of their own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_whisperq.backends import Clip
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.keywords import limit
from pytest_whisperq.gates.on_device import refuse_on_device
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.gates.simulated import refuse_simulated
from pytest_whisperq.judging.rule import Outcome, judge, judgement_of
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.measuring.memory import MemoryMeasurement, measure_memory
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import subset

RUNS = 3
"""Fresh processes whose peaks are compared, for each of the two models."""


class Peaks:
    """The peak memory of each model of a run, measured once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._measured: dict[ModelSpec, MemoryMeasurement] = {}

    def of(self, spec: ModelSpec) -> MemoryMeasurement:
        """Measure one model."""
        if spec not in self._measured:
            session = self._session
            chosen = subset(session.corpus, session.config.decode_batch, session.config.seed).utterances
            clips = [Clip(samples=audio.load(item.audio), language=item.language) for item in chosen]
            session.progress(f"{spec} runs {RUNS} times in a process of its own", 0, 0)
            measurement = measure_memory(session.store.intact(spec), clips, session.config.threads, RUNS)
            session.decoder.attest_device(spec, measurement.device)
            session.decoder.attest(spec, measurement.compute_type)
            self._measured[spec] = measurement
        return self._measured[spec]


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the peak memory against the baseline's."""
    refuse_simulated(candidate, "whisperq_memory")
    refuse_on_device(candidate, "whisperq_memory", "memory")
    models, peaks = (session.baseline, session.model(candidate)), session.once(Peaks)
    baseline, artifact = (model.artifact for model in models)
    measured = peaks.of(models[0].spec), peaks.of(models[1].spec)
    return judge_memory(baseline, artifact, measured, max_ratio=limits["max_ratio"])


GATE = Gate(
    name="memory",
    summary="loading and decoding take less than max_ratio of the baseline's peak memory",
    keywords={"max_ratio": limit("max_memory_ratio")},
    run=run,
)


def judge_memory(
    baseline: Artifact,
    candidate: Artifact,
    runs: tuple[MemoryMeasurement, MemoryMeasurement],
    *,
    max_ratio: float,
) -> Outcome:
    """Pass when the candidate's peak memory is below ``max_ratio`` of the baseline's in every pairing of the runs.

    ``runs`` are those of the baseline and of the candidate; the bounds are the extreme ratios, not confidence bounds.
    The details have the median peak of each in bytes.
    """
    base_peaks, peaks = (sorted(one.peaks) for one in runs)
    base_peak, peak = base_peaks[len(base_peaks) // 2], peaks[len(peaks) // 2]
    ratio = Interval(
        value=peak / base_peak,
        lower=peaks[0] / base_peaks[-1],
        upper=peaks[-1] / base_peaks[0],
        confidence=None,
        clusters=len(peaks),
    )
    check = judge("peak memory", ratio, max_ratio, keep="below", unit="of the baseline", utterances=1)
    figures = f"{peak / 1e6:.0f} MB against {base_peak / 1e6:.0f} MB"
    check = replace(check, reason=f"{figures}; the bounds are the extremes of {len(peaks)} processes each")
    judgement = judgement_of("memory", baseline, candidate, (check,), runs[1].compute_type)
    details = (("baseline_peak_memory", float(base_peak)), ("peak_memory", float(peak)))
    return Outcome(judgement=replace(judgement, details=(*judgement.details, *details)))
