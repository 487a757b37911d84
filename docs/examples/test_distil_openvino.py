"""A distilled Whisper through OpenVINO: export, int8 by calibration, stage speedups, accuracy drop.

Run it with ``pytest docs/examples/test_distil_openvino.py``. The notebook ``distil_openvino.ipynb`` is made of this
file.
"""

# %% [markdown]
# # A distilled Whisper, quantized with OpenVINO
#
# `whisperq-micro-distil.en` comes with pytest-whisperq. It is English-only and has one decoder layer, as distilled
# models have few. It is exported, quantized on recordings (PTQ), and compared with its original.

# %%
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jiwer
import nncf
import openvino
import torch
from optimum.intel import OVModelForSpeechSeq2Seq
from transformers import WhisperProcessor

from pytest_whisperq import Utterance, load_corpus
from pytest_whisperq.speech import audio
from pytest_whisperq.system.package_data import model_directory

MODEL = "whisperq-micro-distil.en"
CHECKPOINT = str(model_directory(MODEL))
PROCESSOR = WhisperProcessor.from_pretrained(CHECKPOINT)
ENGLISH = [clip for clip in load_corpus().speech if clip.language == "en"]
TEN, OTHERS = ENGLISH[::20][:10], ENGLISH[1::20][:10]
temporary = tempfile.TemporaryDirectory()
FOLDER = Path(temporary.name)

# %% [markdown]
# ## The bare way
#
# Export with Optimum, quantize the encoder with NNCF on ten clips, then transcribe ten others with both: an error rate
# and a time each. (The decoder takes longer to write down, for its inputs have to be caught while it speaks.)


# %%
def features(clips: Sequence[Utterance]) -> list[torch.Tensor]:
    """Return the log-mel features of each clip."""
    sounds = [audio.load(clip.audio) for clip in clips]
    return [PROCESSOR(sound, sampling_rate=16000, return_tensors="pt").input_features for sound in sounds]


def quantized(encoder: openvino.Model, alpha: float) -> openvino.Model:
    """Return the encoder in int8, activations too; ``alpha`` is SmoothQuant's strength."""
    seen = nncf.Dataset([{"input_features": one.numpy()} for one in features(OTHERS)])
    strength = nncf.AdvancedSmoothQuantParameters(matmul=alpha)
    advanced = nncf.AdvancedQuantizationParameters(smooth_quant_alphas=strength)
    kind = nncf.ModelType.TRANSFORMER
    return nncf.quantize(encoder, seen, model_type=kind, subset_size=len(OTHERS), advanced_parameters=advanced)


def bare(model: OVModelForSpeechSeq2Seq) -> tuple[float, float]:
    """Return the word error rate in per cent and the seconds."""
    model.compile()
    begun = time.perf_counter()
    tokens = [model.generate(one)[0].tolist() for one in features(TEN)]
    seconds = time.perf_counter() - begun
    texts = [text.strip() or "-" for text in PROCESSOR.batch_decode(tokens, skip_special_tokens=True)]
    return 100 * jiwer.wer([clip.reference for clip in TEN], texts), seconds


def test_ten_clips_give_original_and_quantized_a_number() -> None:
    model = OVModelForSpeechSeq2Seq.from_pretrained(CHECKPOINT, export=True, compile=False, load_in_8bit=False)
    for name in ("original", "int8 encoder"):
        if name != "original":
            model.clear_requests()
            model.encoder.model = quantized(model.encoder.model, alpha=0.5)
        error, seconds = bare(model)
        print(f"{name:12} WER {error:5.1f} %  {seconds:4.1f} s")
        assert error < 100


# %% [markdown]
# ## With pytest-whisperq
#
# `openvino:int8-ptq` quantizes weights and activations of encoder and decoder, each with a SmoothQuant strength of its
# own, on recordings that are never evaluated on. `openvino:int4-sym` shortens the weights alone. Both are judged beside
# each other, against the export in float32.

# %%
GATES = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=6)
@pytest.mark.whisperq_size(max_ratio=0.5)
def test_release(): ...
"""
SPEED = """
import pytest

@pytest.mark.whisperq_speedup(stage="encoder", min_ratio=1.0)
def test_encodes_faster(): ...
"""


def gate(test: str, *options: str) -> str:
    """Run pytest on a test as a shell would, and return what it prints from the table of gates on."""
    (FOLDER / "test_gates.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "test_gates.py", "--tb=no", "--color=no", *options]
    command += ["--whisperq-threads=1", f"--whisperq-cache-dir={FOLDER / 'cache'}"]
    done = subprocess.run(command, cwd=FOLDER, env={**os.environ, "COLUMNS": "160"}, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a gate has not passed
    return done.stdout.partition("= whisperq gates =")[2].lstrip("=\n").replace(str(FOLDER), "")


MODELS = (f"--whisperq-model={MODEL}", "--whisperq-baseline=openvino:float32")
MODELS += ("--whisperq-smooth-quant=0.5,0.95", "--whisperq-calibration-samples=12")


def test_both_precisions_have_a_bound_and_a_verdict() -> None:
    candidates = "--whisperq-candidate=openvino:int8-ptq,openvino:int4-sym"
    shown = gate(GATES, *MODELS, candidates, "--whisperq-max-utterances=48")
    print(shown)
    for precision in ("int8-ptq", "int4-sym"):
        assert f"openvino:{precision}, runs" in shown


# %% [markdown]
# Each stage is timed apart, with rounds in which both models do the same work in turns, and bounds. Rounds in which
# other programs had the processor are discarded; where too few are left there is no verdict, and no figure.


# %%
def test_stages_are_timed_apart() -> None:
    shown = gate(SPEED, *MODELS, "--whisperq-candidate=openvino:int8-ptq", "--whisperq-timing-budget=2")
    print(shown)
    assert "encoder speedup" in shown


# %% [markdown]
# ## What the bare numbers hide
#
# - **The sign of a drop on ten clips is luck.** One word more or less among some fifty is two points. The gate's bounds
#   say how large the drop may be. Compare the two precisions: which of them may be shipped cannot be read off the first
#   table, and the second says so where it cannot tell either.
# - **Stages.** One time hides that a stage became slower: the gain of an encoder pays for what a decoder loses. The
#   table has a ratio for each, and the milliseconds behind it.
# - **What quantization did.** The build says which layers it left in float32, because their noise was too large.
