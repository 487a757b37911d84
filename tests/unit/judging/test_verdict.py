"""Verdicts combine to the worst, and judgements travel as JSON."""

import json
from dataclasses import replace

import pytest

from pytest_whisperq.judging.verdict import Check, Judgement, Score, Verdict

P, F, U = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def check(verdict: Verdict = P, keep: str = "below") -> Check:
    return Check(
        name="drop",
        value=None if verdict is U else 0.5,
        limit=1.0,
        keep=keep,
        lower=None,
        upper=0.9,
        confidence=0.95,
        unit="points",
        verdict=verdict,
        reason="because",
    )


def judgement(*verdicts: Verdict) -> Judgement:
    return Judgement(
        gate="accuracy",
        candidate="scripted:int8",
        baseline="scripted:float32",
        compute_type="int8",
        fell_back=False,
        operations="",
        corpus="calls",
        normalizer="identity (1)",
        utterances=3,
        words=9,
        seed=0,
        checks=tuple(map(check, verdicts)),
        metric="wer",
        details=(("baseline_wer", 0.25), ("candidate_wer", 0.5)),
        scores=(score("identity (1)", P), score("whisper-basic (1)", F), score("by-language (1)", P)),
    )


def score(normalizer: str, verdict: Verdict) -> Score:
    return Score(normalizer=normalizer, utterances=3, baseline_rate=0.25, candidate_rate=None, check=check(verdict))


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [([P], P), ([P, P], P), ([P, U], U), ([U, F, P], F), ([P, F], F), ([U], U), ([], U)],
)
def test_the_worst_verdict_wins_and_no_check_is_no_pass(verdicts: list[Verdict], worst: Verdict) -> None:
    assert Verdict.worst(verdicts) is worst
    assert judgement(*verdicts).verdict is worst


@pytest.mark.parametrize("verdicts", [(), (P,), (F, U)])
def test_a_judgement_survives_json(verdicts: tuple[Verdict, ...]) -> None:
    original = judgement(*verdicts)
    travelled = Judgement.from_dict(json.loads(json.dumps(original.to_dict())))
    assert travelled == original
    assert travelled.verdict is original.verdict


def test_an_id_is_the_gate_and_the_candidate() -> None:
    assert judgement(P).id == "accuracy/scripted:int8"


def test_scores_of_another_verdict_contradict() -> None:
    assert [found.normalizer for found in judgement(P).contradictions] == ["whisper-basic (1)"]
    assert judgement(F).contradictions == judgement(P).contradictions  # whatever else failed


@pytest.mark.parametrize(
    ("own", "other", "contradicts"),
    [
        (0.0759, 0.99, False),  # capital letters in the transcripts, scored as they are
        (0.0759, 0.60, False),
        (0.0759, 0.40, True),
        (0.60, 0.79, True),
        (0.60, 0.81, False),
        (0.99, 0.0759, True),  # what breaks the baseline is the gate's own, and that is worth knowing
        (0.25, None, False),  # nothing is left of any reference
        (1.4, 1.2, True),
    ],
)
def test_a_normalizer_that_breaks_the_baseline_contradicts_nobody(
    own: float, other: float | None, contradicts: bool
) -> None:
    """It has to leave half of what the baseline has right under the gate's own."""
    first, second = score("whisper-english (1)", P), score("identity (1)", U)
    scores = (replace(first, baseline_rate=own), replace(second, baseline_rate=other))
    found = replace(judgement(P), scores=scores)
    assert found.contradictions == (scores[1:] if contradicts else ())
    assert found.broken == (() if contradicts else scores[1:])


def test_how_much_was_said_goes_by_its_unit() -> None:
    assert judgement(P).counted == "9 words"
    assert replace(judgement(P), metric="", unit="cer", characters=40).counted == "40 characters"
    assert replace(judgement(P), unit="mer").counted == "9 words and characters"


@pytest.mark.parametrize(("metric", "told"), [("", "9 words"), ("cer", "40 characters")])
def test_in_an_older_document_the_metric_is_the_unit(metric: str, told: str) -> None:
    data = replace(judgement(P), metric=metric, characters=40).to_dict()
    del data["unit"]
    assert Judgement.from_dict(data).counted == told


def test_details_are_found_by_name() -> None:
    assert judgement(P).detail("candidate_wer") == 0.5
    assert judgement(P).detail("speed") is None


def test_a_check_knows_only_three_places() -> None:
    with pytest.raises(ValueError, match="'below', 'above' or 'at'"):
        check(keep="under")
