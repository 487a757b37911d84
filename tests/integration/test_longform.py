"""Recordings of minutes on real backends, and what faster-whisper offers beyond a transcript."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pairs import matrix

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends import get_backend
from pytest_whisperq.backends.faster_whisper import FasterWhisperTranscriber
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus.longform import load_long_form, whole

SECOND = audio.SAMPLE_RATE


@pytest.fixture(scope="module")
def transcriber(gate_run: Callable[..., GateRunner]) -> FasterWhisperTranscriber:
    run = gate_run(candidate="faster-whisper:int8")
    directory = run.session.model(run.config.candidates[0]).artifact.directory
    loaded: Any = get_backend("faster-whisper").load("int8", directory, 1)
    return loaded  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def recording() -> "np.ndarray[Any, Any]":
    """The first 40 seconds of the English recording: more than one window."""
    samples = audio.load(whole(load_long_form())[0].audio)
    return samples[: 40 * SECOND]


HEARS_LONG = ["transformers:float32", "faster-whisper:float32", "faster-whisper-batched:float32", "ctranslate2:float32"]


@pytest.mark.parametrize("pair", matrix(HEARS_LONG, "faster-whisper:float32"))
def test_a_model_against_itself_loses_nothing_on_long_recordings(
    gate_run: Callable[..., GateRunner], pair: str
) -> None:
    run = gate_run(candidate=pair)
    outcome = run.judge("longform", run.config.candidates[0])
    (check,) = outcome.judgement.checks
    assert check.value == 0.0
    assert outcome.judgement.gate == "longform"
    assert outcome.judgement.words > 200


def test_a_model_that_fails_late_is_caught(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gate_run(candidate="faster-whisper:int8")
    hear = type(run.session.decoder).long

    def forgetful(decoder: Any, spec: Any, clips: Any) -> Any:
        artifact, transcriber, texts = hear(decoder, spec, clips)
        if spec.precision == "int8":  # says nothing after the first fifth
            texts = [" ".join(text.split()[: len(text.split()) // 5]) for text in texts]
        return artifact, transcriber, texts

    monkeypatch.setattr(type(run.session.decoder), "long", forgetful)
    outcome = run.judge("longform", run.config.candidates[0])
    assert outcome.judgement.verdict is Verdict.FAIL


def test_ctranslate2_hears_a_recording_of_minutes_to_its_end(gate_run: Callable[..., GateRunner]) -> None:
    run = gate_run(candidate="ctranslate2:float32")
    texts = run.session.long_texts(run.session.spec(run.config.candidates[0])).texts
    for recording in whole(run.session.recordings.long_form):
        said, texts = texts[: len(recording.utterances)], texts[len(recording.utterances) :]
        # By times, of which the embedded model is not sure: words are lost, but the last window is not.
        assert sum(map(bool, said)) > len(said) / 2
        assert any(said[-4:])


def test_segments_and_words_have_times_in_order(
    transcriber: FasterWhisperTranscriber, recording: "np.ndarray[Any, Any]"
) -> None:
    found = transcriber.long_audio(recording, "en", word_timestamps=True)
    assert found.language == "en"
    assert found.segments
    starts = [segment.start for segment in found.segments]
    assert starts == sorted(starts)
    assert any(segment.start > 25 for segment in found.segments)
    for segment in found.segments:
        assert 0 <= segment.start <= segment.end <= 41
        assert [word.start for word in segment.words] == sorted(word.start for word in segment.words)
        assert all(word.start <= word.end and word.text for word in segment.words)
    assert sum(len(segment.words) for segment in found.segments) > 20


def test_it_detects_the_language_and_says_how_surely(
    transcriber: FasterWhisperTranscriber, recording: "np.ndarray[Any, Any]"
) -> None:
    found = transcriber.long_audio(recording)
    assert found.language == "en"
    assert 0.3 < found.probability <= 1.0


def test_two_runs_say_the_same(transcriber: FasterWhisperTranscriber, recording: "np.ndarray[Any, Any]") -> None:
    assert transcriber.long_audio(recording, "en", beam_size=2) == transcriber.long_audio(recording, "en", beam_size=2)


def test_voice_activity_detection_leaves_out_where_nobody_speaks(
    transcriber: FasterWhisperTranscriber, recording: "np.ndarray[Any, Any]"
) -> None:
    pause = np.zeros(20 * SECOND, np.float32)
    found = transcriber.long_audio(np.concatenate([pause, recording[: 15 * SECOND]]), "en", vad_filter=True)
    assert found.segments
    assert all(segment.end > 19 for segment in found.segments)


def test_the_batched_pipeline_hears_the_whole_recording(
    transcriber: FasterWhisperTranscriber, recording: "np.ndarray[Any, Any]"
) -> None:
    found = transcriber.long_audio(recording, "en", batch_size=4)
    assert found.segments[0].start < 10
    assert found.segments[-1].end > 25


TELLS_WORD_TIMES = ("faster-whisper:int8", "transformers:int8-dynamic")
TELLS_TIMES = [*TELLS_WORD_TIMES, "openvino:int8", "ctranslate2:int8"]


@pytest.mark.parametrize("pair", matrix(TELLS_TIMES, "ctranslate2:int8"))
def test_runtimes_agree_on_when_things_are_said(gate_run: Callable[..., GateRunner], pair: str) -> None:
    """Words that both runtimes find by attention are within a tenth of a second, however each computes it."""
    tells_words = pair in TELLS_WORD_TIMES
    run = gate_run(candidate=pair, max_utterances="8")
    judgement = run.judge("timestamps", run.config.candidates[0]).judgement
    assert [check.name for check in judgement.checks] == ["moved segments", *["moved words"] * tells_words]
    assert judgement.detail("segment_shift") == pytest.approx(0.0, abs=0.1)
    if tells_words:
        assert judgement.detail("word_shift") == pytest.approx(0.0, abs=0.1)


def test_both_ways_through_a_long_recording_are_compared(
    tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = whole(load_long_form())[0]
    chosen = [item for item in source.utterances if item.audio.offset + (item.audio.seconds or 0) < 40]
    soundfile.write(tmp_path / "call.wav", audio.load(source.audio)[: 40 * SECOND], SECOND)
    rows = [
        {
            "audio": "call.wav",
            "text": u.reference,
            "language": "en",
            "offset": u.audio.offset,
            "duration": u.audio.seconds,
        }
        for u in chosen
    ]
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ("--long-form", str(tmp_path / "calls.jsonl"), "--cache-dir", str(cache_dir), "--chunk-seconds", "20")
    assert main(["chunking", *options]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in shown[1:3]] == [
        ["call.wav", "40.0", "chunked"],
        ["call.wav", "40.0", "sequential"],
    ]
    assert all(float(line.split()[3]) < 100 for line in shown[1:3])
