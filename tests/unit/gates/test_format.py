"""The format gate: case and punctuation are lost behind a word accuracy that stays."""

from collections.abc import Callable

import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.format import format_of, judge_format
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.speech import normalizers
from pytest_whisperq.system.errors import ConfigError

Pairs = Callable[..., PairedTexts]
TEXT = "Please call Anna, and tell her that I am not at home."


def judged(texts: PairedTexts, *, cased: bool = True, punctuated: bool = True) -> Judgement:
    return judge_format(texts, max_drop=2.0, cased=cased, punctuated=punctuated, confidence=0.95, seed=0).judgement


@pytest.mark.parametrize(
    ("heard", "expected"),
    [(TEXT, Verdict.PASS), (TEXT.lower(), Verdict.FAIL), (TEXT.replace(",", "").rstrip("."), Verdict.FAIL)],
)
def test_what_is_lost_is_none_of_the_accuracy_gate_s(heard: str, expected: Verdict, make_pairs: Pairs) -> None:
    raw = make_pairs([TEXT] * 200, None, [heard] * 200)
    plain = raw.under(normalizers.get("whisper-basic"))
    assert judge_accuracy(plain, max_drop=1.0, confidence=0.95, seed=0).judgement.verdict is Verdict.PASS
    assert judged(raw).verdict is expected


def test_figures_and_notes_tell_what_is_judged(make_pairs: Pairs) -> None:
    judgement = judged(make_pairs([TEXT] * 50, None, [TEXT.lower()] * 50))
    figures = {one.name: (one.baseline, one.value) for one in judgement.figures}
    assert figures["F1 of punctuation marks, %"] == (100.0, 100.0)
    assert figures["words in another case, %"] == (0.0, pytest.approx(100 * 3 / 12))
    assert judged(make_pairs(["a b."] * 50), cased=False).notes == ("the corpus has no case, which is not judged",)
    mixed = judged(make_pairs(["A b.", "今日は。"] * 50, spoken=["en", "ja"] * 50))
    assert mixed.notes == ("50 utterances without spaces between words are not judged",)


@pytest.mark.parametrize(
    ("heard", "aspects", "lost", "expected"),
    [
        (TEXT.lower().replace(",", "").rstrip("."), {}, ["case", "punctuation"], Verdict.INCONCLUSIVE),
        (TEXT.lower(), {}, ["case"], Verdict.PASS),
        (TEXT.lower(), {"cased": False}, [], Verdict.PASS),
        (TEXT.lower(), {"punctuated": False}, ["case"], Verdict.INCONCLUSIVE),
        (TEXT, {}, [], Verdict.PASS),
    ],
)
def test_a_baseline_without_format_is_nothing_to_keep_up_with(
    heard: str, aspects: dict[str, bool], lost: list[str], expected: Verdict, make_pairs: Pairs
) -> None:
    judgement = judged(make_pairs([TEXT] * 200, [heard] * 200, [heard] * 200), **aspects)
    assert judgement.verdict is expected
    told = [note for note in judgement.notes if note.startswith("the baseline")]
    assert told == [f"the baseline writes no {what}, and a candidate cannot lose it" for what in lost]


@pytest.mark.parametrize(
    ("said", "expected"),
    [(["Anna is here."], (True, True)), (["Anna is here"], (True, False)), (["ANNA, HERE", "YES"], (False, True))],
)
def test_what_references_have_is_found(said: list[str], expected: tuple[bool, bool], make_pairs: Pairs) -> None:
    assert format_of(make_pairs(said).corpus) == expected


@pytest.mark.parametrize(
    ("said", "spoken", "message"),
    [(["ANNA IS HERE"], ["en"], "neither case nor punctuation"), (["今日は。"], ["ja"], "words between spaces")],
)
def test_a_corpus_without_format_is_refused(
    said: list[str], spoken: list[str], message: str, make_pairs: Pairs
) -> None:
    with pytest.raises(ConfigError, match=message):
        format_of(make_pairs(said, spoken=spoken).corpus)
