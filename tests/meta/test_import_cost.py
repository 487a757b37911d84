"""The plugin is loaded by every pytest run on a machine that has it, so what it imports is a promise."""

import ast
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "ctranslate2 datasets faster_whisper jiwer nncf numpy openvino optimum pyarrow rich soundfile torch transformers"
)

PROBE = f"import sys; print([name for name in {HEAVY.split()!r} if name in sys.modules])"


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_importing_the_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    assert run("-c", f"import pytest_whisperq.plugin; {PROBE}", cwd=tmp_path).strip() == "[]"


def test_the_probe_sees_a_heavy_import(tmp_path: Path) -> None:
    assert run("-c", f"import numpy; {PROBE}", cwd=tmp_path).strip() == "['numpy']"


def test_a_run_without_gates_loads_only_the_hooks_and_their_tables(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        f"    heavy = [name for name in {HEAVY.split()!r} if name in sys.modules]\n"
        "    ours = sorted(name for name in sys.modules if name.startswith('pytest_whisperq.'))\n"
        "    print('LOADED', heavy, ours)\n"
    )
    # Other installed plugins may be heavy; only ours is asked.
    output = run("-m", "pytest", "-q", "-s", "-p", "no:hypothesispytest", "-p", "no:xdist", cwd=tmp_path)
    expected = ["config", "config.choices", "config.conditions", "config.limits", "config.options", "config.outputs"]
    expected += ["config.values"]
    expected += ["gates", "gates.keywords", "gates.registry"]
    expected += ["plugin", "plugin.errors", "plugin.fixtures", "plugin.hookspecs", "plugin.markers", "plugin.spelling"]
    expected += ["system", "system.devices", "system.errors", "system.extensions", "system.printing"]
    assert f"LOADED [] {[f'pytest_whisperq.{name}' for name in expected]}" in output


def test_listing_candidates_imports_no_runtime(tmp_path: Path) -> None:
    options = {"whisperq_backend": "all", "whisperq_precision": "int8,float32"}
    code = f"from pytest_whisperq import resolve; resolve({options}); {PROBE}"
    assert run("-c", code, cwd=tmp_path).strip() == "[]"


def test_asking_what_this_machine_executes_imports_runtimes_but_no_framework(tmp_path: Path) -> None:
    options = {"whisperq_backend": "all", "whisperq_precision": "all"}
    code = f"from pytest_whisperq import resolve; resolve({options}); {PROBE}"
    assert not {"torch", "transformers", "optimum", "nncf"} & set(ast.literal_eval(run("-c", code, cwd=tmp_path)))
