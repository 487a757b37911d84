"""Agreement of two models, whatever was really said."""

from collections.abc import Callable

import pytest

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.parity import ParityMeasurement, measure_parity

Pairs = Callable[..., PairedTexts]


def measured(texts: PairedTexts, metric: Metric = "wer") -> ParityMeasurement:
    return measure_parity(texts, metric=metric, confidence=0.95)


def test_identical_models_match_wherever_the_reference_is(make_pairs: Pairs) -> None:
    heard = ["the very same words"] * 50
    found = measured(make_pairs(["something else"] * 50, heard, heard))
    assert (found.exact_match.value, found.divergence.value) == (1.0, 0.0)
    assert found.exact_match.lower < 1.0
    assert found.divergence.upper > 0.0


def test_divergence_is_held_against_the_baseline_and_not_the_reference(make_pairs: Pairs) -> None:
    found = measured(make_pairs(["a b c d"] * 10, ["a b"] * 10, ["a b c d"] * 10))
    assert found.divergence.value == 1.0  # two insertions against two words
    assert found.exact_match.value == 0.0


def test_planted_disagreement_is_found(make_pairs: Pairs) -> None:
    references = ["a b c d"] * 200
    candidate = ["a b c x" if n % 10 == 0 else "a b c d" for n in range(200)]
    found = measured(make_pairs(references, references, candidate))
    assert found.exact_match.value == pytest.approx(0.9)
    assert found.divergence.value == pytest.approx(0.025)
    assert 0.85 < found.exact_match.lower < 0.9 < found.exact_match.upper < 0.95
    assert 0.01 < found.divergence.lower < 0.025 < found.divergence.upper < 0.05
    assert [count.errors for count in found.counts[:11]] == [1] + [0] * 9 + [1]


@pytest.mark.parametrize("wrong", [1, 3, 97, 99])
def test_no_bound_of_a_share_or_rate_lies_where_neither_can_be(make_pairs: Pairs, wrong: int) -> None:
    references = ["a b"] * 100
    found = measured(make_pairs(references, references, ["a x"] * wrong + references[wrong:]))
    assert 0.0 <= found.exact_match.lower <= found.exact_match.upper <= 1.0
    assert found.divergence.lower >= 0.0


def test_a_rate_may_be_more_than_all_of_the_baselines_words(make_pairs: Pairs) -> None:
    found = measured(make_pairs(["a"] * 10, ["a"] * 10, ["a b c"] * 10))
    assert found.divergence.value == 2.0
    assert found.divergence.upper >= 2.0


def test_two_silent_models_agree_but_have_no_word_to_diverge_from(make_pairs: Pairs) -> None:
    found = measured(make_pairs(["a b"] * 10, [""] * 10, [""] * 10))
    assert found.exact_match.value == 1.0
    assert found.divergence.value is None


def test_characters_diverge_and_spaces_between_them_do_not(make_pairs: Pairs) -> None:
    texts = make_pairs(
        ["今日は晴れ"] * 10, ["今日は 晴れ"] * 10, ["今日は晴れ"] * 5 + ["明日は晴れ"] * 5, spoken=["ja"] * 10
    )
    found = measured(texts, "cer")
    assert found.exact_match.value == 0.5
    assert found.divergence.value == pytest.approx(0.1)  # one of five characters in every second clip
    assert measured(texts, "wer").exact_match.value == 0.0


def test_nonspeech_clips_count_for_nothing(make_pairs: Pairs) -> None:
    kinds = ["nonspeech" if n >= 10 else "" for n in range(40)]
    references = ["" if kind else "a b" for kind in kinds]
    candidate = ["all made up" if kind else "a b" for kind in kinds]
    found = measured(make_pairs(references, references, candidate, kinds=kinds))
    assert found.exact_match.value == 1.0
    assert len(found.counts) == 10


def test_clusters_widen_the_bounds(make_pairs: Pairs) -> None:
    references = ["a b c d"] * 100
    candidate = ["a b c x" if n < 10 else "a b c d" for n in range(100)]
    alone = measured(make_pairs(references, references, candidate))
    together = measured(make_pairs(references, references, candidate, clusters=[f"k{n // 10}" for n in range(100)]))
    assert together.exact_match.clusters == 10
    assert together.exact_match.lower < alone.exact_match.lower - 0.05
    assert together.divergence.upper > alone.divergence.upper + 0.01
