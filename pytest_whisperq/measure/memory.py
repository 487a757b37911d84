"""Peak memory of a model: loaded and run in a process of its own, which is how it is deployed."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_whisperq.artifacts import Artifact
from pytest_whisperq.backends import Clip, get_backend
from pytest_whisperq.backends.registry import located, location_of
from pytest_whisperq.environment import peak_memory
from pytest_whisperq.errors import DecodeError


def measure_memory(artifact: Artifact, clips: Sequence[Clip], threads: int, repeats: int) -> list[int]:
    """Return the peak resident memory in bytes of ``repeats`` fresh processes that load a model and decode one batch.

    Interpreter and libraries count: a smaller model behind a bigger runtime is no gain. Raises `DecodeError` when a
    process fails, or when the system does not tell its peak.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        arrays = {f"clip{number}": clip.samples for number, clip in enumerate(clips)}
        np.savez(Path(folder) / "clips.npz", allow_pickle=False, **arrays)
        request = {
            "backend": artifact.spec.backend,
            "location": location_of(get_backend(artifact.spec.backend)),
            "precision": artifact.spec.precision,
            "directory": str(artifact.directory),
            "threads": threads,
            "clips": str(Path(folder) / "clips.npz"),
            "languages": [clip.language for clip in clips],
        }
        return [_in_fresh_process(artifact, request) for _ in range(repeats)]


def _in_fresh_process(artifact: Artifact, request: dict[str, Any]) -> int:
    command = [sys.executable, "-m", "pytest_whisperq.measure.memory"]
    # A backend from somebody's conftest is found where this process found it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, input=json.dumps(request), capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise DecodeError(f"{artifact.spec} failed in the process whose memory was to be measured: {reason[0]}")
    peak = json.loads(done.stdout.splitlines()[-1])
    if peak is None:
        raise DecodeError("memory cannot be gated here: this system does not tell a process's peak memory (Linux does)")
    return int(peak)


def _main() -> None:
    """Load and decode as told on standard input, and print the peak of this process."""
    import numpy as np

    request = json.load(sys.stdin)
    with np.load(request["clips"], allow_pickle=False) as arrays:
        samples = [arrays[f"clip{number}"] for number in range(len(request["languages"]))]
    clips = [Clip(samples=s, language=code) for s, code in zip(samples, request["languages"], strict=True)]
    backend = located(request["backend"], request["location"])
    transcriber = backend.load(request["precision"], Path(request["directory"]), request["threads"])
    transcriber.transcribe(clips)
    sys.stdout.write(f"{json.dumps(peak_memory())}\n")


if __name__ == "__main__":
    _main()
