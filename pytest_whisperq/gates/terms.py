"""The gate on terms: whether a candidate loses the words that matter, such as products, drugs or commands.

Where they are one word in thirty, a candidate that loses half of them loses 1.7 points of word accuracy.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.keywords import Keyword, limit
from pytest_whisperq.gates.recall import Look, foresee_recall, judge_recall, listed
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus.spacing import words_and_characters
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import user_path

OPTION = "--whisperq-terms"
NAMED = f"{OPTION}, or terms= of the test"


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge recall, and false alarms where they have a limit; raise `ConfigError` for a file that is none of terms."""
    terms = read_terms(limits["terms"])

    def judge(texts: PairedTexts) -> Outcome:
        look = finder(terms, texts.normalizer)
        notes = never_said(terms, texts, look, is_private=session.config.redact)
        return judge_recall("terms", texts, look, limits, session.config, notes=notes)

    return session.once(EarlyStopping).judge_all(candidate, judge)


def foresee(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> list[str]:  # noqa: ARG001
    """Say how many terms the corpus has, and which limit these can certify."""
    look = finder(read_terms(limits["terms"]), session.normalizer)
    return foresee_recall("terms", session, session.normalizer, look, limits["max_recall_drop"])


def _is_file(value: Any) -> str:
    return "" if isinstance(value, str | Path) and str(value).strip() else "the path of a file"


GATE = Gate(
    name="terms",
    summary="the candidate's recall of the terms in a file drops by less than max_recall_drop points",
    keywords={
        "max_recall_drop": limit("max_recall_drop"),
        "max_false_alarms": limit("max_false_alarms"),
        "terms": Keyword(_is_file, option="terms"),
    },
    run=run,
    hears_speech=True,
    judges_transcripts=True,
    extendable=True,
    needs_whole_corpus=True,
    foresee=foresee,
)


def read_terms(name: str | Path | None) -> dict[str, str]:
    """Return the terms of a file → where each is written; raise `ConfigError` for a file that holds none.

    One is on each line. Empty lines, and those that begin with ``#``, hold none.
    """
    if name is None:
        raise ConfigError("no terms are named", where="whisperq_terms", remedy=f"give {NAMED}")
    path = user_path(str(name), NAMED)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        reason, remedy = error.strerror or error, f"correct {NAMED}"
        raise ConfigError(f"cannot be read: {reason}", where=str(path), remedy=remedy) from error
    except ValueError as error:
        raise ConfigError("is not UTF-8", where=str(path), remedy="save it as UTF-8") from error
    stripped = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    terms = {line: f"{path}:{number}" for number, line in stripped if line and not line.startswith("#")}
    if not terms:
        raise ConfigError("holds no term", where=str(path), remedy="write one on each line")
    return terms


def finder(terms: Mapping[str, str], normalizer: Normalizer) -> Look:
    """Return the function that counts the terms in a normalized text, told its language.

    Terms are normalized as texts are. Where two begin at the same word, the longer one is there. Raises `ConfigError`
    for a term of which the normalizer leaves nothing.
    """
    known: dict[str | None, dict[tuple[str, ...], str]] = {}

    def of_language(language: str | None) -> dict[tuple[str, ...], str]:
        units: dict[tuple[str, ...], str] = {}
        for term, where in terms.items():
            words = tuple(words_and_characters(normalizer(term, language)))
            if not words:
                raise ConfigError(
                    f"nothing is left of the term {term!r} under the normalizer {normalizer}",
                    where=where,
                    remedy="write out what is said, or remove it",
                )
            units.setdefault(words, term)
        return units

    def look(text: str, language: str | None) -> Counter[str]:
        if language not in known:
            known[language] = of_language(language)
        return _count(words_and_characters(text), known[language])

    return look


def _count(words: Sequence[str], terms: Mapping[tuple[str, ...], str]) -> Counter[str]:
    lengths = sorted({len(term) for term in terms}, reverse=True)
    found: Counter[str] = Counter()
    start = 0
    while start < len(words):
        pieces = (tuple(words[start : start + length]) for length in lengths)
        there = next((piece for piece in pieces if piece in terms), ("",))
        if there in terms:
            found[terms[there]] += 1
        start += len(there)
    return found


def never_said(terms: Mapping[str, str], texts: PairedTexts, look: Look, *, is_private: bool = False) -> list[str]:
    """Return in a line which terms no reference has; none where all are said. ``is_private``: only how many."""
    said = set().union(*(look(pair.reference, pair.utterance.language) for pair in texts.pairs))
    never = [term for term in terms if term not in said]
    if not never:
        return []
    named = "" if is_private else f": {listed(never)}"
    return [f"of {len(terms)} terms {len(never)} are never said in the corpus, and nothing is known of them{named}"]
