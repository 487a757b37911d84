"""Many generated streams, every check on each: ``python tests/benchmarks/merge_soak.py --streams 100000``.

``--window 30000`` has windows of 30 s in all streams; without it each stream has a profile of its own.

Resumable: it notes each block of streams it has done in a file and goes on behind the last. A block has its own seed:
``--block N`` repeats one. The first counterexample is printed and ends it with 1.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import hypothesis
from tqdm import tqdm

from pytest_whisperq.contract.merge_kit import MERGE_CHECKS
from pytest_whisperq.contract.merge_subject import MergeSubject
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.streams import streams
from pytest_whisperq.streaming import Level, LocalAgreement, Merger, StreamProfile, TimeAnchoredMerge, english_tens

BLOCK = 1000


def anchored(profile: StreamProfile) -> TimeAnchoredMerge:
    """The merge of this package, with numbers."""
    return TimeAnchoredMerge(profile, numbers=english_tens)


MERGES: dict[str, tuple[Callable[[StreamProfile], Merger], Level]] = {
    "anchored": (anchored, TimeAnchoredMerge.level),
    "agreement": (LocalAgreement, LocalAgreement.level),
}


def block(subject: MergeSubject, number: int) -> int:
    """Run one block of streams, its level by turns; return how many checks were made."""
    level = Level(number % (subject.level + 1))
    if level != Level.SURFACE:
        return judge(subject, level, number, BLOCK, numbers=False)
    halves = (judge(subject, level, number, BLOCK // 2, numbers=numbers) for numbers in (False, True))
    return sum(halves)


def judge(subject: MergeSubject, level: Level, seed: int, count: int, *, numbers: bool) -> int:
    """Run every check of a level on each of so many streams."""
    checks = [check for check in MERGE_CHECKS if level in check.levels(subject.level) and check.numbers == numbers]
    made = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(streams(level, subject.profile, numbers=numbers))
    def each(stream: Stream) -> None:
        nonlocal made
        for check in checks:
            check.function(subject, stream)
            made += 1

    each()
    return made


def main() -> None:
    """Go on where the file of results ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--merge", choices=MERGES, default="anchored")
    parser.add_argument("--window", type=int, help="ms (default: drawn, with all else of the profile)")
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--results", type=Path, default=Path("merge_soak.txt"))
    parser.add_argument("--block", type=int, help="repeat this block alone")
    args = parser.parse_args()
    make, level = MERGES[args.merge]
    profile = StreamProfile(window=args.window) if args.window else None
    subject = MergeSubject(make, level=level, profile=profile)
    name = f"{args.merge} {args.window} ms" if args.window else args.merge
    if args.block is not None:
        print(block(subject, args.block), "checks")
        return
    done = args.results.read_text().splitlines() if args.results.exists() else []
    mine = [line for line in done if line.startswith(f"{name} block ")]
    start = time.perf_counter()
    for number in tqdm(range(len(mine), args.streams // BLOCK), unit="block", disable=not sys.stderr.isatty()):
        checks = block(subject, number)
        with args.results.open("a") as out:
            out.write(f"{name} block {number}: {BLOCK} streams, {checks} checks, none broken\n")
    took = time.perf_counter() - start
    print(f"{name}: {args.streams} streams, none broken; {took:.0f} s for those of this run")


if __name__ == "__main__":
    main()
