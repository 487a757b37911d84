"""CTranslate2 in four types: languages, transcripts and times, first as one number each and then as verdicts.

Run it with ``pytest docs/examples/test_ctranslate2.py``. The notebook ``ctranslate2.ipynb`` is made of this file.
"""

# %% [markdown]
# # CTranslate2 in int8, int16, float16 and bfloat16
#
# One checkpoint, four stored types, one question: which of them may be shipped? The model is the small multilingual
# Whisper that comes with pytest-whisperq, and so are the recordings. Nothing is downloaded.

# %%
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jiwer
from ctranslate2.converters import TransformersConverter
from faster_whisper import WhisperModel

from pytest_whisperq import load_corpus
from pytest_whisperq.system.package_data import model_directory

TYPES = ("int8", "int16", "float16", "bfloat16")
CHECKPOINT = str(model_directory("whisperq-micro"))
TEN = load_corpus().speech[::60][:10]
GREEDY = {"beam_size": 1, "temperature": 0}
temporary = tempfile.TemporaryDirectory()
FOLDER = Path(temporary.name)

# %% [markdown]
# ## The bare way
#
# Convert, transcribe ten clips without saying their language, and look at one error rate.


# %%
def bare(kind: str) -> tuple[float, str, float, str]:
    """Return the word error rate in per cent, the languages detected, the seconds, and what computes."""
    target = str(FOLDER / kind)
    files = ["tokenizer.json", "preprocessor_config.json"]
    TransformersConverter(CHECKPOINT, copy_files=files).convert(target, quantization=kind)
    model = WhisperModel(target, device="cpu", cpu_threads=1)
    begun, texts, languages = time.perf_counter(), [], []
    for clip in TEN:
        segments, info = model.transcribe(str(clip.audio.path), suppress_tokens=[], without_timestamps=True, **GREEDY)
        texts.append(" ".join(segment.text.strip() for segment in segments) or "-")
        languages.append(info.language)
    error = 100 * jiwer.wer([clip.reference for clip in TEN], texts)
    return error, " ".join(languages), time.perf_counter() - begun, model.model.compute_type


def test_ten_clips_give_each_type_a_number() -> None:
    print("spoken:", " ".join(str(clip.language) for clip in TEN))
    for kind in ("float32", *TYPES):
        error, languages, seconds, executes = bare(kind)
        print(f"{kind:9} WER {error:5.1f} %  {seconds:4.1f} s  {languages}  computes in {executes}")
        assert error < 100
        assert len(languages.split()) == len(TEN)


# %% [markdown]
# The last column is what most scripts never print. A type that this processor cannot compute is converted while the
# model loads, without an error: its row is then that of another model.
#
# ## With pytest-whisperq
#
# What is demanded goes into a test. It is judged for every type, on the bound of the drop and not on the drop itself.

# %%
GATES = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=6)
@pytest.mark.whisperq_language(min_agreement=0.85)
def test_release(): ...
"""
SPEED = """
import pytest

@pytest.mark.whisperq_speedup(min_ratio=1.0)
def test_is_faster(): ...
"""


def gate(test: str, *options: str) -> str:
    """Run pytest on a test as a shell would, and return what it prints from the table of gates on."""
    (FOLDER / "test_gates.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "test_gates.py", "--tb=no", "--color=no", *options]
    command += ["--whisperq-baseline=ctranslate2:float32", "--whisperq-threads=1"]
    command += [f"--whisperq-cache-dir={FOLDER / 'cache'}"]
    done = subprocess.run(command, cwd=FOLDER, env={**os.environ, "COLUMNS": "160"}, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a gate has not passed
    return done.stdout.partition("= whisperq gates =")[2].lstrip("=\n").replace(str(FOLDER), "")


def test_each_type_has_a_verdict_or_does_not_execute_here() -> None:
    candidates = ",".join(f"ctranslate2:{kind}" for kind in TYPES)
    shown = gate(GATES, f"--whisperq-candidate={candidates}", "--whisperq-max-utterances=48")
    print(shown)
    for kind in TYPES:
        is_refused = any(f"ctranslate2-{kind}] - " in line and "was asked for" in line for line in shown.splitlines())
        assert is_refused or f"ctranslate2:{kind}, runs" in shown


# %% [markdown]
# ## And the time?
#
# One loop around `transcribe` measures the machine's mood as well. The speed gate decodes with both models in turns,
# times the stages apart, and bounds the ratio. The baseline is timed against itself as a control: on a machine that is
# busy with other things there is no verdict.


# %%
def test_the_time_is_a_ratio_with_bounds() -> None:
    shown = gate(SPEED, "--whisperq-candidate=ctranslate2:int8", "--whisperq-timing-budget=2")
    print(shown)
    assert "pipeline speedup" in shown


# %% [markdown]
# ## What the bare numbers hide
#
# - **Which type computes.** The gate compares it with what was asked for, and a silent conversion is an error.
#   `--whisperq-allow-fallback` gates it as what it is.
# - **How little ten clips say.** Their error rates can be alike, or even better for int8. The bounds above are of
#   several times as many clips, and they are still wide: INCONCLUSIVE means that nobody knows yet, and is no pass.
# - **Languages.** Compare the detected languages above with the spoken ones: where float32 is wrong too, it is not the
#   quantization. The language gate counts only what changed.
