"""The gate on language detection: whether a candidate detects the languages that its baseline detects."""

from collections.abc import Mapping
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.keywords import limit
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import WORST, Evidence, Outcome, judge, judgement_on
from pytest_whisperq.measuring.language import measure_language
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import ConfigError


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the detected languages; raise `ConfigError` where a model knows one only, or a backend does not tell."""
    models = session.baseline, session.model(candidate)
    for model in models:
        if not model.is_multilingual:
            raise ConfigError(
                f"{model.spec.source.name} is English-only and detects no language",
                where="whisperq_language",
                remedy="take the marker off, or gate a multilingual model",
            )

    def judge(texts: PairedTexts) -> Outcome:
        detected = (
            [pair.baseline_language for pair in texts.pairs],
            [pair.candidate_language for pair in texts.pairs],
        )
        for model, languages in zip(models, detected, strict=True):
            if None in languages:
                raise ConfigError(
                    f"backend {model.spec.backend!r} does not say which language it detects",
                    where="whisperq_language",
                    remedy="take the marker off, or gate another backend",
                )
        return judge_language(
            texts,
            min_agreement=limits["min_agreement"],
            confidence=session.config.confidence,
            seed=session.config.seed,
        )

    return session.once(EarlyStopping).judge_all(candidate, judge)


GATE = Gate(
    name="language",
    summary="the candidate detects the languages that the baseline detects",
    keywords={"min_agreement": limit("min_language_agreement")},
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    needs_whole_corpus=True,
)


def judge_language(texts: PairedTexts, *, min_agreement: float, confidence: float, seed: int) -> Outcome:
    """Pass when the candidate detects the baseline's languages: the lower bound of the share is above the limit."""
    measurement = measure_language(texts, confidence=confidence)
    check = judge(
        "same language",
        measurement.agreement,
        min_agreement,
        keep="above",
        unit="of utterances",
        utterances=len(texts.pairs),
    )
    rates = (("baseline_language", measurement.baseline_right), ("candidate_language", measurement.candidate_right))
    details = tuple((key, rate) for key, rate in rates if rate is not None)
    worst = tuple(
        Evidence(
            utterance=pair.utterance,
            weight=1,
            rows=(
                ("spoken", pair.utterance.language or "unknown"),
                ("baseline", f"{pair.baseline_language}"),
                ("candidate", f"{pair.candidate_language}"),
                ("reference", pair.reference),
            ),
        )
        for pair in texts.pairs
        if pair.baseline_language != pair.candidate_language
    )
    judgement = judgement_on("language", texts, (check,), details, seed)
    return Outcome(judgement=judgement, worst=worst[:WORST], counted="other language")
