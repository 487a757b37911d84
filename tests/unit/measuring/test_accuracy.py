"""The accuracy drop: its three definitions, its sign, and that planted effects are found."""

from collections.abc import Callable

import numpy as np
import pytest

from pytest_whisperq.config.choices import Bounds, DropType
from pytest_whisperq.measuring.accuracy import DROP_UNITS, AccuracyMeasurement, bound_drop, measure_accuracy
from pytest_whisperq.measuring.pairs import PairedTexts

Pairs = Callable[..., PairedTexts]
TEN = "a b c d e f g h i j"


def wrong(count: int) -> str:
    """`TEN` with ``count`` words substituted."""
    return " ".join(["x"] * count + TEN.split()[count:])


def measured(texts: PairedTexts, drop_type: DropType = "absolute", metric: str = "wer") -> AccuracyMeasurement:
    return measure_accuracy(texts, metric=metric, drop_type=drop_type, confidence=0.95)


@pytest.mark.parametrize(("drop_type", "expected"), [("absolute", 10.0), ("relative", 50.0), ("accuracy-ratio", 12.5)])
def test_a_drop_from_80_to_70_percent(drop_type: DropType, expected: float, make_pairs: Pairs) -> None:
    found = measured(make_pairs([TEN] * 20, [wrong(2)] * 20, [wrong(3)] * 20), drop_type)
    assert found.drop.value == pytest.approx(expected)
    assert (found.baseline_rate, found.candidate_rate) == (pytest.approx(0.2), pytest.approx(0.3))
    assert found.unit == DROP_UNITS[drop_type]


def test_a_better_candidate_is_a_negative_drop(make_pairs: Pairs) -> None:
    found = measured(make_pairs([TEN] * 20, [wrong(3)] * 20, [wrong(1)] * 20))
    assert found.drop.value == pytest.approx(-20.0)
    assert found.drop.upper < 0


def test_the_drop_is_one_of_corpus_sums(make_pairs: Pairs) -> None:
    """A mean over utterances would say 50 points."""
    found = measured(make_pairs(["a", TEN] * 5, ["a", TEN] * 5, ["x", TEN] * 5))
    assert found.drop.value == pytest.approx(100 / 11)
    assert found.length == 55


def test_a_common_weakness_is_no_drop(make_pairs: Pairs) -> None:
    """Pairing: both models fail on the same half, and the interval knows."""
    heard = [wrong(8) if n % 2 else TEN for n in range(200)]
    found = measured(make_pairs([TEN] * 200, heard, heard))
    assert found.drop.value == 0.0
    assert found.drop.upper < 1.5
    assert found.baseline_rate == found.candidate_rate == pytest.approx(0.4)


def test_a_planted_drop_of_three_points_lies_within_the_bounds(make_pairs: Pairs) -> None:
    candidate = [wrong(3) if n % 10 == 0 else TEN for n in range(400)]
    found = measured(make_pairs([TEN] * 400, [TEN] * 400, candidate))
    assert found.drop.value == pytest.approx(3.0)
    assert 2.0 < found.drop.lower < 3.0 < found.drop.upper < 4.0


def test_characters_may_be_counted_instead(make_pairs: Pairs) -> None:
    found = measured(make_pairs(["abcd"] * 10, ["abcd"] * 10, ["abcx"] * 10), metric="cer")
    assert found.drop.value == pytest.approx(25.0)
    assert found.length == 40


def test_spaces_count_where_they_part_words_only(make_pairs: Pairs) -> None:
    japanese = measured(
        make_pairs(["今日は 晴れ"] * 10, ["今日は晴れ"] * 10, ["今日は 雨"] * 10, spoken=["ja"] * 10), metric="cer"
    )
    assert (japanese.baseline_rate, japanese.length) == (0.0, 50)
    assert japanese.drop.value == pytest.approx(40.0)  # one substituted, one lost, of five
    english = measured(make_pairs(["ab cd"] * 10, ["abcd"] * 10, ["ab cd"] * 10, spoken=["en"] * 10), metric="cer")
    assert (english.baseline_rate, english.length) == (pytest.approx(0.2), 50)


def test_words_that_were_parted_by_hand_count_when_words_are_asked_for(make_pairs: Pairs) -> None:
    found = measured(make_pairs(["今日 は 晴れ"] * 10, None, ["今日 は 雨"] * 10, spoken=["ja"] * 10), metric="wer")
    assert found.drop.value == pytest.approx(100 / 3)


def test_a_relative_drop_needs_a_baseline_that_errs(make_pairs: Pairs) -> None:
    perfect = measured(make_pairs([TEN] * 10, [TEN] * 10, [wrong(1)] * 10), "relative")
    assert (perfect.drop.value, perfect.drop.upper) == (None, None)
    once = measured(make_pairs([TEN] * 10, [wrong(1)] + [TEN] * 9, [wrong(1)] * 10), "relative")
    assert once.drop.value == pytest.approx(900.0)
    assert once.drop.upper is None


def test_no_speech_is_no_measurement(make_pairs: Pairs) -> None:
    found = measured(make_pairs([""] * 10, ["uh"] * 10, ["um"] * 10, kinds=["nonspeech"] * 10))
    assert (found.baseline_rate, found.candidate_rate, found.drop.value) == (None, None, None)
    assert (found.drop.upper, found.length) == (None, 0)


@pytest.mark.parametrize("bounds", ["t", "sign-flip", "mapsswe"])
def test_every_test_finds_a_planted_drop(bounds: Bounds, make_pairs: Pairs) -> None:
    """Three points on one clip in ten against limits of 1 and 5 points; and no drop at all."""
    heard = [TEN if n % 4 else wrong(1) for n in range(400)]
    worse = [wrong(3) if n % 10 == 1 else text for n, text in enumerate(heard)]
    drop, none = (
        measure_accuracy(
            make_pairs([TEN] * 400, heard, said), metric="wer", drop_type="absolute", confidence=0.95, bounds=bounds
        ).drop
        for said in (worse, heard)
    )
    assert drop.value == pytest.approx(3.0)
    assert 1.5 < drop.lower < 3.0 < drop.upper < 4.5
    assert none.value == 0.0
    assert none.unbounded if bounds == "mapsswe" else none.lower <= 0.0 <= none.upper < 1.0


@pytest.mark.parametrize(("metric", "drop_type"), [("cer", "absolute"), ("wer", "relative")])
def test_mapsswe_is_of_words_in_points(metric: str, drop_type: DropType, make_pairs: Pairs) -> None:
    with pytest.raises(ValueError, match="absolute drop of word accuracy only"):
        measure_accuracy(
            make_pairs([TEN] * 9, [TEN] * 9, [TEN] * 9),
            metric=metric,
            drop_type=drop_type,
            confidence=0.95,
            bounds="mapsswe",
        )


def test_too_few_clips_are_the_reason_whatever_the_test(make_pairs: Pairs) -> None:
    """Another test would not bound three clips either; sixteen allow no sign-flip bound at 99.999 %, and t does."""
    few, many = (
        measure_accuracy(
            make_pairs([TEN] * count, [TEN] * count, [wrong(1)] * count),
            metric="wer",
            drop_type="absolute",
            confidence=0.99999,
            bounds="sign-flip",
        ).drop
        for count in (3, 16)
    )
    assert (few.upper, few.unbounded) == (None, "")
    assert many.upper is None
    assert many.unbounded.endswith("for a sign-flip bound at this confidence; use --whisperq-bounds t")


def test_a_pseudo_clip_of_many_small_changes_is_small_and_of_none_is_half_a_clip() -> None:
    """At 300 clips a drop that scatters little is bounded little wider than by t alone, one of nothing as before."""
    counts = np.zeros((300, 3))
    counts[:, 2] = 28
    nothing = bound_drop(counts, [""] * 300, confidence=0.95)
    assert nothing.upper == pytest.approx(100 * 0.5 / 301 * (1 + 1.65), abs=0.01)
    counts[:60, 1], counts[60:120, 0] = 1, 1  # a word lost, and a word gained
    changed = bound_drop(counts, [""] * 300, confidence=0.95)
    alone = 1.65 * 100 * np.sqrt(120) / (300 * 28)
    assert alone < changed.upper < alone + 0.05
    assert changed.lower == pytest.approx(-changed.upper)


def test_of_ten_minutes_of_speech_a_lost_utterance_is_imagined_and_not_a_lost_window() -> None:
    """20 windows of three utterances of 25 words: 6 points of width were no verdict on anything."""
    rng = np.random.default_rng(0)
    counts = np.column_stack([rng.binomial(25, 0.015, 60), rng.binomial(25, 0.015, 60), np.full(60, 25)]).astype(float)
    windows = [f"window{number // 3}" for number in range(60)]
    whole, piece = (bound_drop(counts, windows, confidence=0.95, by_piece=by_piece) for by_piece in (False, True))
    assert whole.upper - whole.value > 3
    assert piece.upper - piece.value < 1.6
