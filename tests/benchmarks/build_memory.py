"""How much memory a build takes: ``python tests/benchmarks/build_memory.py [--precision BACKEND:PRECISION …]``.

Builds each precision of each checkpoint in a process of its own, whose base is built already. Prints by how much its
resident memory grew at most, beside the bytes of the checkpoint's weights in float32; then, of the two largest
checkpoints, how many bytes each further byte of weights takes (``factor``), and what is left for a model of none
(``fixed``: libraries, and calibration audio). These are `Backend.build_memory` and `models.room.LIBRARIES`.

Random weights talk up to the length limit: name trained checkpoints with ``--models`` for precisions that are
calibrated. Source: proc(5), ``VmRSS`` before and ``VmHWM`` after, which count mapped files too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from pytest_whisperq.backends import get_backend, names
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.models.room import weight_bytes
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import EMBEDDED

MODELS = ("whisperq-micro", "random:whisper-tiny", "random:whisper-base")


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def build(model: str, candidate: str, cache: str) -> None:
    """Build one model and print its weights in float32 and the growth of this process, in bytes."""
    options = {"model": model, "candidate": candidate, "calibration": EMBEDDED, "cache_dir": cache, "threads": "1"}
    session = Session(resolve({f"whisperq_{name}": value for name, value in options.items()}))
    spec = session.spec(session.config.candidates[0])
    if spec.precision in get_backend(spec.backend).calibrated:
        _ = session.recordings.calibration  # read before anything is built, as a run does
    before = resident()
    built = session.store.get(spec)
    growth = built.build_memory - before if built.build_memory else None
    print(json.dumps([weight_bytes(spec.source.directory), growth, built.build_seconds]))


def measure(model: str, candidate: str, cache: str) -> tuple[int, int] | None:
    """Build in a fresh process; return weights and growth in bytes, None (and print) where it fails."""
    command = [sys.executable, __file__, "--one", model, candidate, cache]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"{candidate:34} {model:20} {done.stderr.strip().splitlines()[-1]:.150}", flush=True)
        return None
    weights, growth, seconds = json.loads(done.stdout.splitlines()[-1])
    print(f"{candidate:34} {model:20} {weights / 1e6:7.1f} MB {growth / 1e6:8.1f} MB {seconds:6.1f} s", flush=True)
    return weights, growth


def lineage(candidate: str) -> list[str]:
    """Return a candidate after all that it is built from."""
    backend, _, precision = candidate.partition(":")
    base = get_backend(backend).base(precision)
    return [*(lineage(":".join(base)) if base else []), candidate]


def pairs() -> list[str]:
    """Return every precision of every built-in backend that is no script."""
    known = [get_backend(name) for name in names() if name != "scripted"]
    rest = [f"{one.name}:{precision}" for one in known for precision in one.precisions]
    return sorted(rest)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", nargs="*", metavar="BACKEND:PRECISION", help="these, and not all")
    parser.add_argument("--models", nargs="*", default=list(MODELS), help="from the smallest to the largest")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        build(*args.one)
        return
    found: dict[str, list[tuple[int, int]]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for candidate in args.precision or pairs():
            for one in lineage(candidate):
                if one not in found:
                    found[one] = [grown for model in args.models if (grown := measure(model, one, cache))]
    for candidate, measured in found.items():
        if len(measured) > 1:
            (few, less), (many, more) = measured[-2:]
            factor = (more - less) / (many - few)
            print(f"{candidate:34} factor {factor:5.2f}, fixed {(less - factor * few) / 1e6:7.1f} MB")


if __name__ == "__main__":
    main()
