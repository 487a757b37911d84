"""The gate on format: whether a candidate loses case and punctuation, of which no normalized text has any."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.evidence import worst_utterances
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.gates.keywords import Keyword, between
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome, judge, judgement_on
from pytest_whisperq.judging.verdict import Figure, Verdict
from pytest_whisperq.measuring.formatting import MARKS, FormatMeasurement, measure_format
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.power import plan
from pytest_whisperq.session import Session
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.speech.typography import unify
from pytest_whisperq.system.errors import ConfigError


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge case and marks, each where references have it; raise `ConfigError` where they have neither."""
    cased, punctuated = format_of(session.corpus)

    def judge(texts: PairedTexts) -> Outcome:
        return judge_format(
            texts.under(normalizers.get("identity")),
            max_drop=limits["max_drop"],
            cased=cased,
            punctuated=punctuated,
            confidence=session.config.confidence,
            seed=session.config.seed,
        )

    return session.once(EarlyStopping).judge_all(candidate, judge)


def foresee(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> list[str]:  # noqa: ARG001
    """Say what drop the words of the corpus certify; raise `ConfigError` where they have neither case nor marks."""
    format_of(session.corpus)
    items = [item for item in session.corpus.speech if item.is_spaced]
    lengths = [len(item.reference.split()) for item in items]
    clusters = [session.recordings.cluster(item) for item in items]
    power = plan(lengths, clusters, confidence=session.config.confidence)
    return forecast(power, [limits["max_drop"]], drop="drop of format", keyword="whisperq_format: max_drop")


GATE = Gate(
    name="format",
    summary="of words that both models have right, less than max_drop points more lose their case or punctuation",
    keywords={"max_drop": Keyword(between(-100, 100), default=1.0)},
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    needs_whole_corpus=True,
    foresee=foresee,
)


def format_of(corpus: Corpus) -> tuple[bool, bool]:
    """Return whether references have capital and small letters, and whether they have marks.

    Raises `ConfigError` where no language is written with spaces, and where references have neither.
    """
    references = [item.reference for item in corpus.speech if item.is_spaced]
    if not references:
        raise ConfigError("judges words between spaces, and the corpus has none", where="whisperq_format")
    cased, punctuated = _has(references)
    if not cased and not punctuated:
        raise ConfigError(
            "the transcripts of the corpus have neither case nor punctuation",
            where="whisperq_format",
            remedy="take the marker off, or write the transcripts as they should be read",
        )
    return cased, punctuated


def _has(texts: Sequence[str]) -> tuple[bool, bool]:
    joined = "".join(texts)
    cased = any(map(str.isupper, joined)) and any(map(str.islower, joined))
    return cased, any(mark in joined for mark in MARKS)


def judge_format(
    texts: PairedTexts, *, max_drop: float, cased: bool, punctuated: bool, confidence: float, seed: int
) -> Outcome:
    """Pass when the upper bound of the drop of format is below ``max_drop`` points; ``texts`` are as they were said.

    A baseline that writes nothing of what is judged has nothing to lose: with it no candidate passes.
    """
    rows = [
        tuple(unify(text, pair.utterance.language) for text in (pair.reference, pair.baseline, pair.candidate))
        if pair.utterance.is_spaced
        else ("", "", "")
        for pair in texts.pairs
    ]
    three = [(reference, baseline, candidate) for reference, baseline, candidate in rows]
    measured = measure_format(three, texts.clusters, cased=cased, punctuated=punctuated, confidence=confidence)
    size = sum(pair.utterance.is_spaced for pair in texts.pairs)
    check = judge("format drop", measured.drop, max_drop, keep="below", unit="points", utterances=size)
    if measured.words:
        check = replace(check, reason=f"{check.reason}; {measured.words} words that both models have right")
    notes = [f"the corpus has no {what}, which is not judged" for what in _absent(cased, punctuated)]
    has_case, has_marks = _has([baseline for _, baseline, _ in rows])
    lost = _absent(has_case or not cased, has_marks or not punctuated) if measured.words else []
    notes += [f"the baseline writes no {what}, and a candidate cannot lose it" for what in lost]
    if check.verdict is Verdict.PASS and len(lost) == cased + punctuated:
        reason = f"the baseline writes no {' and no '.join(lost)}, and keeping up with it proves nothing"
        check = replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
    if others := len(texts.pairs) - size:
        notes.append(f"{others} utterances without spaces between words are not judged")
    judgement = judgement_on("format", texts, (check,), (), seed)
    return Outcome(
        judgement=replace(judgement, figures=_figures(measured), notes=(*judgement.notes, *notes)),
        worst=worst_utterances(texts, measured.gained, "wer"),
        counted="words in case or marks",
    )


def _absent(cased: bool, punctuated: bool) -> list[str]:
    return [what for what, there in (("case", cased), ("punctuation", punctuated)) if not there]


def _figures(measured: FormatMeasurement) -> tuple[Figure, ...]:
    named = (("F1 of punctuation marks, %", measured.f1), ("words in another case, %", measured.case_errors))
    return tuple(
        Figure(name=name, value=100 * after, baseline=100 * before)
        for name, (before, after) in named
        if before is not None and after is not None
    )
