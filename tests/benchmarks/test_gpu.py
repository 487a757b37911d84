"""The script for a machine with a GPU, on one without: it ends at once, and says which library finds none."""

import os
import subprocess
from pathlib import Path


def test_without_a_gpu_the_script_ends_with_the_reason(tmp_path: Path) -> None:
    script = Path(__file__).with_name("gpu.sh")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OUT": str(tmp_path / "out")}
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["transformers", "ctranslate2", "faster-whisper"]
    assert "ctranslate2 finds no GPU for cuda" in lines[1]
    assert not list((tmp_path / "out").iterdir())
