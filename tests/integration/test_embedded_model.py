"""The embedded model is a Whisper in every way its users count on; how well it hears stands in its card."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from pytest_whisperq import load_corpus
from pytest_whisperq.backends import Clip, get_backend
from pytest_whisperq.backends.ctranslate2 import CTranslate2Transcriber
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.speech import audio
from pytest_whisperq.system import package_data

LONG_FORM = package_data.corpus_directory().parent / "longform"


@pytest.fixture(scope="session")
def transcriber(gate_run: Callable[..., GateRunner]) -> CTranslate2Transcriber:
    run = gate_run(candidate="ctranslate2:float32")
    directory = run.session.model(run.config.candidates[0]).artifact.directory
    loaded: Any = get_backend("ctranslate2").load("float32", directory, 1)
    return loaded  # type: ignore[no-any-return]


def test_it_says_nothing_where_nobody_speaks(transcriber: CTranslate2Transcriber) -> None:
    silent = [item for item in load_corpus().utterances if not item.is_speech]
    assert len(silent) == 10
    texts = transcriber.transcribe([Clip(samples=audio.load(item.audio), language="en") for item in silent])
    assert sum(bool(text.text) for text in texts) <= 1


@pytest.mark.matrix
def test_it_detects_its_languages(transcriber: CTranslate2Transcriber) -> None:
    items = [item for item in load_corpus().speech if item.kind == "synthetic"][::12]
    clips = [Clip(samples=audio.load(item.audio), language=None) for item in items]
    features = transcriber._front_end.features(clips)
    encoded = transcriber._model.encode(transcriber._runtime.StorageView.from_array(features))
    found = [best[0][0].strip("<|>") for best in transcriber._model.detect_language(encoded)]
    assert sum(a == item.language for a, item in zip(found, items, strict=True)) >= 0.9 * len(items)


@pytest.fixture(scope="module", params=["en-voices.ogg", "es-voices.ogg"])
def window(request: pytest.FixtureRequest) -> tuple[list[dict[str, Any]], list[tuple[float, str]]]:
    """The utterances of a long recording's first window, and its segments (start, text) in transformers."""
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    listing = [json.loads(line) for line in (LONG_FORM / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    (entry,) = [line for line in listing if line["file_name"] == request.param]
    spoken = [segment for segment in entry["segments"] if segment["end"] < 29]
    stop = round((spoken[-1]["end"] + 0.3) * 16_000)
    samples, rate = soundfile.read(LONG_FORM / request.param, dtype="float32", stop=stop)
    directory = Path(package_data.model_directory())
    model = WhisperForConditionalGeneration.from_pretrained(directory, dtype=torch.float32)
    processor = WhisperProcessor.from_pretrained(directory)
    features = processor(samples, sampling_rate=rate, return_tensors="pt").input_features
    said = model.generate(
        features, language=entry["language"], task="transcribe", return_timestamps=True, return_segments=True
    )
    found = [
        (float(segment["start"]), processor.decode(segment["tokens"], skip_special_tokens=True))
        for segment in said["segments"][0]
    ]
    return spoken, found


def test_it_segments_a_window_that_holds_several_utterances(
    window: tuple[list[dict[str, Any]], list[tuple[float, str]]],
) -> None:
    """No segment holds words of two utterances; a pause within an utterance may part it, too."""
    spoken, found = window
    texts = [text.strip() for _, text in found]
    assert len(spoken) <= len(texts) < 2 * len(spoken)
    best = min(
        sum(
            count_errors(item["text"], " ".join(texts[a:b])).errors
            for item, a, b in zip(spoken, (0, *cut), (*cut, None), strict=True)
        )
        for cut in itertools.combinations(range(1, len(texts)), len(spoken) - 1)
    )
    assert best < 0.5 * sum(len(item["text"].split()) for item in spoken)  # how well it hears stands in its card


def test_segments_begin_where_the_utterances_do(
    window: tuple[list[dict[str, Any]], list[tuple[float, str]]],
) -> None:
    spoken, found = window
    close = [min(abs(start - segment["start"]) for start, _ in found) < 0.5 for segment in spoken]
    assert sum(close) >= 0.7 * len(spoken)
