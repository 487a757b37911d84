"""What two workers gain over one process: ``python tests/benchmarks/two_workers.py [--clips N] [--rounds N]``.

The quality gates of the packaged suites, on two candidates of the embedded model, with models that are built and
nothing that is transcribed: in one process with each number of threads that the processor has room for, and in two
xdist workers that share them. In turns, each in fresh processes. The ratio is that of the quickest single process to
two workers, by medians. Nothing else may compute beside it.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_whisperq.system.machine import cpu_quota

ROOT = Path(__file__).parents[2]
SUITES = ("test_accuracy", "test_parity", "test_catastrophe", "test_language")


def gate(cache: Path, clips: int, candidates: str, *arguments: str) -> float:
    """Return the seconds that a run takes which has to transcribe everything."""
    shutil.rmtree(cache / "transcripts", ignore_errors=True)
    named = [str(ROOT / "suites" / f"{name}.py") for name in SUITES]
    options = [f"--whisperq-candidate={candidates}", f"--whisperq-max-utterances={clips}"]
    options += [f"--whisperq-cache-dir={cache}", *arguments]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *named, *options]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cache)
    if done.returncode not in (0, 1):  # 1: a gate that cannot tell on so few clips has decoded as much
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print a line for each way to run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=300, help="utterances of the embedded corpus (300)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--candidates", default="ctranslate2:int8,openvino:int8", help="what is gated")
    options = parser.parse_args()
    ways = {f"one process, {count} threads": (f"--whisperq-threads={count}",) for count in range(1, cpu_quota() + 1)}
    ways["two workers"] = ("-n2",)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        gate(Path(folder), options.clips, options.candidates)  # which builds the models
        for _ in range(options.rounds):
            for way, arguments in ways.items():
                seconds[way].append(gate(Path(folder), options.clips, options.candidates, *arguments))
                print(f"{way}: {seconds[way][-1]:.1f} s", file=sys.stderr, flush=True)
    medians = {way: statistics.median(several) for way, several in seconds.items()}
    for way, median in medians.items():
        print(f"{way:24} {median:7.1f} s")
    best = min(median for way, median in medians.items() if way != "two workers")
    print(f"two workers are {best / medians['two workers']:.2f} times as fast as the quickest single process")


if __name__ == "__main__":
    main()
