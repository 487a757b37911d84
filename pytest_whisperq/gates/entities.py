"""The gate on entities: whether a candidate loses numbers, amounts or dates, each of which is right or wrong."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.keywords import Keyword, limit
from pytest_whisperq.gates.recall import foresee_recall, judge_recall
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.session import Session
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.entities import ENGLISH_ONLY, KINDS, find_entities
from pytest_whisperq.speech.normalizers import Normalizer


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge the recall of entities, which are found under ``by-language`` whatever the run's normalizer is."""
    look, normalizer = partial(find_entities, kinds=limits["kinds"]), _normalizer(session)

    def judge(texts: PairedTexts) -> Outcome:
        notes = _unread(texts, limits["kinds"])
        return judge_recall("entities", texts.under(normalizer), look, limits, session.config, notes=notes)

    return session.once(EarlyStopping).judge_all(candidate, judge)


def foresee(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> list[str]:  # noqa: ARG001
    """Say how many entities the corpus has, and which limit these can certify."""
    look = partial(find_entities, kinds=limits["kinds"])
    return foresee_recall("entities", session, _normalizer(session), look, limits["max_recall_drop"])


def _normalizer(session: Session) -> Normalizer:
    """Return the one that keeps the signs of amounts and reads number words; others may not."""
    return normalizers.get("by-language", session.recordings.substitutions)


def _unread(texts: PairedTexts, kinds: tuple[str, ...]) -> list[str]:
    """Return in a line how many utterances some of the kinds are not read in; none where all are."""
    english = [kind for kind in kinds if kind in ENGLISH_ONLY]
    others = sum(pair.utterance.language != "en" for pair in texts.pairs)
    if not english or not others:
        return []
    return [f"{' and '.join(english)} are read in English only: not in {others} of {len(texts.pairs)} utterances"]


def _are_kinds(value: Any) -> str:
    good = isinstance(value, tuple | list) and value and all(kind in KINDS for kind in value)
    return "" if good else f"a tuple of some of {', '.join(map(repr, KINDS))}"


GATE = Gate(
    name="entities",
    summary="the candidate's recall of numbers, amounts and dates drops by less than max_recall_drop points",
    keywords={
        "max_recall_drop": limit("max_recall_drop"),
        "max_false_alarms": limit("max_false_alarms"),
        "kinds": Keyword(_are_kinds, default=KINDS),
    },
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    needs_whole_corpus=True,
    foresee=foresee,
)
