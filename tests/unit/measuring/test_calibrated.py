"""What a build may lose on its calibration set: the gate's limit, or the least that so few clips can certify."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.backends import Measure
from pytest_whisperq.measuring.calibrated import measure_on
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.corpus import load_corpus

TEXT = "alpha bravo charlie delta echo"


@pytest.fixture
def measure(tmp_path: Path, make_corpus: Callable[..., Path]) -> Callable[..., Measure]:
    def make(count: int, *, first: str = TEXT, max_drop: float = 1.0) -> Measure:
        folder = tmp_path / f"{count}{first}"
        if not folder.exists():
            make_corpus(folder, [first, *[TEXT] * (count - 1)])
        items = load_corpus(str(folder)).utterances
        normalizer = normalizers.get("whisper-basic")
        return measure_on(items, normalizer=normalizer, metric="wer", confidence=0.95, max_drop=max_drop)

    return make


def test_a_model_that_says_the_same_passes_however_few_clips_there_are(measure: Callable[..., Measure]) -> None:
    loss = measure(12).between([TEXT] * 12, [TEXT] * 12)
    assert loss.value == 0
    assert 1.0 < (loss.upper or 0) < loss.limit
    assert loss.passes


def test_a_model_that_loses_much_does_not(measure: Callable[..., Measure]) -> None:
    loss = measure(12).between([TEXT] * 12, [TEXT] * 6 + ["alpha"] * 6)
    assert (loss.value, loss.clips, loss.passes) == (40.0, 12, False)
    assert str(loss).startswith("a drop of +40.00 points on 12 calibration clips, whose upper bound +")
    assert " is not below " in str(loss)


def test_a_model_whose_texts_change_often_and_lose_nothing_passes(measure: Callable[..., Measure]) -> None:
    """In 18 of 32 clips a word is wrong, half of them in float32 alone: as of calibrated int8 of OpenAI's tiny.en."""
    wrong, right = TEXT.replace("bravo", "brave"), TEXT
    before = [wrong] * 9 + [right] * 23
    loss = measure(32).between(before, [right] * 9 + [wrong] * 9 + [right] * 14)
    assert loss.value == 0
    assert (loss.upper or 0) > measure(32).limit
    assert loss.passes
    worse = measure(32).between(before, [right] * 9 + [wrong] * 12 + [right] * 11)
    assert (worse.value or 0) > 1
    assert worse.limit == measure(32).limit
    assert not worse.passes


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_clips_that_lie_unevenly_in_clusters_pass_what_is_no_worse(
    lost: int, tmp_path: Path, make_corpus: Callable[..., Path]
) -> None:
    """Two speakers with ten of 32 clips each widen the bound of every model, however few texts change."""
    speakers = ["anna"] * 10 + ["ben"] * 10 + [f"speaker {number}" for number in range(12)]
    text = " ".join([TEXT] * 6)
    items = load_corpus(str(make_corpus(tmp_path / "calls", [text] * 32, {"cluster": speakers}))).utterances
    normalizer = normalizers.get("whisper-basic")
    measure = measure_on(items, normalizer=normalizer, metric="wer", confidence=0.95, max_drop=1.0)
    wrong = text.replace("bravo", "brave", 1)
    before, after = [wrong] * lost + [text] * (32 - lost), [text] * (32 - lost) + [wrong] * lost
    loss = measure.between(before, after)
    assert loss.value == 0
    assert (loss.upper or 0) > measure.limit
    assert loss.passes
    worse = measure.between([text] * 32, [text.replace("bravo", "brave")] * 2 + [text] * 30)
    assert (worse.value or 0) > 1
    assert not worse.passes


def test_what_the_limit_of_the_gate_allows_is_allowed(measure: Callable[..., Measure]) -> None:
    assert measure(12, max_drop=70.0).between([TEXT] * 12, [TEXT] * 6 + ["alpha"] * 6).limit == 70.0


def test_too_few_clips_pass_nothing_and_say_so_beforehand(measure: Callable[..., Measure]) -> None:
    assert math.isinf(measure(2).limit)
    assert not measure(2).between([TEXT] * 2, [TEXT] * 2).passes


def test_its_identity_is_that_of_texts_and_limits_and_the_same_again(measure: Callable[..., Measure]) -> None:
    same = measure(12), measure(12)
    assert same[0].identity == same[1].identity
    others = measure(12, max_drop=20.0), measure(12, first="alpha bravo")
    assert len({one.identity for one in (same[0], *others)}) == 3
