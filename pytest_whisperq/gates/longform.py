"""The gate on recordings of minutes: the accuracy drop where a model goes from window to window."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.baselines import unquantized
from pytest_whisperq.gates.keywords import METRIC, Keyword, limit
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.pairs import pair_texts
from pytest_whisperq.session import Session


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the drop on long recordings, compared with the same backend at float32.

    The same backend, because each has its own way of going from window to window. What is said in one 30 s window
    counts as one piece of evidence: a model that loops loses all of it.
    """
    spec = session.spec(candidate)
    session.built(spec)  # before the baseline is decoded: quantization may have broken it
    transcripts = session.long_texts(unquantized(spec, "longform")), session.long_texts(spec)
    # Under its own normalizer only: it is normalized texts that are cut where utterances part.
    outcome = judge_accuracy(
        pair_texts(session.recordings.long_form, session.recordings.long_normalizer, *transcripts, is_normalized=True),
        max_drop=limits["max_drop"],
        metric=limits["metric"] or choose_metric(session.recordings.long_form),
        confidence=session.config.confidence,
        seed=session.config.seed,
        by_piece=True,
    )
    notes = (*outcome.judgement.notes, *session.recordings.long_form.notes)
    return replace(outcome, judgement=replace(outcome.judgement, gate="longform", notes=notes))


GATE = Gate(
    name="longform",
    summary="on recordings of minutes the accuracy drop stays below max_drop points",
    keywords={
        "max_drop": limit("max_drop"),
        "metric": Keyword(METRIC, option="metric"),
    },
    run=run,
    hears_speech=True,
)
