"""The verdict of the streaming gate, on streams with a planted gap, lag, retraction and load."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_whisperq.decoding.transcript_cache import TranscriptSet
from pytest_whisperq.gates.stream_figures import StreamedWords
from pytest_whisperq.gates.streaming import StreamLimits, judge_streaming
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.measuring.pairs import pair_texts
from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance

COUNT = 100
TEXT = "alpha bravo charlie delta echo"
LOST = "alpha bravo charlie delta"
LIMITS = StreamLimits(wer_gap=3.0, commit_lag=5.0, retractions=0, rtf=None)


def streamed(
    *,
    offline_lost: int = 0,
    streamed_lost: int = 0,
    late: int = 0,
    retractions: int = 0,
    load: float = 0.3,
) -> StreamedWords:
    """A model that loses a word of so many utterances offline and streamed, and commits those of ``late`` late."""
    corpus = Corpus(
        name="planted",
        utterances=tuple(
            Utterance(id=f"{n}", where=f"line {n}", audio=AudioSource(label=f"{n}.wav"), reference=TEXT, language="en")
            for n in range(COUNT)
        ),
    )
    spec = ModelSpec(
        backend="scripted", precision="int8", source=SourceModel(name="m", directory=Path("m"), identity="m")
    )
    artifact = Artifact(
        spec=spec, directory=Path("m"), key="k", identity="i", size=1, build_seconds=0.0, build_memory=None
    )

    def heard(lost: int) -> TranscriptSet:
        return TranscriptSet(
            spec=spec,
            artifact=artifact,
            compute_type="int8",
            operations="",
            clips=tuple(map(str, range(COUNT))),
            texts=tuple(LOST if n < lost else TEXT for n in range(COUNT)),
            languages=(None,) * COUNT,
        )

    return StreamedWords(
        texts=pair_texts(corpus, normalizers.get("identity"), heard(offline_lost), heard(streamed_lost)),
        lags={f"{n}": [9000.0 if n < late else 2000.0] * 4 + [None] for n in range(COUNT)},
        costs={f"{n}": [(1000 * load, 1000.0)] * 30 for n in range(10)},
        retractions=retractions,
        figures={"backlog": load},
    )


def judged(candidate: StreamedWords, baseline: StreamedWords | None = None, limits: StreamLimits = LIMITS) -> Outcome:
    return judge_streaming(
        baseline or streamed(), candidate, limits, metric="wer", notes=("a note",), confidence=0.95, seed=0
    )


def check(outcome: Outcome, name: str) -> Check:
    return next(one for one in outcome.judgement.checks if one.name == name)


def test_a_model_that_streams_as_it_hears_passes() -> None:
    outcome = judged(streamed())
    assert outcome.judgement.verdict is Verdict.PASS
    assert [one.name for one in outcome.judgement.checks] == ["gap", "late words", "retractions"]
    assert outcome.judgement.notes == ("a note",)
    assert outcome.worst == ()


def test_a_planted_gap_is_found_and_shown() -> None:
    outcome = judged(streamed(streamed_lost=40))
    found = check(outcome, "gap")
    assert found.value == pytest.approx(8.0)  # 40 of 500 words
    assert found.verdict is Verdict.FAIL
    assert dict(outcome.worst[0].rows)["streamed"].endswith("****")


def test_errors_that_are_made_offline_too_are_no_gap() -> None:
    assert check(judged(streamed(offline_lost=40, streamed_lost=40)), "gap").value == 0.0


def test_what_only_quantization_costs_when_streaming_is_reported_with_bounds() -> None:
    outcome = judged(streamed(streamed_lost=40), streamed(streamed_lost=10))
    figure = next(one for one in outcome.judgement.figures if one.name == "gap by quantization, points")
    assert figure.value == pytest.approx(6.0)
    assert figure.lower is not None
    assert figure.upper is not None
    assert 2.0 < figure.lower < 6.0 < figure.upper < 11.0
    deletions = next(one for one in outcome.judgement.figures if one.name == "streamed deletions, %")
    assert (deletions.baseline, deletions.value) == (pytest.approx(2.0), pytest.approx(8.0))


@pytest.mark.parametrize(("late", "verdict"), [(0, Verdict.PASS), (4, Verdict.INCONCLUSIVE), (20, Verdict.FAIL)])
def test_more_than_one_late_word_in_twenty_fails(late: int, verdict: Verdict) -> None:
    found = check(judged(streamed(late=late)), "late words")
    assert found.verdict is verdict
    assert found.value == pytest.approx(late / 100)
    assert "400 of 500 words" in found.reason  # those never committed are errors, and named


def test_a_word_taken_back_fails_unless_it_may_be() -> None:
    assert check(judged(streamed(retractions=1)), "retractions").verdict is Verdict.FAIL
    lenient = StreamLimits(wer_gap=3.0, commit_lag=5.0, retractions=2, rtf=None)
    assert check(judged(streamed(retractions=2), limits=lenient), "retractions").verdict is Verdict.PASS


@pytest.mark.parametrize(("load", "verdict"), [(0.3, Verdict.PASS), (1.6, Verdict.FAIL)])
def test_computing_is_held_to_a_limit_that_is_given(load: float, verdict: Verdict) -> None:
    limits = StreamLimits(wer_gap=3.0, commit_lag=5.0, retractions=0, rtf=1.0)
    found = check(judged(streamed(load=load), limits=limits), "RTF")
    assert found.verdict is verdict
    assert found.value == pytest.approx(load)


def test_no_word_committed_is_no_pass() -> None:
    nothing = streamed(streamed_lost=COUNT)
    silent = StreamedWords(
        texts=nothing.texts,
        lags={name: [None] * 5 for name in nothing.lags},
        costs=nothing.costs,
        retractions=0,
        figures={},
    )
    found = check(judged(silent), "late words")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "no word was committed"


def test_streaming_as_badly_as_offline_is_no_pass_where_offline_everything_is_wrong() -> None:
    deaf = streamed()
    pairs = tuple(replace(pair, baseline="", candidate="") for pair in deaf.texts.pairs)
    found = check(judged(replace(deaf, texts=replace(deaf.texts, pairs=pairs))), "gap")
    assert found.value == 0.0
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("the candidate offline itself gets 100% wrong: it does not transcribe this corpus")
