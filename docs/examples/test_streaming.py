"""Full context and streaming: the overlap merge of demos beside one that goes by time, on the same windows.

Run it with ``pytest docs/examples/test_streaming.py``. The notebook ``streaming.ipynb`` is made of this file.
"""

# %% [markdown]
# # A live transcript, and what its merge does to it
#
# A streaming demo decodes overlapping windows and joins their texts. The usual way to join: cut the last tenth of what
# is shown, and append what the new window says. It looks live, and nobody counts words.

# %%
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import jiwer
import numpy as np
import soundfile
from ctranslate2.converters import TransformersConverter
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment
from numpy.typing import NDArray

from pytest_whisperq.contract import MERGE_CHECKS, ContractError, MergeSubject, check_merge
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus.longform import load_long_form
from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord, TextMerge, TimeAnchoredMerge, join
from pytest_whisperq.streaming.overlap import save_profile
from pytest_whisperq.system.package_data import model_directory

temporary = tempfile.TemporaryDirectory()
FOLDER = Path(temporary.name)
PROFILE = StreamProfile(window=6000, hop=2000, edge=250, jitter=100, repeat_spacing=602)
LENGTH = 20_000  # ms
CHECKPOINT = str(model_directory("whisperq-micro"))
SAID = [
    item
    for item in load_long_form().utterances
    if item.language == "en" and 1000 * (item.audio.offset + (item.audio.seconds or 0)) < LENGTH
]
SOUND = audio.load(audio.AudioSource(label="call", file=SAID[0].audio.file))[: 16 * LENGTH]
REFERENCE = " ".join(item.reference for item in SAID)

# %% [markdown]
# ## The bare way


# %%
def naive(shown: str, heard: str) -> str:
    """Cut the last tenth of the text, and append the window's."""
    return f"{shown[: len(shown) - len(shown) // 10]} {heard}".strip()


@cache
def model() -> WhisperModel:
    """Convert the checkpoint and load it."""
    target = str(FOLDER / "model")
    files = ["tokenizer.json", "preprocessor_config.json"]
    TransformersConverter(CHECKPOINT, copy_files=files).convert(target, quantization="int8")
    return WhisperModel(target, device="cpu", compute_type="int8", cpu_threads=1)


def hear(sound: NDArray[np.float32], **options: bool) -> list[Segment]:
    """Return what the model hears in a piece of sound."""
    return list(model().transcribe(sound, language="en", beam_size=1, temperature=0, suppress_tokens=[], **options)[0])


@cache
def windows() -> tuple[Chunk, ...]:
    """Decode the sound in windows; each word has its times in ms of the stream."""
    chunks = []
    for number, end in enumerate(range(PROFILE.hop, LENGTH + 1, PROFILE.hop)):
        start = max(0, end - PROFILE.window)
        words = [word for one in hear(SOUND[16 * start : 16 * end], word_timestamps=True) for word in one.words]
        timed = [(one.word.strip(), start + round(1000 * one.start), start + round(1000 * one.end)) for one in words]
        chunks.append(Chunk(number, start, end, tuple(StreamWord(*one) for one in timed), final=end == LENGTH))
    return tuple(chunks)


def demo() -> str:
    """Return what the demo shows in the end."""
    shown = ""
    for chunk in windows():
        shown = naive(shown, join(chunk.words))
    return shown


def test_the_demo_shows_a_text() -> None:
    shown = demo()
    print(f"{len(shown.split())} words shown, live: {shown}")
    assert shown


# %% [markdown]
# ## With pytest-whisperq
#
# The same windows go through `TimeAnchoredMerge`: windows vote on what was said at each place in time, and only their
# inside counts. All three texts are compared with what was said.


# %%
def anchored() -> str:
    """Return what the merge commits of the windows."""
    merge = TimeAnchoredMerge(PROFILE)
    for chunk in windows():
        merge.push(chunk)
    merge.flush()
    return join(merge.committed)


def test_the_same_windows_lose_words_or_not() -> None:
    full = " ".join(one.text.strip() for one in hear(SOUND, without_timestamps=True))
    texts = {"one window of 20 s": full, "naive merge": demo(), "TimeAnchoredMerge": anchored()}
    rates = {name: 100 * jiwer.wer(REFERENCE, text) for name, text in texts.items()}
    print(f"{'said':18} {len(REFERENCE.split()):3} words            {REFERENCE}")
    for name, text in texts.items():
        print(f"{name:18} {len(text.split()):3} words, WER {rates[name]:5.1f} %  {text}")
    assert rates["TimeAnchoredMerge"] < rates["naive merge"]


# %% [markdown]
# Is that this recording's bad luck? The contract of merges tries streams that no recognizer has spoilt, and shows the
# shortest one that goes wrong.


# %%
class Naive(TextMerge):
    """The naive merge, a word at a time."""

    def __init__(self, _: StreamProfile) -> None:
        super().__init__(lambda shown, heard: naive(" ".join(shown), " ".join(heard)).split())


RECOVERY = next(check for check in MERGE_CHECKS if check.name == "exact_recovery")


def test_the_contract_tells_the_merges_apart() -> None:
    check_merge(MergeSubject(TimeAnchoredMerge, level=Level.TEXT), RECOVERY, examples=100)
    print("TimeAnchoredMerge: every stream came out word by word")
    try:
        check_merge(MergeSubject(Naive, level=Level.TEXT), RECOVERY, examples=100)
    except ContractError as error:
        print("the naive merge:", str(error).partition("\n\n")[0])
    else:
        raise AssertionError("the naive merge recovers every stream")


# %% [markdown]
# ## The verdict
#
# Whether a quantized model streams as well as it transcribes is a gate: a bound on the words that streaming costs, on
# how late they are committed, and on what is retracted.

# %%
GATES = """
import pytest

@pytest.mark.whisperq_streaming(max_wer_gap=10)
def test_it_streams(): ...
"""


def gate(test: str, *options: str) -> str:
    """Run pytest on a test as a shell would, and return what it prints from the table of gates on."""
    (FOLDER / "test_gates.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "test_gates.py", "--tb=no", "--color=no", *options]
    command += ["--whisperq-threads=1", f"--whisperq-cache-dir={FOLDER / 'cache'}"]
    done = subprocess.run(command, cwd=FOLDER, env={**os.environ, "COLUMNS": "110"}, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a gate has not passed
    return done.stdout.partition("= whisperq gates =")[2].lstrip("=\n").replace(str(FOLDER), "")


def write_call() -> None:
    """List the recording as one lists one's own: each utterance with its offset."""
    soundfile.write(FOLDER / "call.wav", SOUND, audio.SAMPLE_RATE)
    rows = [
        {"audio": "call.wav", "text": item.reference, "language": "en"}
        | {"offset": item.audio.offset, "duration": item.audio.seconds}
        for item in SAID
    ]
    (FOLDER / "call.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    save_profile(PROFILE, FOLDER / "profile.json")


def test_streaming_has_a_verdict() -> None:
    write_call()
    call = ("--whisperq-long-form=call.jsonl", "--whisperq-merge-profile=profile.json")
    shown = gate(GATES, "--whisperq-candidate=ctranslate2:int8", *call)
    print(shown)
    assert "retracted" in shown or "retractions" in shown


# %% [markdown]
# ## What the bare demo hides
#
# - **Words cut at the seams.** The naive text grows and shrinks by what the windows happen to say: words come twice, or
#   are gone. `exact_recovery` shows that it does so with windows that are free of errors.
# - **How little twenty seconds prove.** With fewer than five pieces of 30 s nothing is bounded, and the gate says
#   INCONCLUSIVE. A demo says nothing.
# - **When words are final.** What a demo shows may change at any time. The gate measures how late a word is committed,
#   and counts what is taken back.
