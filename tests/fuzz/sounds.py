"""Recordings of many formats that are cut, or in which bytes have changed."""

import io
import random
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import soundfile
from world import Case, Ending, damaged, ending, right_if

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource

FORMATS = (
    *(("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("RF64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16")),
    *(("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("CAF", "PCM_16")),
)
SECONDS = 3.0
UNNOTICED = 0.12
"""Seconds of sound that may go without a word: less than a word of speech, rounded up to a frame of an encoder."""


def cases(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield damaged recordings: of each, all is there, or a note or an error says that it is not."""
    folder.mkdir(exist_ok=True)
    while True:
        kind, subtype = chance.choice(FORMATS)
        sound = _recording(kind, subtype)
        if chance.random() < 0.5:
            end = chance.randrange(len(sound))
            what, data = f"cut at {end} of {len(sound)}", sound[:end]
        else:
            what, data = damaged(sound, chance)
        path = folder / f"call.{kind.lower()}"
        path.write_bytes(data)
        yield Case(f"{kind} {subtype}: {what}", partial(ending, partial(_read, path), [path.name]))


def _read(path: Path) -> Ending:
    found = audio.read(AudioSource(label=path.name, file=str(path)), longest=30.0)
    seconds = len(found.samples) / audio.SAMPLE_RATE
    is_whole = abs(seconds - SECONDS) <= UNNOTICED and bool(np.isfinite(found.samples).all())
    return right_if(is_whole or bool(found.notes), f"{seconds:.2f} s of {SECONDS} s, and nobody says so")


@lru_cache
def _recording(kind: str, subtype: str) -> bytes:
    """Return chirps and noise, which no encoder takes for silence."""
    times = np.arange(int(SECONDS * audio.SAMPLE_RATE)) / audio.SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0, 0.05, len(times))
    file = io.BytesIO()
    soundfile.write(file, 0.4 * np.sin(times * (600 + 400 * times)) + noise, audio.SAMPLE_RATE, subtype, format=kind)
    return file.getvalue()
