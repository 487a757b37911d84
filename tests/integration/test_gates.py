"""The main job on real models, as users run it."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pytest_whisperq import load_corpus, run_gates
from pytest_whisperq.commands.corpus_init import start
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.history.document import CANDIDATE, read
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.speech.corpus import subset
from pytest_whisperq.system import package_data

ROOT = Path(__file__).parents[2]
HEAVY = "torch transformers openvino ctranslate2 nncf optimum datasets"
WATCH = f"""
import sys

def pytest_sessionfinish():
    print("IMPORTED", [name for name in {HEAVY.split()!r} if name in sys.modules])
"""


def run_pytest(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-o", "whisperq_threads=1", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})


def test_the_original_against_itself_passes_both_gates(gate_run: Callable[..., GateRunner]) -> None:
    pair = "ctranslate2:float32"
    few_clips = {"max_drop": "5", "min_exact_match": "0.9", "max_divergence": "0.1"}
    report = run_gates(gate_run(candidate=pair, baseline=pair, **few_clips).config)
    assert [judgement.verdict for judgement in report.judgements] == [Verdict.PASS, Verdict.PASS]


def test_a_candidate_with_noise_in_its_weights_fails_both_gates(
    gate_run: Callable[..., GateRunner], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    catastrophic = tmp_path / "catastrophic"
    shutil.copytree(package_data.model_directory(), catastrophic)
    weights = load_file(catastrophic / "model.safetensors")
    random = np.random.default_rng(0)
    for name, value in weights.items():
        if value.ndim == 2 and "embed_positions" not in name:
            noise = random.normal(0.0, 0.5 * value.astype(np.float32).std(), value.shape)
            weights[name] = (value + noise).astype(value.dtype)
    save_file(weights, catastrophic / "model.safetensors", {"format": "pt"})
    baseline = f"transformers:float32@{package_data.MODEL}"
    # Heard to the end: parity has no verdict of a candidate that is stopped for its errors.
    run = gate_run(
        candidate="ctranslate2:int8",
        model=str(catastrophic),
        baseline=baseline,
        early_stop="false",
        max_utterances="30",
    )
    report = run_gates(run.config)
    assert [judgement.verdict for judgement in report.judgements] == [Verdict.FAIL, Verdict.FAIL]
    assert report.judgements[0].baseline.endswith("@whisperq-micro")


def test_the_suites_gate_both_backends_and_a_warm_run_imports_no_runtime(cache_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "watch.py").write_text(WATCH)
    lenient = (
        *("--whisperq-max-drop=20", "--whisperq-min-exact-match=0.5", "--whisperq-max-divergence=0.3"),
        "--whisperq-min-language-agreement=0.8",
        "--whisperq-max-catastrophes=0.2",
    )
    options = [
        *("-s", "-p", "watch", "-p", "no:hypothesispytest", "--whisperq-max-utterances=36", *lenient),
        *("--whisperq-backend=openvino,ctranslate2", "--whisperq-precision=int8", f"--whisperq-cache-dir={cache_dir}"),
    ]
    first = run_pytest(str(ROOT / "suites"), *options, cwd=tmp_path)
    assert first.returncode == 0, first.stdout
    second = run_pytest(str(ROOT / "suites"), *options, cwd=tmp_path)
    assert "10 passed" in second.stdout
    assert "IMPORTED []" in second.stdout
    table = re.compile(r"openvino:int8, runs float32 on int8 weights.*ctranslate2:int8, runs int8_float32", re.DOTALL)
    assert table.search(second.stdout)


@pytest.mark.matrix
def test_a_users_repository_is_gated_as_the_readme_says(cache_dir: Path, tmp_path: Path) -> None:
    """The README's second section, with the embedded model and recordings in place of the user's."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"in `test_model.py`:\n\n```python\n(.*?)```", readme, re.DOTALL)
    command = re.search(r"```\npytest (--whisperq-backend openvino .*)\n```", readme)
    assert code
    assert command
    (tmp_path / "test_model.py").write_text(code[1])
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    rows = ["file_name,text,language"]
    # Many of them are among the clips that other tests have decoded.
    synthetic = [item for item in subset(load_corpus(), 110, seed=0).utterances if item.kind == "synthetic"]
    assert len(synthetic) >= 64
    for item in synthetic:
        assert item.audio.path
        shutil.copy(item.audio.path, recordings)
        rows.append(f'{item.audio.path.name},"{item.reference}",{item.language}')
    (recordings / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = command[1].replace("openai/whisper-small", package_data.MODEL).split()
    shared = (f"--whisperq-cache-dir={cache_dir}", "--whisperq-calibration-samples=4")
    done = run_pytest(*arguments, *shared, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "corpus recordings" in done.stdout


def test_two_real_backends_leave_four_sound_files_behind(cache_dir: Path, tmp_path: Path) -> None:
    options = [
        *("-p", "no:hypothesispytest", "-k", "accuracy", "--whisperq-max-utterances=36", "--whisperq-max-drop=20"),
        *("--whisperq-backend=openvino,ctranslate2", "--whisperq-precision=int8", f"--whisperq-cache-dir={cache_dir}"),
        *("--whisperq-report=out", "--junitxml=out/junit.xml"),
    ]
    done = run_pytest(str(ROOT / "suites"), *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    page, found, junit, text = (
        (tmp_path / "out" / name).read_text(encoding="utf-8")
        for name in ("report.html", "report.json", "junit.xml", "summary.md")
    )
    run = read(tmp_path / "out" / "report.json", "--whisperq-compare")
    schema = (resources.files("pytest_whisperq.history") / "schema.json").read_text(encoding="utf-8")
    jsonschema.validate(json.loads(found), json.loads(schema))
    candidates = ["openvino:int8", "ctranslate2:int8"]
    assert (run.models(CANDIDATE), run.document["verdict"]) == (candidates, "PASS")
    assert all(size > 0 for size in (model["size"] for model in run.document["models"].values()))
    judged = [json.loads(node.attrib["value"]) for node in ElementTree.fromstring(junit).iter("property")]
    assert [one["candidate"] for one in judged] == candidates
    for name in candidates:
        assert f"| {name} |" in text
        assert f"<td>{name}</td>" in page
    assert page.count("<tr data-candidate") == 2 * len(run.document["utterances"]) == 72
    assert page.count("</svg>") == 4  # slices of both, the drops of both on one axis, errors against size
    assert page.rstrip().endswith("</html>")
    for private in (str(tmp_path), str(cache_dir), str(ROOT)):
        assert private not in page + found + text + " ".join(json.dumps(one) for one in judged)


@pytest.mark.matrix
def test_recordings_of_ones_own_are_gated_as_the_starter_writes_it(cache_dir: Path, tmp_path: Path) -> None:
    """Not a word of ``pytest.ini`` is changed: the backend in it has to be one that is installed."""
    for item in load_corpus().utterances[:12]:
        assert item.audio.path
        shutil.copy(item.audio.path, tmp_path)
        (tmp_path / item.audio.path.name).with_suffix(".txt").write_text(item.reference or "…", encoding="utf-8")
    start(tmp_path)
    options = (f"--whisperq-cache-dir={cache_dir}", "--whisperq-calibration-samples=4")
    done = run_pytest(str(tmp_path), *options, cwd=tmp_path)
    # A dozen recordings certify nothing, and all three gates were there to say so.
    assert "INCONCLUSIVE" in done.stdout
    assert "12 utterances" in done.stdout
    assert "MissingDependency" not in done.stdout + done.stderr


@pytest.mark.matrix
def test_a_broken_torchvision_is_one_clear_error(tmp_path: Path) -> None:
    """As its CUDA wheel beside a CPU torch: transformers looks for it once Pillow is installed."""
    broken = tmp_path / "site" / "torchvision"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')
    options = ["--whisperq-candidate=ctranslate2:float32", "--whisperq-cache-dir=empty", "--whisperq-max-utterances=4"]
    path = {"PYTHONPATH": str(tmp_path / "site")}
    done = run_pytest(str(ROOT / "suites"), "-p", "no:hypothesispytest", *options, cwd=tmp_path, **path)
    assert done.returncode == 1, done.stdout
    # Not the lines of pytest's short summary, which repeats the message, and in full where CI is set.
    blamed = [line for line in done.stdout.splitlines() if line.startswith("whisperq: torchvision is installed but")]
    assert len(blamed) == 5  # one line for each of the five gates
    assert all(line.endswith("run: pip uninstall torchvision") for line in blamed)
    assert "nms" not in done.stdout
