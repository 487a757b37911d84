"""Tests on real weights run where they are meant to, and say why where they cannot."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def collect(*options: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHISPERQ_REAL")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", HERE / "test_gates.py", *options],
        cwd=HERE.parents[1],
        env={**kept, **environment, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    ).stdout


def test_they_are_no_part_of_a_plain_run() -> None:
    told = collect("--collect-only")
    assert "no tests collected (" in told
    assert " deselected)" in told


def test_they_are_collected_where_they_are_asked_for() -> None:
    assert "test_every_other_gate_judges[openvino-stateless]" in collect("--collect-only", "-m", "real")


def test_without_speech_they_are_skipped_with_the_reason() -> None:
    told = collect("-m", "real")
    assert "WHISPERQ_REAL_CORPUS names no recordings with transcripts" in told
    assert not re.search(r"\d (passed|failed)", told)
