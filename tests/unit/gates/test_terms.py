"""The terms gate: what a mean over all words does not show, planted; and what files of terms it reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.recall import judge_recall
from pytest_whisperq.gates.terms import finder, never_said, read_terms
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.corpus import EMBEDDED, load_corpus
from pytest_whisperq.system.errors import ConfigError

Pairs = Callable[..., PairedTexts]
DRUGS = {"tramadol": "drugs.txt:1", "Insulin glargine": "drugs.txt:2"}
WORDS = "please give her two more of the {} every day before she goes to bed and call me back in the morning about it"


class Config:
    """As much of a configuration as is looked at."""

    confidence, seed = 0.95, 0

    def __init__(self, *, redact: bool = False) -> None:
        self.redact = redact


def judged(texts: PairedTexts, *, redact: bool = False, **limits: Any) -> Outcome:
    look = finder(DRUGS, texts.normalizer)
    given = {"max_recall_drop": 5.0, "max_false_alarms": None, **limits}
    notes = never_said(DRUGS, texts, look, is_private=redact)
    return judge_recall("terms", texts, look, given, Config(redact=redact), notes=notes)  # type: ignore[arg-type]


def planted(make_pairs: Pairs, lost: int, count: int = 400) -> PairedTexts:
    """Return texts of 23 words each, with one term, which so many of a hundred candidates' texts lack."""
    said = [WORDS.format("tramadol") for _ in range(count)]
    heard = [WORDS.format("trauma doll" if number % 100 < lost else "tramadol") for number in range(count)]
    return make_pairs(said, None, heard)


def test_a_candidate_whose_word_accuracy_passes_fails_on_its_terms(make_pairs: Pairs) -> None:
    texts = planted(make_pairs, lost=10)
    accuracy = judge_accuracy(texts, max_drop=2.0, confidence=0.95, seed=0)
    assert accuracy.judgement.verdict is Verdict.PASS
    terms = judged(texts)
    assert terms.judgement.verdict is Verdict.FAIL
    assert terms.judgement.checks[0].value == pytest.approx(10.0)
    assert "terms lost most: tramadol (found 360 of 400 times, by the baseline 400)" in terms.judgement.notes
    never = "of 2 terms 1 are never said in the corpus, and nothing is known of them: Insulin glargine"
    assert never in terms.judgement.notes
    assert [one.weight for one in terms.worst] == [1] * 5
    figures = {one.name: (one.baseline, one.value) for one in terms.judgement.figures}
    assert figures["recall of terms, %"] == (100.0, pytest.approx(90.0))
    assert figures["precision of terms, %"] == (100.0, 100.0)


PHONETIC = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey x-ray yankee zulu"
)


def test_the_phonetic_alphabet_of_the_embedded_corpus_is_lost_behind_a_small_drop(make_pairs: Pairs) -> None:
    """A candidate that says "and" for every eighth of these words loses about a point of word accuracy."""
    terms = dict.fromkeys(PHONETIC.split(), "")
    items = load_corpus(EMBEDDED).speech
    heard, number = [], 0
    for item in items:
        words = item.reference.split()
        for index, word in enumerate(words):
            if word.lower() in terms:
                number += 1
                words[index] = "and" if number % 8 == 0 else word
        heard.append(" ".join(words))
    said, spoken = [item.reference for item in items], [item.language for item in items]
    raw = make_pairs(said, None, heard, spoken=spoken, clusters=[item.cluster for item in items])
    texts = raw.under(normalizers.get("whisper-basic"))
    assert judge_accuracy(texts, max_drop=2.0, confidence=0.95, seed=0).judgement.verdict is Verdict.PASS
    given = {"max_recall_drop": 5.0, "max_false_alarms": None}
    outcome = judge_recall("terms", texts, finder(terms, texts.normalizer), given, Config())  # type: ignore[arg-type]
    assert outcome.judgement.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("lost", "count", "expected"),
    [(0, 400, Verdict.PASS), (4, 100, Verdict.INCONCLUSIVE), (0, 4, Verdict.INCONCLUSIVE), (20, 400, Verdict.FAIL)],
)
def test_verdicts(lost: int, count: int, expected: Verdict, make_pairs: Pairs) -> None:
    assert judged(planted(make_pairs, lost, count)).judgement.verdict is expected


def test_terms_that_nobody_said_have_a_limit_where_one_is_given(make_pairs: Pairs) -> None:
    said = ["take tramadol now", "take aspirin now"] * 200
    heard = ["take tramadol now", "take tramadol now"] * 200
    texts = make_pairs(said, None, heard)
    assert judged(texts).judgement.verdict is Verdict.PASS
    outcome = judged(texts, max_false_alarms=10.0)
    assert outcome.judgement.verdict is Verdict.FAIL
    assert outcome.judgement.checks[1].value == pytest.approx(100.0)


def test_a_corpus_without_terms_is_no_pass(make_pairs: Pairs) -> None:
    check = judged(make_pairs(["nothing of it"] * 400)).judgement.checks[0]
    assert (check.verdict, check.value) == (Verdict.INCONCLUSIVE, None)
    assert check.reason == "nothing to measure: no terms are said in the corpus"


def test_a_baseline_that_finds_none_makes_no_candidate_pass(make_pairs: Pairs) -> None:
    check = judged(make_pairs(["take tramadol"] * 400, ["take x"] * 400, ["take x"] * 400)).judgement.checks[0]
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "the baseline itself gets 100% wrong" in check.reason


def test_redacted_no_term_is_named(make_pairs: Pairs) -> None:
    notes = judged(planted(make_pairs, 10), redact=True).judgement.notes
    assert notes == ("of 2 terms 1 are never said in the corpus, and nothing is known of them",)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Tramadol, and TRAMADOL!", {"tramadol": 2}),
        ("en", "tramadols", {}),
        ("en", "insulin glargine and insulin", {"Insulin glargine": 1, "insulin": 1}),
        ("en", "the U.S. dollar", {}),
        ("zh", "请给我阿司匹林吧", {"阿司匹林": 1}),
    ],
)
def test_whole_terms_are_found_as_the_normalizer_writes_them(
    language: str, text: str, expected: dict[str, int]
) -> None:
    normalizer = normalizers.get("by-language")
    look = finder({**DRUGS, "insulin": "drugs.txt:3", "阿司匹林": "drugs.txt:4"}, normalizer)
    assert look(normalizer(text, language), language) == expected


def test_a_file_of_terms(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("\ufeff# drugs\n\n tramadol \nInsulin glargine\n", encoding="utf-8")
    assert read_terms(path) == {"tramadol": f"{path}:3", "Insulin glargine": f"{path}:4"}
    path.write_text("# none\n")
    with pytest.raises(ConfigError, match=r"terms\.txt: holds no term; write one on each line"):
        read_terms(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"terms\.txt: is not UTF-8"):
        read_terms(str(path))
    with pytest.raises(ConfigError, match=r"cannot be read: .*correct --whisperq-terms, or terms= of the test"):
        read_terms(tmp_path / "nothing.txt")
    with pytest.raises(ConfigError, match="whisperq_terms: no terms are named; give --whisperq-terms"):
        read_terms(None)


def test_a_term_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"drugs\.txt:7: nothing is left of the term '\[x\]'"):
        finder({"[x]": "drugs.txt:7"}, normalizers.get("whisper-basic"))("a", None)
