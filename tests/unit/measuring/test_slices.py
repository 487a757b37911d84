"""The accuracy gate slice by slice: a planted loss is found where it is, and what is too small is not passed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.slices import judge_slices, name_worst_slices
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.accuracy import measure_accuracy
from pytest_whisperq.measuring.pairs import Pair, PairedTexts
from pytest_whisperq.measuring.sequential import AccuracyLimit
from pytest_whisperq.measuring.slices import slices_of
from pytest_whisperq.system.on_disk import Made

Pairs = Callable[..., PairedTexts]
TEXT = "a b c d e f g h"
LOST = "a b c d"


def corpus(make_pairs: Pairs, sizes: dict[str, int], lost: dict[str, float] | None = None) -> PairedTexts:
    """So many utterances of each language, of which a share of ``lost`` is cut in half by the candidate."""
    languages = [name for name, size in sizes.items() for _ in range(size)]
    rng = np.random.default_rng(0)
    said = [LOST if rng.random() < (lost or {}).get(name, 0.0) else TEXT for name in languages]
    slices = [{"language": name, "kind": "human"} for name in languages]
    return make_pairs([TEXT] * len(languages), None, said, slices=slices)


def whole(texts: PairedTexts, max_drop: float = 2.0) -> Outcome:
    return judge_accuracy(texts, max_drop=max_drop, confidence=0.95, seed=0)


def limit(max_drop: float) -> AccuracyLimit:
    return AccuracyLimit(max_drop, "absolute", "wer")


def judged(texts: PairedTexts, max_drop: float = 2.0) -> Outcome:
    return judge_slices(whole(texts, max_drop), texts, limit(max_drop), confidence=0.95)


def named(texts: PairedTexts, max_drop: float) -> tuple[str, ...]:
    found = name_worst_slices(whole(texts, max_drop), texts, limit(max_drop), confidence=0.95)
    return found.judgement.notes


def test_slices_are_named_by_column_and_value_and_one_value_slices_nothing(make_pairs: Pairs) -> None:
    found = slices_of(corpus(make_pairs, {"en": 3, "fr": 2}))
    assert [part.size for part in found] == ["language=en (3 utterances)", "language=fr (2 utterances)"]
    assert slices_of(make_pairs([TEXT] * 3)) == []


def test_slices_hold_no_pair_and_measure_as_if_they_did(make_pairs: Pairs) -> None:
    texts = corpus(make_pairs, {"en": 60, "fr": 30}, {"fr": 0.5})
    made: list[Pair] = []
    lazy = replace(texts, pairs=Made(lambda pair: made.append(pair) or pair, texts.pairs))
    parts = slices_of(lazy)
    assert len(made) == len(texts.pairs)
    for part, language in zip(parts, ("en", "fr"), strict=True):
        expected = tuple(pair for pair in texts.pairs if ("language", language) in pair.utterance.slices)
        assert (*part.texts.pairs,) == expected
        several = (
            measure_accuracy(one, metric="wer", drop_type="absolute", confidence=0.95).drop
            for one in (part.texts, replace(texts, pairs=expected))
        )
        assert len({*several}) == 1


def test_a_loss_in_one_slice_fails_though_the_mean_passes(make_pairs: Pairs) -> None:
    texts = corpus(make_pairs, {"en": 1500, "fr": 100}, {"fr": 0.2})
    assert whole(texts).judgement.verdict is Verdict.PASS
    judgement = judged(texts).judgement
    assert judgement.verdict is Verdict.FAIL
    assert [(check.name, check.verdict) for check in judgement.checks] == [
        ("drop", Verdict.PASS),
        ("language=fr", Verdict.FAIL),
        ("language=en", Verdict.PASS),
    ]
    assert judgement.notes[0] == "worst slice language=fr"


def test_all_slices_of_a_good_candidate_pass(make_pairs: Pairs) -> None:
    judgement = judged(corpus(make_pairs, {"en": 100, "fr": 100})).judgement
    assert judgement.verdict is Verdict.PASS
    assert len(judgement.checks) == 3


def test_a_slice_that_is_too_small_is_named_and_not_passed(make_pairs: Pairs) -> None:
    judgement = judged(corpus(make_pairs, {"en": 200, "fr": 20})).judgement
    assert [check.name for check in judgement.checks] == ["drop", "language=en"]
    assert judgement.notes[-1] == "too small to be judged at max_drop=2: language=fr (20 utterances)"


@pytest.mark.parametrize("sizes", [{"en": 300}, {"en": 30, "fr": 30, "es": 30}], ids=["one value", "all small"])
def test_without_a_slice_to_judge_nothing_is_certified(make_pairs: Pairs, sizes: dict[str, int]) -> None:
    judgement = judged(corpus(make_pairs, sizes)).judgement
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.checks[-1].name == "slices"


def test_many_slices_do_not_fail_a_good_candidate_by_chance(make_pairs: Pairs) -> None:
    """Twenty slices, true drop exactly at the limit: single 95 % bounds would fail 64 % of such runs."""
    rng = np.random.default_rng(1)
    sizes = {f"v{n}": 60 for n in range(20)}
    failed = []
    for _ in range(60):
        languages = [name for name, size in sizes.items() for _ in range(size)]
        said = [LOST if rng.random() < 0.1 else TEXT for _ in languages]  # 5 points
        texts = make_pairs([TEXT] * len(said), None, said, slices=[{"voice": name} for name in languages])
        checks = judged(texts, 5.0).judgement.checks[1:]
        failed.append(any(check.verdict is Verdict.FAIL for check in checks))
    assert np.mean(failed) <= 0.1


def test_a_gate_that_fails_names_the_slices_that_lost_most(make_pairs: Pairs) -> None:
    texts = corpus(make_pairs, {"en": 200, "es": 200, "fr": 200}, {"fr": 0.5, "es": 0.1})
    (note,) = named(texts, 1.0)
    assert note.startswith("worst slices (points): language=fr +2")
    assert named(texts, 50.0) == ()


def test_a_slice_with_one_bound_only_is_not_named(make_pairs: Pairs) -> None:
    """Few errors to compare others with: sign-flips bound such a ratio from below and not from above."""
    wrong = TEXT.replace(TEXT.split()[0], "x", 1)
    baseline = [wrong if number % 10 == 0 else TEXT for number in range(80)]
    texts = make_pairs(
        [TEXT] * 80,
        baseline,
        [wrong if number % (4 if number < 40 else 10) == 0 else TEXT for number in range(80)],
        slices=[{"language": "en" if number < 40 else "fr"} for number in range(80)],
    )
    relative = AccuracyLimit(5.0, "relative", "wer", "sign-flip")
    one = measure_accuracy(
        slices_of(texts)[0].texts, metric="wer", drop_type="relative", confidence=0.95, bounds="sign-flip"
    ).drop
    assert one.lower is not None
    assert one.upper is None
    whole = judge_accuracy(texts, max_drop=5.0, drop_type="relative", bounds="sign-flip", confidence=0.95, seed=0)
    assert name_worst_slices(whole, texts, relative, confidence=0.95).judgement.notes == ("bounds by sign-flip",)


def test_slices_are_bounded_by_the_test_and_the_seed_of_the_gate(make_pairs: Pairs) -> None:
    texts = corpus(make_pairs, {"en": 300, "fr": 300}, {"en": 0.1, "fr": 0.1})
    bounds = {
        judge_slices(whole(texts), texts, AccuracyLimit(2.0, "absolute", "wer", *test), confidence=0.95)
        .judgement.checks[1]
        .upper
        for test in (("t",), ("sign-flip", 1), ("sign-flip", 2))
    }
    assert len(bounds) == 3


def test_the_seed_of_a_gate_is_that_of_its_sign_flips(make_pairs: Pairs) -> None:
    texts = corpus(make_pairs, {"en": 300}, {"en": 0.1})
    first, again, other = (
        judge_accuracy(texts, max_drop=2.0, bounds="sign-flip", confidence=0.95, seed=seed).judgement.checks[0].upper
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_column_that_most_rows_leave_empty_is_judged_where_it_is_not(make_pairs: Pairs) -> None:
    """A loss on noisy lines does not hide behind rows that do not say whether they are noisy."""
    said = [LOST] * 30 + [TEXT] * 1470
    slices = [{"noise": "babble", "language": "en"}] * 100 + [{"language": "en"}] * 1400
    texts = make_pairs([TEXT] * 1500, None, said, slices=slices)
    assert [part.size for part in slices_of(texts)] == ["noise=babble (100 utterances)"]
    assert whole(texts).judgement.verdict is Verdict.PASS
    assert judged(texts).judgement.verdict is Verdict.FAIL


def test_a_slice_that_the_baseline_does_not_transcribe_does_not_pass(make_pairs: Pairs) -> None:
    languages = ["en"] * 800 + ["yo"] * 200
    said = [TEXT if name == "en" else "" for name in languages]
    texts = make_pairs([TEXT] * 1000, said, said, slices=[{"language": name} for name in languages])
    judgement = judged(texts).judgement
    assert {check.name: check.verdict for check in judgement.checks} == {
        "drop": Verdict.PASS,
        "language=en": Verdict.PASS,
        "language=yo": Verdict.INCONCLUSIVE,
    }
    assert any("the baseline itself gets 100% wrong" in check.reason for check in judgement.checks)
