"""Do speedups repeat? ``python tests/benchmarks/speed_ratios.py``: int8 over float32, at true sizes.

Three processes time every stage in turns, one round each in an order that is drawn afresh: what changes about the
machine meanwhile meets all three, and what differs is theirs. Each has random weights and clips of its own. Of a
checkpoint (``--sizes tiny base my-checkpoint/``, with ``--corpus`` what it hears) they time the same model on the same
clips, as the runs of one test do; ``--seeds`` has each calibrate on other clips and hear others. Adds to a file of
results, one line a process and stage; killed, it goes on with the stage that it was at.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.stopwatch import STAGES, Stage, Stopwatch
from pytest_whisperq.measuring.timing import Round, Spent, measure, settle
from pytest_whisperq.models.source import ModelSpec

PAIRS = ("ctranslate2:int8", "openvino:int8-ptq")
SIZES = ("tiny", "base")
RESTARTS = 3
CONFIDENCE = 0.95


class Watch(Stopwatch):
    """A stopwatch that somebody else stops."""

    def begin(self, baseline: ModelSpec, candidate: ModelSpec, stage: Stage) -> Iterator[Round]:
        """Warm both models up and return their rounds, one after the other."""
        return self._start(baseline, candidate, stage)


def serve(args: argparse.Namespace) -> None:
    """In a process of its own: begin the stage that a line names, or run one round for an empty line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    is_checkpoint = os.sep in args.sizes[0]
    typed = {
        "model": args.sizes[0] if is_checkpoint else f"random:whisper-{args.sizes[0]}",
        "candidate": args.pairs[0],
        "threads": args.threads,
        "seed": "0" if is_checkpoint and not args.seeds else str(args.restart),
        "calibration_samples": "8",
        "cache_dir": args.cache,
    }
    if args.corpus:
        typed["corpus"] = args.corpus
    run = GateRunner(resolve({f"whisperq_{name}": value for name, value in typed.items()}))
    candidate = run.session.spec(run.config.candidates[0])
    watch = Watch(run.session.decoder, run.session.corpus, run.config)
    done: Iterator[Round] = iter(())
    for line in sys.stdin:
        stage: Any = line.strip()
        if stage:
            done = watch.begin(replace(candidate, precision="float32"), candidate, stage)
        told = {} if stage else asdict(next(done))
        settle()  # threads that spin for a while would disturb the process whose turn it is
        answers.write(json.dumps(told) + "\n")
        answers.flush()


class Restart:
    """One of the processes."""

    def __init__(self, size: str, pair: str, number: int) -> None:
        options = ["--sizes", size, "--pairs", pair, "--restart", str(number)]
        command = [sys.executable, __file__, *sys.argv[1:], *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout

    def ask(self, line: str) -> Any:
        """Say a line and return the answer."""
        self._in.write(f"{line}\n")
        self._in.flush()
        return json.loads(self._out.readline())

    def end(self) -> None:
        """Let it end."""
        self._in.close()
        self._process.wait()


def in_turns(restarts: list[Restart], stage: Stage, seconds: float) -> list[list[Round]]:
    """Return the rounds of every process in ``seconds``."""
    for one in restarts:
        one.ask(stage)
    rounds: list[list[Round]] = [[] for _ in restarts]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in random.sample(range(len(restarts)), len(restarts)):
            rounds[number].append(_round(restarts[number].ask("")))
    return rounds


def _round(told: dict[str, Any]) -> Round:
    """Return a round that a process has written down."""
    spent = {name: Spent(*told[name]) for name in ("seconds", "cpu")}
    return Round(clip=told["clip"], **spent, disturbed=told["disturbed"])


def time_pair(size: str, pair: str, args: argparse.Namespace) -> None:
    """Time every stage that is not in the file yet."""
    stages = [stage for stage in args.stages if not _found(args.results, size, pair, stage)]
    restarts = [Restart(size, pair, number) for number in range(RESTARTS) if stages]
    for stage in stages:
        timed = in_turns(restarts, stage, RESTARTS * args.budget)
        lines = []
        for number, rounds in enumerate(timed):
            found = measure(rounds, confidence=CONFIDENCE)
            record = {
                "size": size,
                "pair": pair,
                "stage": stage,
                "restart": number,
                "ratio": [found.speedup.lower, found.speedup.value, found.speedup.upper],
                "rounds": len(found.rounds),
                "discarded": dict(found.discarded),
                "timed": [asdict(one) for one in rounds],
            }
            lines.append(json.dumps(record) + "\n")
        with args.results.open("a", encoding="utf-8") as out:
            out.writelines(lines)
    for one in restarts:
        one.end()


def _found(file: Path, size: str, pair: str, stage: str) -> list[dict[str, Any]]:
    records = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.exists() else ()
    return [one for one in records if (one["size"], one["pair"], one["stage"]) == (size, pair, stage)]


def report(args: argparse.Namespace) -> None:
    """Print what the file says."""
    print("| model | candidate | stage | speedup over float32, each process | spread |\n|---|---|---|---|---|")
    for size, pair, stage in product(args.sizes, args.pairs, args.stages):
        found = _found(args.results, size, pair, stage)
        ratios = [one["ratio"] for one in found]
        bounds = [f" ({low:.2f} … {high:.2f})" if low and high else "" for low, _, high in ratios]
        told = ", ".join(f"{value:.2f}{own}" for (_, value, _), own in zip(ratios, bounds, strict=True) if value)
        values = [value for _, value, _ in ratios if value]
        print(f"| {size} | {pair} | {stage} | {told} | ±{50 * (max(values) / min(values) - 1):.1f} % |")


def main() -> None:
    """Time, then report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("speed_ratios.jsonl"))
    parser.add_argument("--cache", default=".tox/.whisperq-cache", help="where models are built")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="of random weights; or folders of checkpoints")
    parser.add_argument("--corpus", default="", help="what is heard (default: the embedded corpus)")
    parser.add_argument("--seeds", action="store_true", help="of a checkpoint: a seed of its own for each process")
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of each process for each stage")
    parser.add_argument("--threads", default="1", help="of each model")
    parser.add_argument("--restart", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.restart is not None:
        serve(args)
        return
    for size, pair in tqdm([*product(args.sizes, args.pairs)], unit="pair", disable=not sys.stderr.isatty()):
        time_pair(size, pair, args)
    report(args)


if __name__ == "__main__":
    main()
