"""Case and marks of words that are right: what is counted, and planted losses."""

import numpy as np
import pytest

from pytest_whisperq.measuring.formatting import FormatMeasurement, measure_format


def measured(*texts: tuple[str, str, str], cased: bool = True, punctuated: bool = True) -> FormatMeasurement:
    return measure_format(texts, [""] * len(texts), cased=cased, punctuated=punctuated, confidence=0.95)


def test_what_is_counted() -> None:
    found = measured(("Yes, Anna is here. Is she?", "Yes Anna is here. is she?", "yes, anna is here, Is she"))
    assert found.words == 6
    assert found.gained == (2,)  # of the baseline "Yes" and "is", of the candidate "yes", "anna", "here" and "she"
    assert found.case_errors == (1 / 6, 2 / 6)
    assert found.f1 == (2 * 2 / (2 * 2 + 1), 2 * 1 / (2 * 1 + 3))
    assert found.drop.value == pytest.approx(100 * 2 / 6)


def test_a_wrong_word_is_no_error_of_format() -> None:
    found = measured(("Anna went home.", "Anna went home.", "hannah went"), ("So. Be it.", "So. See it.", "So. Be it."))
    assert (found.words, found.gained, found.drop.value) == (3, (0, 0), 0.0)


@pytest.mark.parametrize(("cased", "punctuated", "gained"), [(True, True, 2), (True, False, 1), (False, True, 1)])
def test_only_what_the_references_have_is_judged(cased: bool, punctuated: bool, gained: int) -> None:
    found = measured(("Anna. Bob.", "Anna. Bob.", "anna. Bob"), cased=cased, punctuated=punctuated)
    assert found.gained == (gained,)
    assert (found.f1 == (None, None)) is not punctuated
    assert (found.case_errors == (None, None)) is not cased


def test_quotes_dashes_and_other_scripts_of_marks() -> None:
    found = measured(('"Well" – he said…', "Well, he said.", "Well he said."), ("هل أنت؟", "هل أنت?", "هل أنت"))
    assert found.gained == (-1, 1)


def test_nothing_in_common_is_nothing_known() -> None:
    found = measured(*[("Anna.", "Anna.", "")] * 9)
    assert (found.words, found.drop.value, found.drop.upper) == (0, None, None)


def test_bounds_of_planted_losses_hold() -> None:
    """Candidates lose one full stop in twelve words in 24 of 100 texts, two points: few have a bound below that."""
    below = above = 0
    text = "one two three four five six seven eight nine ten eleven Twelve."
    for seed in range(60):
        lost = np.random.default_rng(seed).random(150) < 0.24
        texts = [(text, text, text.rstrip(".") if lose else text) for lose in lost]
        drop = measured(*texts).drop
        assert drop.lower is not None
        assert drop.upper is not None
        below += drop.upper < 2.0
        above += drop.lower > 2.0
    assert max(below, above) <= 0.12 * 60
