"""How often speed gates err: ``python tests/benchmarks/speed_gates.py aa|slow``.

``aa``: 200 gates of a model against itself at a limit of 0.95. ``slow``: 100 gates of a model that takes 10 % longer at
a limit of 1.0. In both a second process keeps another core busy, gates of ``aa`` take about ten seconds, and a gate's
seed draws its orders and clips.

Each is spread over process restarts and adds to a file of results, one line a gate: killed, it goes on where it was.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scipy.special import betaincinv

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.speedup import speed_check
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.stopwatch import CLIPS, STAGES, ReplayClip, Stage, Stopwatch
from pytest_whisperq.measuring.timing import Timing, Work
from pytest_whisperq.models.source import ModelSpec

RESTARTS = 4
SLOWDOWN = 1.1
GATES = {"aa": (200, 0.95, 7.5), "slow": (100, 1.0, 20.0)}
"""How many gates, their limit, and seconds they may take: with its last round, one of ``aa`` takes about ten."""

LAST_ROUND = 1.0
"""Seconds by which the last round of a pipeline, begun within the budget, may be longer than that of an encoder."""

FEWER = 2
"""Clips that take turns in ``aa``: four need more rounds of a pipeline for any bound than ten seconds have."""


class Planted(Stopwatch):
    """Times a model against a second instance of itself, which is as slow as is planted."""

    def __init__(self, run: GateRunner, slowdown: float, clips: int) -> None:
        super().__init__(run.session.decoder, run.session.corpus, run.config)
        self._slowdown, self._most = slowdown, clips
        self._instances = 0

    def replay_clips(self, baseline: ModelSpec) -> tuple[ReplayClip, ...]:
        """Return the first of the clips."""
        return super().replay_clips(baseline)[: self._most]

    def work(self, spec: ModelSpec, clips: Sequence[ReplayClip], stage: Stage) -> Work:
        """Load anew for each contestant; the second is the candidate."""
        self._loaded.clear()
        self._instances += 1
        work = super().work(spec, clips, stage)
        return work if self._instances % 2 or self._slowdown == 1 else self._slow(work)

    def _slow(self, work: Work) -> Work:
        def run(number: int) -> None:
            start = time.perf_counter()
            work(number)
            end = start + self._slowdown * (time.perf_counter() - start)
            while time.perf_counter() < end:
                pass

        return run


def gate(mode: str, seed: int, cache: str) -> dict[str, Any]:
    """Judge one planted pair on the embedded model, with one thread; stages take turns."""
    _, limit, budget = GATES[mode]
    stage = STAGES[seed % len(STAGES)]
    budget -= LAST_ROUND if stage == "pipeline" else 0
    typed = {"cache_dir": cache, "candidate": "ctranslate2:float32", "threads": "1"}
    typed |= {"timing_budget": str(budget), "seed": str(seed)}
    run = GateRunner(resolve({f"whisperq_{name}": value for name, value in typed.items()}))
    spec = run.session.spec(run.config.candidates[0])
    watch = Planted(run, SLOWDOWN, CLIPS) if mode == "slow" else Planted(run, 1.0, FEWER)

    def is_clear(timing: Timing) -> bool:
        return speed_check(stage, timing, limit, budget).verdict is not Verdict.INCONCLUSIVE

    watch.replay_clips(spec)  # loading is not timing
    start = time.perf_counter()
    timing = watch.time(spec, spec, stage, is_clear=is_clear)
    return {
        "mode": mode,
        "seed": seed,
        "stage": stage,
        "verdict": speed_check(stage, timing, limit, budget).verdict.value,
        "ratio": timing.speedup.value,
        "rounds": len(timing.rounds),
        "discarded": dict(timing.discarded),
        "control": [timing.control.lower, timing.control.upper],
        "seconds": time.perf_counter() - start,
    }


def _spin() -> None:
    while True:
        pass


def _beside_a_busy_core(work: Callable[[], None], *, spin: bool) -> None:
    if not spin:
        work()
        return
    busy = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    busy.start()
    try:
        work()
    finally:
        busy.kill()


def _known(file: Path, mode: str) -> list[dict[str, Any]]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [record for record in (json.loads(line) for line in lines if line.endswith("}")) if record["mode"] == mode]


def worker(args: argparse.Namespace) -> None:
    """Do the part of one restart that is not in the file yet."""
    known = _known(args.results, args.mode)

    def note(record: dict[str, Any]) -> None:
        with args.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps({**record, "restart": args.restart}) + "\n")

    done = {record["seed"] for record in known}
    todo = [seed for seed in range(args.restart, GATES[args.mode][0], RESTARTS) if seed not in done]

    def judge_all() -> None:
        for seed in todo:
            note(gate(args.mode, seed, args.cache))

    _beside_a_busy_core(judge_all, spin=not args.no_spin)


def report(file: Path, mode: str) -> None:
    """Print what the file says."""
    known = _known(file, mode)
    verdicts = Counter(record["verdict"] for record in known)
    size, failed = len(known), verdicts["FAIL"]
    bound = 1.0 if failed == size else float(betaincinv(failed + 1, size - failed, 0.95))
    seconds = sorted(record["seconds"] for record in known)
    lost = sum(sum(record["discarded"].values()) for record in known)
    print(
        f"{mode}: {dict(verdicts)} of {size} in {len({r['restart'] for r in known})} restarts; FAIL at most "
        f"{100 * bound:.1f} % (95 % bound); median {seconds[size // 2]:.1f} s, longest {seconds[-1]:.1f} s; "
        f"{sum(r['rounds'] for r in known)} rounds, {lost} discarded"
    )


def main() -> None:
    """Start the restarts one after the other, then report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=list(GATES))
    parser.add_argument("--results", type=Path, default=Path("speed_gates.jsonl"))
    parser.add_argument("--cache", default=".tox/.whisperq-cache", help="where models are built")
    parser.add_argument("--no-spin", action="store_true", help="another core is busy already")
    parser.add_argument("--restart", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.restart is not None:
        worker(args)
        return
    for restart in range(RESTARTS):
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--restart", str(restart)], check=True)
    report(args.results, args.mode)


if __name__ == "__main__":
    main()
