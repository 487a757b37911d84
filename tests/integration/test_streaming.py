"""Streams of real audio through every backend: 24 seconds of the embedded recordings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pairs import matrix

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends import Clip
from pytest_whisperq.backends._whisper import FrontEnd
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.streams import Streams
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus.longform import load_long_form
from pytest_whisperq.streaming import StreamProfile
from pytest_whisperq.streaming.overlap import load_profile
from pytest_whisperq.system.errors import CorpusError, WhisperqError

LENGTH = 24.0
WINDOWS = {"window": 6000, "hop": 2000, "edge": 250, "jitter": 100, "repeat_spacing": 602}
"""Half as many windows as by default: what is tested does not depend on their number."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 24 seconds of the English recording, listed as a user would list it."""
    folder = tmp_path_factory.mktemp("stream")
    items = [item for item in load_long_form().utterances if item.audio.label.endswith("en-voices.ogg")]
    samples = audio.load(audio.AudioSource(label="whole", file=items[0].audio.file))
    soundfile.write(folder / "call.wav", samples[: int(LENGTH * audio.SAMPLE_RATE)], audio.SAMPLE_RATE)
    rows = [
        {
            "audio": "call.wav",
            "text": item.reference,
            "language": "en",
            "offset": item.audio.offset,
            "duration": item.audio.seconds,
        }
        for item in items
        if item.audio.offset + (item.audio.seconds or 0.0) < LENGTH
    ]
    path = folder / "call.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def profile(recording: Path) -> str:
    path = recording.parent / "profile.json"
    path.write_text(json.dumps(WINDOWS), encoding="utf-8")
    return str(path)


STREAMED = ["ctranslate2:int8", "faster-whisper:int8", "openvino:int8", "transformers:int8-dynamic"]


@pytest.mark.parametrize("pair", matrix(STREAMED, "ctranslate2:int8"))
def test_every_backend_streams(gate_run: Callable[..., GateRunner], recording: Path, profile: str, pair: str) -> None:
    run = gate_run(candidate=pair, long_form=str(recording), merge_profile=profile)
    judgement = run.judge("streaming", run.config.candidates[0], max_wer_gap=50, max_commit_lag=20).judgement
    gap, late, retractions = judgement.checks
    assert gap.value is not None
    assert abs(gap.value) < 50  # the limit above: float32 itself loses a third of the words in windows this short
    assert late.value == 0.0
    assert retractions.verdict is Verdict.PASS
    figures = {figure.name: figure for figure in judgement.figures}
    assert figures["commit lag, % of words"].value > 80
    ideal = figures["commit lag without computing, median s"]
    assert 0.5 < ideal.value < figures["commit lag, median s"].value < 6
    assert ideal.baseline is not None
    assert 2.5 < figures["times each second is decoded"].value < 3
    assert ("ctranslate2:float32's, which is left out of computing" in judgement.notes[0]) == ("openvino" in pair)


def test_words_are_told_where_they_are_said(gate_run: Callable[..., GateRunner]) -> None:
    run = gate_run(candidate="ctranslate2:float32")
    loaded: Any = run.session.decoder.load(run.session.model(run.config.candidates[0]).artifact)
    item = load_long_form().utterances[0]
    samples = audio.load(item.audio)
    clip = Clip(samples=samples, language=item.language)
    second_of_silence = np.zeros(audio.SAMPLE_RATE, np.float32)
    later = Clip(samples=np.concatenate([second_of_silence, samples]), language=item.language)
    first, second = loaded.align(clip, item.reference), loaded.align(later, item.reference)
    assert " ".join(word.text for word in first) == item.reference
    assert [word.start for word in first] == sorted(word.start for word in first)
    # The same sound, a second later.
    moved = sorted(b.end - a.end for a, b in zip(first[:-1], second[:-1], strict=True))
    assert moved[len(moved) // 2] == pytest.approx(1.0, abs=0.25)
    assert loaded.align(clip, "") == ()
    assert [word.text for word in loaded.transcribe_words(clip)] == loaded.transcribe([clip])[0].text.split()


@pytest.mark.matrix
def test_the_command_shows_draws_and_writes_a_profile(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    gate_run: Callable[..., GateRunner],
) -> None:
    cache = gate_run(candidate="ctranslate2:int8").config.cache_dir
    measured = tmp_path / "measured.json"
    arguments = ["--candidate", "ctranslate2:int8", "--long-form", str(recording), "--cache-dir", str(cache)]
    arguments += ["--threads", "1"]
    arguments += ["--save-profile", str(measured), "--plot", str(tmp_path / "plots")]
    assert main(["stream", *arguments]) == 0
    out = capsys.readouterr().out
    assert "measured of ctranslate2:float32: window" in out
    assert f"use it with --whisperq-merge-profile {measured}" in out
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["ctranslate2-int8-1-call.svg"]
    found = load_profile(measured, "a test")
    assert found.hop == StreamProfile().hop
    assert found.jitter not in (StreamProfile().jitter, 0)
    run = gate_run(candidate="ctranslate2:int8", long_form=str(recording), merge_profile=str(measured))
    assert run.session.once(Streams).windows == found


def test_the_command_needs_a_candidate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream"]) == 2
    assert "--candidate: which model? For example --candidate ctranslate2:int8" in capsys.readouterr().err


def test_a_profile_that_cannot_be_written_is_told_before_anything_is_decoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GateRunner, "judge", lambda *_, **__: pytest.fail("something was decoded"))
    assert main(["stream", "--candidate", "ctranslate2:int8", "--save-profile", str(tmp_path)]) == 2
    assert f"--save-profile: {tmp_path} is a directory; name a file in it" in capsys.readouterr().err
    two = "ctranslate2:int8,transformers:float32"
    assert main(["stream", "--candidate", two, "--save-profile", str(tmp_path / "profile.json")]) == 2
    assert "one file holds one profile; name candidates of one backend" in capsys.readouterr().err


def test_a_failing_window_is_named(
    gate_run: Callable[..., GateRunner], recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gate_run(candidate="ctranslate2:int8", long_form=str(recording))
    load = run.session.decoder.load

    def broken(artifact: Any) -> Any:
        transcriber = load(artifact)
        monkeypatch.setattr(transcriber, "transcribe_words", lambda clip: 1 / 0)
        return transcriber

    monkeypatch.setattr(run.session.decoder, "load", broken)
    told = r"ctranslate2:float32 failed on a window of call.wav, 0 to 1 s: division by zero"
    with pytest.raises(WhisperqError, match=told):
        run.judge("streaming", run.config.candidates[0])


def test_an_utterance_longer_than_a_window_of_whisper_is_refused(
    gate_run: Callable[..., GateRunner], recording: Path, tmp_path: Path
) -> None:
    row = {"audio": "call.wav", "text": "five six", "language": "en", "offset": 0.0, "duration": 31.0}
    listing = recording.parent / "long.jsonl"
    listing.write_text(json.dumps(row), encoding="utf-8")
    run = gate_run(candidate="ctranslate2:int8", long_form=str(listing))
    with pytest.raises(CorpusError, match=r"long.jsonl:1: an utterance of 31.0 s; .* it may last 30 s; split it"):
        run.judge("streaming", run.config.candidates[0])


def test_a_language_without_spaces_has_a_word_a_character(gate_run: Callable[..., GateRunner]) -> None:
    front_end = FrontEnd(gate_run(candidate="ctranslate2:int8").session.source.directory)
    ids = front_end.spell("五日 本")  # several tokens a character
    ends = [0.1 * (number + 1) for number in range(len(ids))]
    assert len(ids) > 3
    for language in ("ja", None):
        words = front_end.words(ids, ends, 0.0, language)
        assert [word.text for word in words] == ["五", "日", "本"]
        assert words[0].start <= ends[0]  # a space before it may be a token of its own
        assert words[-1].end == ends[-1]
        assert [word.start for word in words] == sorted(word.start for word in words)
    english = front_end.spell("five six")
    words = front_end.words(english, [0.5] * len(english), 0.0, "en")
    assert [word.text for word in words] == ["five", "six"]


def test_a_token_of_several_characters_is_several_words(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In large vocabularies a greeting is one token; the same sound must not be one word or ten by its spelling."""
    front_end = FrontEnd(gate_run(candidate="ctranslate2:int8").session.source.directory)
    spelled = {0: "ありがとう", 1: "五", 2: "iPhone"}
    monkeypatch.setattr(front_end.tokenizer, "decode", lambda ids, **_: "".join(spelled[index] for index in ids))
    words = front_end.words([0, 1, 2], [1.0, 1.5, 2.0], 0.0, "ja")
    assert [word.text for word in words] == ["あ", "り", "が", "と", "う", "五", "iPhone"]
    assert [round(word.end, 2) for word in words] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0]
