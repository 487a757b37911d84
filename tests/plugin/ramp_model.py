"""A model for streams: it hears where it is in the recording, whose sound is a ramp, and says what is said there.

It is the scripted backend with word times; "int8" may hear less than "float32".
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pytest_whisperq.backends import Clip, Hypothesis, TimedWord, scripted
from pytest_whisperq.backends.scripted import ScriptedTranscriber
from pytest_whisperq.gates.streams import Streams
from pytest_whisperq.speech.audio import SAMPLE_RATE

NAMES = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]
STEP, SPOKEN, WORDS, EACH = 0.6, 0.4, 60, 6
"""Seconds from word to word and of each; how many there are, and how many in an utterance."""

LENGTH = STEP * WORDS


def position(clip: Clip) -> float:
    """Where a clip begins, in seconds: the sound is a ramp over the recording."""
    return round((float(clip.samples[0]) + 1) / 2 * LENGTH, 2)


def inside(clip: Clip, names: Sequence[str]) -> tuple[TimedWord, ...]:
    begun, seconds = position(clip), len(clip.samples) / SAMPLE_RATE
    times = ((number, STEP * number - begun) for number in range(WORDS))
    return tuple(
        TimedWord(start=start, end=start + SPOKEN, text=NAMES[number % 10])
        for number, start in times
        if start > -0.01 and start + SPOKEN < seconds + 0.01 and NAMES[number % 10] in names
    )


class Aligner:
    """Knows when each word was said."""

    def align(self, clip: Clip, said: str) -> tuple[TimedWord, ...]:
        return inside(clip, said.split())


def write_recording(folder: Path) -> Path:
    """Write the ramp and the list of its utterances; return the list."""
    ramp = np.linspace(-1, 1, round(LENGTH * SAMPLE_RATE), endpoint=False)
    soundfile.write(folder / "call.wav", ramp, SAMPLE_RATE, "PCM_16")
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
    path = folder / "call.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def install(
    monkeypatch: pytest.MonkeyPatch,
    streamed: Sequence[str] = NAMES,
    offline: Sequence[str] = NAMES,
    *,
    times: bool = True,
    deaf: float = 0.0,
    **abilities: Any,
) -> None:
    """Let int8 hear these words in windows and offline, and, ``deaf`` seconds from the ends of a window, none.

    ``abilities`` are further methods of the model, or others for these.
    """

    def words(transcriber: ScriptedTranscriber, clip: Clip) -> tuple[TimedWord, ...]:
        seconds = len(clip.samples) / SAMPLE_RATE
        is_utterance = len(clip.samples) == round(STEP * EACH * SAMPLE_RATE)
        if transcriber.compute_type != "int8":
            return inside(clip, NAMES)
        if is_utterance:
            return inside(clip, offline)
        heard = inside(clip, streamed)
        return tuple(word for word in heard if word.start >= deaf and word.end <= seconds - deaf)

    def transcribe(transcriber: ScriptedTranscriber, clips: Sequence[Clip]) -> list[Hypothesis]:
        return [Hypothesis(text=" ".join(word.text for word in words(transcriber, clip))) for clip in clips]

    # A class of its own: what a class can do is asked once, and the answer stays with it.
    methods = {"transcribe": transcribe} | ({"transcribe_words": words} if times else {}) | abilities
    monkeypatch.setattr(scripted, "ScriptedTranscriber", type("RampTranscriber", (ScriptedTranscriber,), methods))
    monkeypatch.setattr(Streams, "_aligner", Aligner())
