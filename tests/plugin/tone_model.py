"""A model for microphones: words are tones, which it hears wherever they are, at whatever rate they were recorded.

It is the scripted backend with word times; "int8" hears some words as others. What is lost on the way from a microphone
is a word that is not heard.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from pytest_whisperq.backends import Clip, Hypothesis, TimedWord, scripted
from pytest_whisperq.backends.scripted import ScriptedTranscriber
from pytest_whisperq.speech.audio import SAMPLE_RATE

NAMES = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]
STEP, SPOKEN = 0.6, 0.4
"""Seconds from word to word, and of each."""

_LOWEST, _APART, _FRAME = 300, 150, 320  # Hz, Hz from word to word, and samples of a frame
SAME: Mapping[str, str] = MappingProxyType({})


def say(words: Sequence[str], rate: int = SAMPLE_RATE) -> Any:
    """Return the sound of words, shape (n,), in [-0.5, 0.5]."""
    times = np.arange(round(SPOKEN * rate)) / rate
    pause = np.zeros(round((STEP - SPOKEN) * rate))
    tones = [0.5 * np.sin(2 * np.pi * (_LOWEST + _APART * NAMES.index(word)) * times) for word in words]
    return np.concatenate([part for tone in tones for part in (tone, pause)] or [np.zeros(0)])


def hear(samples: Any) -> tuple[TimedWord, ...]:
    """Return the words of a sound; of one that is cut at an end nothing is heard."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = np.abs(frames).max(axis=1) > 0.1
    bins = np.abs(np.fft.rfft(frames, 3 * _FRAME, axis=1)).argmax(axis=1) * SAMPLE_RATE / (3 * _FRAME)
    places = [round((hertz - _LOWEST) / _APART) if is_loud else -1 for hertz, is_loud in zip(bins, loud, strict=True)]
    words, begun = [], 0
    for place, group in groupby(places):
        count = len(list(group))
        seconds = _FRAME / SAMPLE_RATE
        if 0 <= place < len(NAMES) and count * seconds > 0.8 * SPOKEN:
            words.append(TimedWord(start=begun * seconds, end=(begun + count) * seconds, text=NAMES[place]))
        begun += count
    return tuple(words)


def install(monkeypatch: pytest.MonkeyPatch, misheard: Mapping[str, str] = SAME, **abilities: Any) -> None:
    """Let scripted models hear tones, and int8 hear words as others; ``abilities`` are further or other methods."""

    def words(transcriber: ScriptedTranscriber, clip: Clip) -> tuple[TimedWord, ...]:
        wrong = misheard if transcriber.compute_type == "int8" else SAME
        return tuple(
            TimedWord(start=one.start, end=one.end, text=wrong.get(one.text, one.text)) for one in hear(clip.samples)
        )

    def transcribe(transcriber: ScriptedTranscriber, clips: Sequence[Clip]) -> list[Hypothesis]:
        return [
            Hypothesis(text=" ".join(word.text for word in words(transcriber, clip)), language="en") for clip in clips
        ]

    methods = {"transcribe": transcribe, "transcribe_words": words, **abilities}
    monkeypatch.setattr(scripted, "ScriptedTranscriber", type("ToneTranscriber", (ScriptedTranscriber,), methods))
