"""The streaming gate of a run, on a model that hears what the sound itself says: where it is in the recording."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pytest_whisperq.audio import SAMPLE_RATE
from pytest_whisperq.backends import Clip, Hypothesis, Word
from pytest_whisperq.backends.scripted import ScriptedTranscriber
from pytest_whisperq.gates import Outcome
from pytest_whisperq.pipeline import GateRun
from pytest_whisperq.streams import Streams
from pytest_whisperq.verdict import Figure, Verdict

NAMES = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]
STEP, SPOKEN, WORDS, EACH = 0.6, 0.4, 60, 6
"""Seconds from word to word and of each; how many there are, and how many in an utterance."""

LENGTH = STEP * WORDS


def position(clip: Clip) -> float:
    """Where a clip begins, in seconds: the sound is a ramp over the recording."""
    return round((float(clip.samples[0]) + 1) / 2 * LENGTH, 2)


def inside(clip: Clip, names: Sequence[str]) -> tuple[Word, ...]:
    begun, seconds = position(clip), len(clip.samples) / SAMPLE_RATE
    times = ((number, STEP * number - begun) for number in range(WORDS))
    return tuple(
        Word(start=start, end=start + SPOKEN, text=NAMES[number % 10])
        for number, start in times
        if start > -0.01 and start + SPOKEN < seconds + 0.01 and NAMES[number % 10] in names
    )


class Aligner:
    """Knows when each word was said."""

    def align(self, clip: Clip, said: str) -> tuple[Word, ...]:
        return inside(clip, said.split())


@pytest.fixture
def judged(start_run: Callable[..., GateRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that judges a model which hears these words, streamed and offline, once quantized."""
    ramp = np.linspace(-1, 1, round(LENGTH * SAMPLE_RATE), endpoint=False)
    soundfile.write(tmp_path / "call.wav", ramp, SAMPLE_RATE, "PCM_16")
    rows = [
        {
            "audio": "call.wav",
            "text": " ".join(NAMES[number % 10] for number in range(first, first + EACH)),
            "language": "en",
            "offset": STEP * first,
            "duration": STEP * EACH,
        }
        for first in range(0, WORDS, EACH)
    ]
    (tmp_path / "call.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(Streams, "_aligner", Aligner())

    def judge(streamed: Sequence[str] = NAMES, offline: Sequence[str] = NAMES, *, times: bool = True) -> Outcome:
        def heard(transcriber: ScriptedTranscriber, names: Sequence[str]) -> Sequence[str]:
            return names if transcriber.compute_type == "int8" else NAMES

        def transcribe(transcriber: ScriptedTranscriber, clips: Sequence[Clip]) -> list[Hypothesis]:
            utterance = len(clips[0].samples) == round(STEP * EACH * SAMPLE_RATE)
            names = heard(transcriber, offline if utterance else streamed)
            return [Hypothesis(text=" ".join(word.text for word in inside(clip, names))) for clip in clips]

        monkeypatch.setattr(ScriptedTranscriber, "transcribe", transcribe)
        if times:
            monkeypatch.setattr(
                ScriptedTranscriber,
                "transcribe_words",
                lambda transcriber, clip: inside(clip, heard(transcriber, streamed)),
                raising=False,
            )
        run = start_run(long_form=str(tmp_path / "call.jsonl"))
        return run.streaming(run.config.candidates[0])

    return judge


def figure(outcome: Outcome, name: str) -> Figure:
    return next(one for one in outcome.judgement.figures if one.name == name)


def test_a_model_that_hears_everything_loses_nothing(judged: Callable[..., Outcome]) -> None:
    judgement = judged().judgement
    assert judgement.detail("baseline_wer") == 0.0
    assert judgement.detail("candidate_wer") == 0.0
    assert [check.value for check in judgement.checks] == [0.0, 0.0, 0.0]
    assert judgement.words == WORDS
    assert judgement.notes[0].endswith("err within 0 ms of their ends and times are 0 ms off; word times are its own")


def test_what_is_lost_only_when_streaming_is_the_gap_and_quantizations(judged: Callable[..., Outcome]) -> None:
    outcome = judged(streamed=[name for name in NAMES if name != "delta"])
    assert outcome.judgement.detail("baseline_wer") == 0.0
    assert outcome.judgement.detail("candidate_wer") == pytest.approx(0.1)
    assert outcome.judgement.checks[0].value == pytest.approx(10.0)
    assert figure(outcome, "gap by quantization, points").value == pytest.approx(10.0)
    assert figure(outcome, "streamed deletions, %").value == pytest.approx(10.0)
    assert figure(outcome, "commit lag, % of words").value == pytest.approx(90.0)
    assert figure(outcome, "commit lag, % of words").baseline == pytest.approx(100.0)
    assert any(label == "offline" and "delta" in text for label, text in outcome.worst[0].rows)


def test_what_is_lost_offline_is_no_gap_of_streaming(judged: Callable[..., Outcome]) -> None:
    outcome = judged(offline=[name for name in NAMES if name != "delta"])
    assert outcome.judgement.detail("baseline_wer") == pytest.approx(0.1)
    assert outcome.judgement.checks[0].value == pytest.approx(-10.0)


def test_lags_are_those_of_two_windows_that_agree(judged: Callable[..., Outcome]) -> None:
    outcome = judged()
    median = figure(outcome, "commit lag without computing, median s").value
    assert 1.0 < median < 2.5  # the second window that holds a word, and its edge
    assert figure(outcome, "commit lag, median s").value > median
    lagging = figure(outcome, "LAAL, s").value
    assert lagging == pytest.approx(figure(outcome, "commit lag, mean s").value + SPOKEN, abs=0.5)
    assert figure(outcome, "first word, s after it was said").value > 0.5
    assert -0.5 < figure(outcome, "last word, s after it was said").value < 0.5
    assert figure(outcome, "times each second is decoded").value == pytest.approx(5.6, abs=0.3)
    assert figure(outcome, "normalized erasure").value == 0.0


def test_a_model_that_tells_no_times_is_aligned_off_the_clock(
    judged: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    aligned: list[Any] = []

    def align(aligner: Aligner, clip: Clip, said: Any) -> tuple[Word, ...]:
        aligned.append(said)
        return inside(clip, said.split() if isinstance(said, str) else NAMES)

    monkeypatch.setattr(Aligner, "align", align)
    judgement = judged(times=False).judgement
    assert judgement.notes[0].endswith("word times are ctranslate2:float32's, which is left out of computing")
    assert judgement.checks[0].verdict is not Verdict.FAIL
    assert () in aligned  # the tokens that the model said, not the text
