"""Every backend and every gate on OpenAI's weights and real speech, as ``tox run -e real`` runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
from whisper_normalizer.english import EnglishTextNormalizer

from pytest_whisperq.backends import get_backend
from pytest_whisperq.gates.registry import all_gates
from pytest_whisperq.history.document import CANDIDATE, StoredRun, read
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
BACKENDS = (
    *("transformers", "ctranslate2", "faster-whisper", "openvino", "openvino-stateless"),
    *("whispercpp", "onnxruntime", "openvino-genai"),
)
BROKEN = "openvino:int2-sym"
CLIPS, FEW, LONG_SECONDS, PAUSE = 24, 9, 45, 0.4
"""Clips whose quality is judged; those that are heard often, or window after window."""
QUALITY = ("test_accuracy", "test_parity", "test_catastrophe", "test_language", "test_size")
COSTLY = ("determinism", "energy", "longform", "memory", "speed", "streaming", "timestamps")
MARKED = """
import pytest

@pytest.mark.whisperq_terms
@pytest.mark.whisperq_entities
@pytest.mark.whisperq_limit("drop<10")
def test_words():
    pass
"""
"""What no suite asks for, as people ask for it in tests of their own."""
TERMS = "mister\nlittle\nnothing\n"
BY_MARKERS = {"terms", "entities", "limit"}
UNTIMED = {"openvino-genai"}
"""Backends whose stages nobody can run apart."""
UNHEARD = {"language", "translation", "format"}
"""Gates that an English-only model has nothing to say to, and transcripts without case and punctuation."""


def gate(
    folder: Path, model: Path, speech: Path, suites: tuple[str, ...], *options: str, clips: int = CLIPS
) -> StoredRun:
    """Run suites as a user does; return the run."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(suite if os.sep in suite else f"suites/{suite}.py" for suite in suites),
            *(f"--whisperq-model={model}", f"--whisperq-corpus={speech}", f"--whisperq-max-utterances={clips}"),
            *(f"--whisperq-cache-dir={model.parent / 'cache'}", f"--whisperq-save={folder / 'run.json'}", *options),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr  # gates may fail; nothing else may
    return read(folder / "run.json", "run.json")


def recommended(backend: str) -> str:
    return f"{backend}:{get_backend(backend).recommended}"


def original(backend: str) -> str:
    return f"{backend}:{get_backend(backend).original}"


@pytest.fixture(scope="session")
def quality(tiny: Path, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """The original and the recommended precision of every backend, and one that breaks the model, on the same clips."""
    folder = tmp_path_factory.mktemp("quality")
    (folder / "terms.txt").write_text(TERMS, encoding="utf-8")
    (folder / "test_mine.py").write_text(MARKED, encoding="utf-8")
    pairs = [*map(original, BACKENDS[1:]), *map(recommended, BACKENDS), BROKEN]
    asked = f"--whisperq-terms={folder / 'terms.txt'}", "--whisperq-early-stop=false"
    options = f"--whisperq-candidate={','.join(pairs)}", *asked
    return gate(folder, tiny, speech, (*QUALITY, str(folder / "test_mine.py")), *options)


def check(run: StoredRun, gate: str, candidate: str, name: str) -> Any:
    (found,) = [one for one in run.judgements if (one.gate, one.candidate) == (gate, candidate)]
    return next(one for one in found.checks if one.name == name)


def test_error_rates_are_those_of_an_independent_count(quality: StoredRun) -> None:
    normalizer = EnglishTextNormalizer()
    rows = [row for row in quality.document["utterances"] if row["errors"] is not None]
    assert len(rows) >= CLIPS / 2  # the others are set aside for calibration
    for one in quality.judgements:
        if one.gate != "accuracy":
            continue
        for model, key in ((one.baseline, "baseline_wer"), (one.candidate, "candidate_wer")):
            references, texts = (
                [normalizer(text) for text in texts]
                for texts in zip(*((r["reference"], r["texts"][model]) for r in rows), strict=True)
            )
            assert one.detail(key) == pytest.approx(jiwer.wer(references, texts), abs=1e-9)


def test_the_baseline_transcribes(quality: StoredRun) -> None:
    rates = [one.detail("baseline_wer") for one in quality.judgements if one.gate == "accuracy"]
    assert all(rate is not None and 0.01 < rate < 0.25 for rate in rates)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_what_is_not_quantized_says_what_the_baseline_says(quality: StoredRun, backend: str) -> None:
    found = check(quality, "parity", original(backend), "divergence")
    # faster-whisper makes features of its own (docs/backends.md): it is held to the gate's limit.
    assert found.verdict.value != "FAIL" if backend == "faster-whisper" else found.value < 0.02


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_recommended_precision_does_not_fail(quality: StoredRun, backend: str) -> None:
    drop = check(quality, "accuracy", recommended(backend), "drop")
    assert drop.verdict.value != "FAIL", drop
    assert check(quality, "size", recommended(backend), "size").value < 0.9


def test_a_broken_model_fails(quality: StoredRun) -> None:
    assert check(quality, "accuracy", BROKEN, "drop").verdict.value == "FAIL"
    assert check(quality, "parity", BROKEN, "divergence").verdict.value == "FAIL"
    assert check(quality, "catastrophe", BROKEN, "new catastrophes").verdict.value == "FAIL"


def test_nothing_broke_off(quality: StoredRun) -> None:
    assert [one for one in quality.document["broken"] if one["outcome"] == "failed"] == []
    said = {one["message"] for one in quality.document["broken"]}
    assert all("an English-only model detects no language" in message for message in said)
    assert len(quality.named(CANDIDATE)) == 2 * len(BACKENDS)
    judged = {(one.gate, one.candidate) for one in quality.judgements}
    assert judged >= {(gate_name, name) for gate_name in BY_MARKERS for name in quality.named(CANDIDATE)}


@pytest.fixture(scope="session")
def long_speech(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of the corpus one after another, most of a minute, with the times at which each is said."""
    folder = tmp_path_factory.mktemp("long")
    pause, rows, parts, begun = np.zeros(round(PAUSE * audio.SAMPLE_RATE), np.float32), [], [], 0.0
    for item in load_corpus(speech).speech:
        samples = audio.load(item.audio)
        seconds = len(samples) / audio.SAMPLE_RATE
        row = {"audio": "long.wav", "text": item.reference, "language": item.language, "cluster": item.cluster}
        rows.append({**row, "offset": round(begun, 4), "duration": round(seconds, 4)})
        parts += [samples, pause]
        begun += seconds + PAUSE
        if begun > LONG_SECONDS:
            break
    soundfile.write(folder / "long.wav", np.concatenate(parts), audio.SAMPLE_RATE, "PCM_16")
    (folder / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / "long.jsonl"


def _is_honest(said: str) -> bool:
    """Whether a message says of what a backend cannot do what can."""
    return "gate another backend" in said or "cannot be timed apart" in said


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_other_gate_judges(backend: str, tiny: Path, speech: Path, long_speech: Path, tmp_path: Path) -> None:
    candidate = recommended(backend)
    options = (f"--whisperq-long-form={long_speech}", "--whisperq-timing-budget=6")
    run = gate(tmp_path / "run", tiny, speech, COSTLY, f"--whisperq-candidate={candidate}", *options, clips=FEW)
    judged = {one.gate for one in run.judgements}
    heard = {suite.removeprefix("test_") for suite in QUALITY} | BY_MARKERS
    wanted = {one.name for one in all_gates()} - UNHEARD - heard
    broken = {one["test"]: one["message"] for one in run.document["broken"]}
    for gate_name in wanted - judged:  # of what a backend cannot do, it is said what can
        assert any(gate_name in test and _is_honest(said) for test, said in broken.items()), broken
    assert all(map(_is_honest, broken.values())), broken
    assert {"memory", "determinism"} <= judged
    assert ("speedup" in judged) is (backend not in UNTIMED)
    for one in run.judgements:
        assert one.candidate == candidate
        assert one.checks
        assert all(found.reason for found in one.checks)
