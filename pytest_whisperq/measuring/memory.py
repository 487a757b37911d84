"""Peak memory of a model: loaded and run in a process of its own, which is how it is deployed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import Clip, _whisper, devices, get_backend
from pytest_whisperq.backends.registry import in_file, source_of
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.system.errors import DecodeError, StoreError
from pytest_whisperq.system.machine import peak_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMeasurement:
    """What a model executed on which device, and the peak resident memory in bytes of each process that ran it."""

    compute_type: str
    device: str
    peaks: tuple[int, ...]


def measure_memory(artifact: Artifact, clips: Sequence[Clip], threads: int, repeats: int) -> MemoryMeasurement:
    """Return what executed, and the peak resident memory of fresh processes that load a model and decode one batch.

    Interpreter and libraries count: a smaller model behind a bigger runtime is no gain. Raises `DecodeError` when a
    process fails, or when the system does not tell its peak; `StoreError` when the clips cannot be handed to it.
    """
    backend = get_backend(artifact.spec.backend)
    with _written(clips) as path:
        request = {
            "backend": artifact.spec.backend,
            "source": str(source_of(backend)),
            "module": type(backend).__module__,
            "class": type(backend).__qualname__,
            "precision": artifact.spec.precision,
            "directory": str(artifact.directory),
            "threads": threads,
            "clips": str(path),
            "languages": [clip.language for clip in clips],
        }
        runs = [_in_fresh_process(artifact, request) for _ in range(repeats)]
    return MemoryMeasurement(compute_type=runs[0][0], device=runs[0][1], peaks=tuple(peak for _, _, peak in runs))


@contextmanager
def _written(clips: Sequence[Clip]) -> Iterator[Path]:
    """Give the file of the clips' samples; it is gone when the block ends."""
    import numpy as np

    with ExitStack() as stack:
        try:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))) / "clips.npz"
            np.savez(path, allow_pickle=False, **{f"clip{number}": clip.samples for number, clip in enumerate(clips)})
        except OSError as error:
            size = sum(clip.samples.nbytes for clip in clips) / 1e6
            raise StoreError(
                f"the recordings whose decoding is measured, {size:.1f} MB, cannot be written: "
                f"{error.strerror or error}",
                where="TMPDIR",
                remedy="let it name a folder with more room",
            ) from error
        yield path


def _in_fresh_process(artifact: Artifact, request: dict[str, Any]) -> tuple[str, str, int]:
    command = [sys.executable, "-m", "pytest_whisperq.measuring.memory"]
    # What a backend in somebody's conftest imports is found where this process found it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, input=json.dumps(request), capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        why = ", probably because memory ran out" if name == "SIGKILL" else ""
        raise DecodeError(
            f"the process whose memory was to be measured was ended by {name}{why}", where=str(artifact.spec)
        )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise DecodeError(
            f"failed in the process whose memory was to be measured: {reason[0]}", where=str(artifact.spec)
        )
    compute_type, device, peak = json.loads(done.stdout.splitlines()[-1])
    if peak is None:
        raise DecodeError(
            "memory cannot be gated here: this system does not tell a process's peak memory", remedy="gate it on Linux"
        )
    return str(compute_type), str(device), int(peak)


def _main() -> None:
    """Load and decode as told on standard input, and print the peak of this process."""
    import numpy as np

    request = json.load(sys.stdin)
    with np.load(request["clips"], allow_pickle=False) as arrays:
        samples = [arrays[f"clip{number}"] for number in range(len(request["languages"]))]
    clips = [Clip(samples=s, language=code) for s, code in zip(samples, request["languages"], strict=True)]
    backend = in_file(request["backend"], Path(request["source"]), request["module"], request["class"])
    with _whisper.quiet_libraries():
        transcriber = backend.load(request["precision"], Path(request["directory"]), request["threads"])
        transcriber.transcribe(clips)
    sys.stdout.write(f"{json.dumps([transcriber.compute_type, devices.where(transcriber), peak_memory()])}\n")


if __name__ == "__main__":
    _main()
