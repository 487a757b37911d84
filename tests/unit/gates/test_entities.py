"""The entities gate, with planted losses."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.entities import GATE, _unread
from pytest_whisperq.gates.recall import judge_recall
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.entities import find_entities
from pytest_whisperq.system.errors import ConfigError

Pairs = Callable[..., PairedTexts]
TEXT = (
    "so what i would like you to do for me is to go there and then to ask them for the number {} before you come back"
)


def judged(texts: PairedTexts) -> Judgement:
    config: Any = SimpleNamespace(confidence=0.95, seed=0, redact=False)
    limits = {"max_recall_drop": 5.0, "max_false_alarms": None}
    return judge_recall(
        "entities", texts.under(normalizers.get("by-language")), find_entities, limits, config
    ).judgement


@pytest.mark.parametrize(("wrong", "expected"), [(0, Verdict.PASS), (12, Verdict.FAIL)])
def test_wrong_numbers_are_found_behind_a_drop_that_passes(wrong: int, expected: Verdict, make_pairs: Pairs) -> None:
    said = [TEXT.format(1000 + number) for number in range(400)]
    heard = [TEXT.format(9000 if number % 100 < wrong else 1000 + number) for number in range(400)]
    texts = make_pairs(said, None, heard, spoken=["en"] * 400)
    assert judge_accuracy(texts, max_drop=2.0, confidence=0.95, seed=0).judgement.verdict is Verdict.PASS
    judgement = judged(texts)
    assert judgement.verdict is expected
    assert judgement.checks[0].value == pytest.approx(wrong)
    assert judgement.normalizer.startswith("by-language (")


def test_numbers_in_another_style_are_no_loss(make_pairs: Pairs) -> None:
    said = ["on june third call five five five one two one two"] * 100
    texts = make_pairs(said, None, ["On June 3 call 555-1212."] * 100, spoken=["en"] * 100)
    assert judged(texts).checks[0].value == 0.0


def test_where_kinds_are_not_read_is_noted(make_pairs: Pairs) -> None:
    texts = make_pairs(["25 euro", "$25"], spoken=["de", "en"])
    assert _unread(texts, ("digits",)) == []
    note = "amounts and dates are read in English only: not in 1 of 2 utterances"
    assert _unread(texts, ("digits", "amounts", "dates")) == [note]


@pytest.mark.parametrize("kinds", ["digits", (), ("names",), None, 3])
def test_kinds_that_there_are_not_are_refused(kinds: Any) -> None:
    with pytest.raises(ConfigError, match="kinds must be a tuple of some of 'digits', 'amounts', 'dates'"):
        GATE.check({"kinds": kinds}, "test")
