"""The gate on translation: how many points of chrF or BLEU a candidate loses when it is asked to translate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.gates.keywords import Keyword, between, limit, one_of
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on
from pytest_whisperq.judging.verdict import Check, Figure, Verdict
from pytest_whisperq.measuring.catastrophe import clustered
from pytest_whisperq.measuring.catastrophe_kinds import TASK, is_other_task
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.measuring.translation import (
    METRICS,
    NAMES,
    TranslationMeasurement,
    TranslationMetric,
    measure_translation,
)
from pytest_whisperq.session import Session
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.errors import ConfigError


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge what both models say in English about the utterances that have a translation.

    Raises `ConfigError` for an English-only model, and for a backend that does not translate.
    """
    for model in (session.baseline, session.model(candidate)):
        if not model.is_multilingual:
            raise ConfigError(
                f"{model.spec.source.name} is English-only and translates nothing",
                where="whisperq_translation",
                remedy="take the marker off, or gate a multilingual model",
            )
    spoken, config = session.recordings.translated, session.config
    session.built(session.spec(candidate))  # one that quantization broke is told before the baseline is decoded
    said = (session.transcripts(spec, "translate") for spec in (session.baseline_spec, session.spec(candidate)))
    english = replace(spoken, utterances=tuple(map(_in_english, spoken.utterances)))
    texts = pair_texts(english, normalizers.get("identity"), *said)
    outcome = judge_translation(
        texts,
        spoken.utterances,
        session.normalizer,
        max_drop=limits["max_drop"],
        metric=limits["metric"],
        max_flips=limits["max_flips"],
        confidence=config.confidence,
        seed=config.seed,
    )
    if (others := len(session.corpus.speech) - len(spoken.utterances)) == 0:
        return outcome
    note = f"{others} of {len(session.corpus.speech)} utterances are left out: in English, or without a translation"
    return replace(outcome, judgement=replace(outcome.judgement, notes=(*outcome.judgement.notes, note)))


GATE = Gate(
    name="translation",
    summary="translated into English, the candidate's chrF (or BLEU, see metric) drops by less than max_drop points",
    keywords={
        "max_drop": limit("max_translation_drop"),
        "metric": Keyword(one_of(*METRICS), default="chrf"),
        "max_flips": Keyword(between(0, 1, never=0)),
    },
    run=run,
    hears_speech=True,
    judges_translations=True,
    extendable=True,
)


def judge_translation(
    texts: PairedTexts,
    spoken: Sequence[Utterance],
    normalizer: Normalizer,
    *,
    max_drop: float,
    metric: TranslationMetric,
    max_flips: float | None,
    confidence: float,
    seed: int,
) -> Outcome:
    """Pass when the upper bound of the drop of the corpus's score is below ``max_drop`` points.

    The references of ``texts`` are the translations; ``spoken`` are the same utterances with their transcripts, in the
    same order. ``max_flips`` bounds the share of utterances that only the candidate transcribes where it is asked to
    translate, told under ``normalizer``; None: they are only counted.
    """
    measured = measure_translation(
        [pair.reference for pair in texts.pairs],
        [pair.baseline for pair in texts.pairs],
        [pair.candidate for pair in texts.pairs],
        [item.reference for item in spoken],
        texts.clusters,
        metric=metric,
        confidence=confidence,
    )
    checks = [_drop_check(measured, metric, max_drop, len(texts.pairs))]
    flips = [
        _is_flipped(item, pair.baseline, pair.candidate, normalizer)
        for item, pair in zip(spoken, texts.pairs, strict=True)
    ]
    if max_flips is not None:
        rate = clustered(flips, texts.clusters, confidence)
        checks.append(judge(f"new {TASK}s", rate, max_flips, keep="below", unit="of utterances", utterances=len(flips)))
    name = NAMES[metric]
    figures = (
        Figure(name=name, value=measured.candidate, baseline=measured.baseline),
        Figure(name=f"new {TASK}s", value=float(sum(flips))),
    )
    judgement = judgement_on("translation", texts, tuple(checks), (), seed)
    return Outcome(
        judgement=replace(judgement, figures=figures, notes=(*judgement.notes, measured.signature)),
        worst=worst_utterances(texts, [round(lost) for lost in measured.lost], "wer"),
        counted=f"points of {name}",
    )


def _in_english(item: Utterance) -> Utterance:
    """Return an utterance whose reference is its translation."""
    return item._replace(reference=item.translation, translation="", language="en")


def _drop_check(measured: TranslationMeasurement, metric: TranslationMetric, max_drop: float, utterances: int) -> Check:
    name = f"{NAMES[metric]} drop"
    check = judge(name, measured.drop, max_drop, keep="below", unit="points", utterances=utterances)
    if check.verdict is not Verdict.PASS or measured.baseline > measured.untranslated:
        return check
    reason = (
        f"the baseline has {measured.baseline:.1f} points, and what was said without any translation has "
        f"{measured.untranslated:.1f}: it does not translate this corpus, and keeping up with it proves nothing; check "
        "model and language"
    )
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)


def _is_flipped(item: Utterance, baseline: str, candidate: str, normalizer: Normalizer) -> bool:
    """Whether the candidate transcribes what it is asked to translate, and the baseline does not."""
    asked, other, before, after = (
        normalizer(text, item.language) for text in (item.translation, item.reference, baseline, candidate)
    )
    return is_other_task(after, asked, other) and not is_other_task(before, asked, other)
