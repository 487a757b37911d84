"""The gate on the accuracy drop: how many more errors a candidate makes than its baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import sub
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.choices import COUNTED, Bounds, DropType, Metric
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.gates.keywords import METRIC, Keyword, between, limit, one_of
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.gates.saved_runs import SavedRuns
from pytest_whisperq.gates.slices import judge_slices, name_worst_slices
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on, overrule, unless_lost
from pytest_whisperq.judging.verdict import Check, Score, Verdict
from pytest_whisperq.measuring.accuracy import AccuracyMeasurement, measure_accuracy
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.session import Session
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.column import Column


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the drop on the corpus, in points unless ``drop_type`` says otherwise; ``per="slice"``: each slice too.

    A candidate that is broken beyond doubt fails before all of the corpus is decoded.
    """
    config, early = session.config, session.once(EarlyStopping)
    limit = early.limit(limits)
    part = early.failed(candidate, limit)
    texts = session.texts(candidate) if part is None else part
    outcome = judge_accuracy(
        texts,
        max_drop=limit.max_drop,
        drop_type=limit.drop_type,
        metric=limit.metric,
        bounds=limit.bounds,
        others=normalizers.compared(session.normalizer, session.recordings.substitutions) if part is None else (),
        confidence=config.confidence,
        fail_confidence=early.confidence,
        seed=config.seed,
    )
    if part is not None:
        outcome = overrule(outcome, Verdict.FAIL, early.why_failed(part))
    extend = judge_slices if limits["per"] == "slice" and part is None else name_worst_slices
    outcome = extend(outcome, texts, limit, confidence=config.confidence)
    if limits["per"] == "slice" and (columns := session.corpus.withheld):
        note = f"not judged by {', '.join(columns)}, left out by --whisperq-redact"
        outcome = replace(outcome, judgement=replace(outcome.judgement, notes=(*outcome.judgement.notes, note)))
    return outcome if part is not None else session.once(SavedRuns).accuracy(outcome, texts, limit)


def _refuse(given: Mapping[str, Any]) -> str:
    kind, most = given.get("drop_type") or "absolute", given.get("max_drop")
    if kind != "absolute":
        return f"drop_type={kind!r} needs its own max_drop, in per cent" if most is None else ""
    problem = "" if most is None else limit("max_drop").check(most)  # points end at 100, per cent do not
    return f"max_drop must be {problem} (got {most!r})" if problem else ""


GATE = Gate(
    name="accuracy",
    summary="the candidate's accuracy drop stays below max_drop points (or per cent, see drop_type)",
    keywords={
        "max_drop": Keyword(between(-100, 1000), option="max_drop"),
        "drop_type": Keyword(one_of("absolute", "relative", "accuracy-ratio"), default="absolute"),
        "metric": Keyword(METRIC, option="metric"),
        "per": Keyword(one_of(None, "slice")),
    },
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    refuse=_refuse,
)


def judge_accuracy(
    texts: PairedTexts,
    *,
    max_drop: float,
    drop_type: DropType = "absolute",
    metric: Metric = "wer",
    bounds: Bounds = "t",
    others: Sequence[Normalizer] = (),
    confidence: float,
    fail_confidence: float | None = None,
    seed: int,
    by_piece: bool = False,
) -> Outcome:
    """Pass when the upper bound of the accuracy drop is below ``max_drop`` (unit: `measuring.accuracy.DROP_UNITS`).

    ``others`` are normalizers under which the same transcripts are scored too; the verdict is that of ``texts`` alone.
    ``fail_confidence`` is that of the lower bound where part of its error is spent elsewhere (`measuring.sequential`),
    ``by_piece`` says that clusters are pieces of long recordings (`measuring.accuracy.bound_drop`).
    """

    def scored(paired: PairedTexts) -> tuple[AccuracyMeasurement, Score]:
        measurement = measure_accuracy(
            paired,
            metric=metric,
            drop_type=drop_type,
            confidence=confidence,
            lower_confidence=fail_confidence,
            bounds=bounds,
            seed=seed,
            by_piece=by_piece,
        )
        score = Score(
            normalizer=str(paired.normalizer),
            utterances=len(paired.pairs),
            baseline_rate=measurement.baseline_rate,
            candidate_rate=measurement.candidate_rate,
            check=_drop_check(measurement, metric, max_drop, len(paired.pairs)),
        )
        return measurement, score

    measurement, own = scored(texts)
    weights = Column("i", map(sub, measurement.candidate_counts.errors, measurement.baseline_counts.errors))
    rates = ((f"baseline_{metric}", measurement.baseline_rate), (f"candidate_{metric}", measurement.candidate_rate))
    del measurement  # one after another, for what is counted under each normalizer is as large as the corpus
    scores = (own, *(scored(texts.under(other))[1] for other in others))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    judgement = judgement_on("accuracy", texts, (own.check,), details, seed, metric)
    notes = () if bounds == "t" else (f"bounds by {bounds}",)
    return Outcome(
        judgement=replace(judgement, scores=scores, notes=(*judgement.notes, *notes)),
        worst=worst_utterances(texts, weights, metric),
        counted=COUNTED[metric],
    )


def _drop_check(measurement: AccuracyMeasurement, metric: Metric, max_drop: float, utterances: int) -> Check:
    name = "drop" if metric == "wer" else f"{metric.upper()} drop"
    check = judge(name, measurement.drop, max_drop, keep="below", unit=measurement.unit, utterances=utterances)
    return unless_lost(check, measurement.baseline_rate)
