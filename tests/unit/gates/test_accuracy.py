"""Accuracy and parity on planted effects: they are found, and where the data cannot tell nothing passes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.parity import judge_parity
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.speech import normalizers

Pairs = Callable[..., PairedTexts]
TEN = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]


def accuracy(texts: PairedTexts, max_drop: float = 1.0, **keywords: Any) -> Outcome:
    return judge_accuracy(texts, max_drop=max_drop, **{"confidence": 0.95, "seed": 0, **keywords})


def parity(texts: PairedTexts, min_exact_match: float = 0.8, max_divergence: float = 0.05) -> Outcome:
    return judge_parity(texts, min_exact_match=min_exact_match, max_divergence=max_divergence, confidence=0.95, seed=0)


def heard(clips: int, word_error: float, seed: int) -> list[str]:
    """Ten words a clip, each misheard with probability ``word_error``."""
    rng = np.random.default_rng(seed)
    return [
        " ".join("x" if miss else w for w, miss in zip(TEN, row, strict=True))
        for row in rng.random((clips, 10)) < word_error
    ]


def test_identical_models_pass_with_enough_utterances(make_pairs: Pairs) -> None:
    texts = heard(300, 0.05, 1)
    same = make_pairs([" ".join(TEN)] * 300, texts, texts)
    outcome = accuracy(same)
    assert outcome.judgement.verdict is Verdict.PASS
    assert outcome.judgement.checks[0].value == 0.0
    assert outcome.worst == ()
    assert parity(same).judgement.verdict is Verdict.PASS


def test_an_error_that_is_partly_spent_elsewhere_lowers_the_lower_bound_alone(make_pairs: Pairs) -> None:
    texts = make_pairs([" ".join(TEN)] * 300, heard(300, 0.05, 1), heard(300, 0.08, 2))
    (plain,), (spent,) = (accuracy(texts, fail_confidence=level).judgement.checks for level in (None, 0.99))
    assert spent.lower < plain.lower
    assert (spent.value, spent.upper, spent.confidence) == (plain.value, plain.upper, plain.confidence)


@pytest.mark.parametrize("clips", [1, 4, 5, 20])
def test_identical_models_are_inconclusive_on_few_utterances(clips: int, make_pairs: Pairs) -> None:
    same = make_pairs([" ".join(TEN)] * clips)
    assert accuracy(same).judgement.verdict is Verdict.INCONCLUSIVE
    assert accuracy(same).judgement.checks[0].value == 0.0
    assert parity(same, min_exact_match=0.95).judgement.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("seed", range(5))
def test_a_drop_of_three_points_fails_a_limit_of_one(seed: int, make_pairs: Pairs) -> None:
    texts = make_pairs([" ".join(TEN)] * 500, heard(500, 0.04, seed), heard(500, 0.07, seed + 100))
    outcome = accuracy(texts)
    assert outcome.judgement.verdict is Verdict.FAIL
    assert outcome.judgement.checks[0].value == pytest.approx(3.0, abs=1.2)
    assert accuracy(texts, max_drop=6.0).judgement.verdict is Verdict.PASS


@pytest.mark.parametrize("seed", range(5))
def test_noise_without_a_drop_never_fails_and_passes_a_generous_limit(seed: int, make_pairs: Pairs) -> None:
    texts = make_pairs([" ".join(TEN)] * 300, heard(300, 0.04, seed), heard(300, 0.04, seed + 100))
    assert accuracy(texts, max_drop=1.0).judgement.verdict is not Verdict.FAIL
    assert accuracy(texts, max_drop=3.0).judgement.verdict is Verdict.PASS


def test_clips_of_one_recording_cannot_certify_what_independent_ones_can(make_pairs: Pairs) -> None:
    references = [" ".join(TEN)] * 300
    assert accuracy(make_pairs(references)).judgement.verdict is Verdict.PASS
    clustered = make_pairs(references, clusters=[f"k{n // 30}" for n in range(300)])
    assert accuracy(clustered).judgement.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("speakers", "named"), [(1, "this 1 cluster"), (2, "these 2 clusters"), (4, "these 4 clusters")]
)
def test_few_speakers_are_judged_by_utterances_and_the_verdict_says_for_whom(
    make_pairs: Pairs, speakers: int, named: str
) -> None:
    """40 clips of two speakers that lose 43 points ended INCONCLUSIVE once all of them had been decoded."""
    references = [" ".join(TEN)] * 40
    clusters = [f"speaker{n % speakers}" for n in range(40)]
    lost = [" ".join(TEN[: 5 + n % 2]) for n in range(40)]
    outcome = accuracy(make_pairs(references, None, lost, clusters=clusters))
    assert outcome.judgement.verdict is Verdict.FAIL
    alone = f"judged utterance by utterance, for {named} alone: fewer than 5 tell nothing of others"
    assert outcome.judgement.checks[0].reason.endswith(alone)
    assert alone in outcome.judgement.notes
    many = [f"speaker{n % 5}" for n in range(40)]
    assert "alone" not in accuracy(make_pairs(references, None, lost, clusters=many)).judgement.checks[0].reason


def test_copies_of_a_few_sounds_of_one_speaker_are_no_more_than_those_sounds(make_pairs: Pairs) -> None:
    references = [" ".join(TEN)] * 300
    copies = [f"sound{n % 6}" for n in range(300)]
    check = accuracy(make_pairs(references, clusters=["k"] * 300, clips=copies)).judgement.checks[0]
    assert check.verdict is Verdict.INCONCLUSIVE
    alike = accuracy(make_pairs(references, clusters=["k"] * 300, clips=["one", "two"] * 150)).judgement.checks[0]
    assert "2 independent utterances or clusters; at least 5" in alike.reason or "1 independent" in alike.reason


def test_a_sound_that_is_listed_under_many_speakers_is_one_piece_of_evidence(make_pairs: Pairs) -> None:
    references, speakers = [" ".join(TEN)] * 300, [f"speaker{n}" for n in range(300)]
    check = accuracy(make_pairs(references, clusters=speakers, clips=["one"] * 300)).judgement.checks[0]
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "1 independent utterances or clusters; at least 5" in check.reason
    again = [f"sound{n % 150}" for n in range(300)]
    each = accuracy(make_pairs(references[:150], clusters=speakers[:150])).judgement.checks[0]
    twice = accuracy(make_pairs(references, clusters=speakers, clips=again)).judgement.checks[0]
    assert (twice.lower, twice.upper) == pytest.approx((each.lower, each.upper))


def test_speakers_who_share_a_sound_are_speakers_all_the_same(make_pairs: Pairs) -> None:
    speakers = [f"speaker{n // 2}" for n in range(40)]
    clips = ["the announcement" if n % 2 else f"sound{n}" for n in range(40)]
    texts = make_pairs([" ".join(TEN)] * 40, clusters=speakers, clips=clips)
    assert len(set(texts.clusters)) == 20
    assert len({texts.clusters[n] for n in range(1, 40, 2)}) == 1


def test_a_corpus_without_speech_is_never_a_pass(make_pairs: Pairs) -> None:
    silent = make_pairs([""] * 50, kinds=["nonspeech"] * 50)
    for outcome in (accuracy(silent), parity(silent)):
        assert outcome.judgement.verdict is Verdict.INCONCLUSIVE
        assert all("the corpus has no speech" in check.reason for check in outcome.judgement.checks)
        assert (outcome.judgement.utterances, outcome.judgement.words) == (0, 0)


def test_a_relative_drop_from_a_perfect_baseline_is_inconclusive_and_says_why(make_pairs: Pairs) -> None:
    texts = make_pairs([" ".join(TEN)] * 100, None, heard(100, 0.1, 0))
    check = accuracy(texts, drop_type="relative").judgement.checks[0]
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "the baseline makes no error (use drop_type='absolute')" in check.reason


def test_keeping_up_with_a_baseline_that_gets_everything_wrong_is_no_pass(make_pairs: Pairs) -> None:
    references, nonsense = ["a b c d"] * 400, ["x y z w"] * 400
    check = accuracy(make_pairs(references, nonsense, nonsense), max_drop=5.0).judgement.checks[0]
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "the baseline itself gets 100% wrong" in check.reason
    nearly = ["a y z w"] * 400
    assert accuracy(make_pairs(references, nearly, nearly), max_drop=5.0).judgement.verdict is Verdict.PASS
    assert accuracy(make_pairs(references, nearly, nonsense), max_drop=5.0).judgement.verdict is Verdict.FAIL


SPELT = ["The grey line, please", "hold the grey line"]


def spelt(clips: int, word: str) -> list[str]:
    return [SPELT[n % 2].replace("grey", word) for n in range(clips)]


def test_the_same_transcripts_are_scored_under_other_normalizers(make_pairs: Pairs) -> None:
    """The candidate spells another way: an error to some normalizers and none to others."""
    raw = make_pairs(spelt(300, "grey"), None, spelt(300, "Gray"), spoken=["en"] * 300)
    texts = raw.under(normalizers.get("whisper-basic"))
    judgement = accuracy(texts, others=normalizers.compared(texts.normalizer)).judgement
    assert [(score.normalizer.split()[0], score.check.verdict) for score in judgement.scores] == [
        ("whisper-basic", Verdict.FAIL),
        ("identity", Verdict.FAIL),
        ("by-language", Verdict.PASS),
    ]
    assert judgement.checks == (judgement.scores[0].check,)
    assert [score.normalizer.split()[0] for score in judgement.contradictions] == ["by-language"]
    assert [(score.baseline_rate, score.candidate_rate) for score in judgement.scores] == [
        (0.0, 0.25),
        (0.0, 0.25),
        (0.0, 0.0),
    ]
    assert [score.utterances for score in judgement.scores] == [300] * 3


def test_other_normalizers_change_no_verdict(make_pairs: Pairs) -> None:
    raw = make_pairs(spelt(300, "grey"), None, spelt(300, "Gray"), spoken=["en"] * 300)
    others = normalizers.compared(raw.normalizer)
    alone, beside = accuracy(raw), accuracy(raw, others=others)
    assert alone.judgement.checks == beside.judgement.checks
    assert alone.worst == beside.worst
    assert [score.normalizer for score in alone.judgement.scores] == [str(raw.normalizer)]


def test_a_baseline_that_hears_nothing_passes_under_no_normalizer(make_pairs: Pairs) -> None:
    raw = make_pairs(["AB CD"] * 400, ["x y"] * 400, ["x y"] * 400)
    judgement = accuracy(raw, max_drop=5.0, others=normalizers.compared(raw.normalizer)).judgement
    assert {score.check.verdict for score in judgement.scores} == {Verdict.INCONCLUSIVE}
    assert judgement.contradictions == ()


def test_the_worst_utterances_come_first_with_their_weight(make_pairs: Pairs) -> None:
    references = [" ".join(TEN)] * 20
    misses = {3: 4, 7: 9, 9: 4, 11: 1, 12: 2, 13: 3}
    candidate = [" ".join(["x"] * misses.get(n, 0) + TEN[misses.get(n, 0) :]) for n in range(20)]
    worst = accuracy(make_pairs(references, None, candidate)).worst
    assert [(found.weight, found.utterance.id) for found in worst] == [
        (9, "clip0007.wav"),
        (4, "clip0003.wav"),
        (4, "clip0009.wav"),
        (3, "clip0013.wav"),
        (2, "clip0012.wav"),
    ]


def test_the_judgement_says_what_was_judged(make_pairs: Pairs) -> None:
    texts = make_pairs(["a b"] * 30, kinds=[""] * 30)
    judgement = accuracy(texts, metric="cer", seed=7).judgement
    assert (judgement.gate, judgement.candidate, judgement.baseline) == (
        "accuracy",
        "scripted:int8",
        "scripted:float32",
    )
    assert (judgement.utterances, judgement.words, judgement.seed) == (30, 60, 7)
    assert judgement.normalizer.startswith("identity (")
    assert judgement.checks[0].name == "CER drop"
    assert (judgement.detail("baseline_cer"), judgement.detail("candidate_cer")) == (0.0, 0.0)
    assert judgement.detail("baseline_wer") is None
    assert (judgement.metric, judgement.characters) == ("cer", 90)
    assert parity(texts).judgement.metric == "wer"
