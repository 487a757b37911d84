"""What a push costs, and whether it depends on the length of the stream: ``python tests/benchmarks/merge_cost.py``.

Windows of 75 words (25 s at three words a second) every second. Medians of three passes each; the ratio of ten hours to
ten minutes is the promise, microseconds are this machine's.
"""

import argparse
import random
import statistics
import time
from collections.abc import Iterator

from pytest_whisperq.streaming import Chunk, LocalAgreement, Merger, StreamProfile, TimeAnchoredMerge, Word

RATE, WINDOW, HOP = 3, 25_000, 1000
PROFILE = StreamProfile(window=WINDOW, hop=HOP)


def chunks(seconds: int, seed: int) -> Iterator[Chunk]:
    """Windows of a stream: every word 250 ms of each 333, times off by up to 40 ms, some words near ends lost."""
    rng = random.Random(seed)
    words = [f"w{rng.randrange(500)}" for _ in range(seconds * RATE)]
    for seq, end in enumerate(range(HOP, seconds * 1000 + 1, HOP)):
        first = max(0, end - WINDOW)
        heard = []
        for index in range(first * RATE // 1000, end * RATE // 1000):
            start = index * 1000 // RATE + rng.randint(-40, 40)
            near = start < first + 250 or start + 250 > end - 250
            if not (near and rng.random() < 0.5):
                heard.append(Word(words[index], max(first, start), min(end, start + 250)))
        yield Chunk(seq, first, end, tuple(heard))


def micros(merge: Merger, seconds: int, seed: int) -> float:
    """Return the mean cost of a push, in microseconds."""
    spent, count = 0, 0
    for chunk in chunks(seconds, seed):
        begun = time.perf_counter_ns()
        merge.push(chunk)
        spent += time.perf_counter_ns() - begun
        count += 1
    return spent / count / 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10)
    hours = parser.parse_args().hours
    print(f"| merge | 10 minutes, µs a push | {hours:g} hours | ratio | state after |\n|---|---|---|---|---|")
    for make in (TimeAnchoredMerge, LocalAgreement):
        short, long = [], []
        for seed in range(3):
            short.append(statistics.median(micros(make(PROFILE), 600, seed) for _ in range(5)))
            merge = make(PROFILE)
            long.append(micros(merge, int(hours * 3600), seed))
        ratio = statistics.median(b / a for a, b in zip(short, long, strict=True))
        print(
            f"| {make.__name__} | {statistics.median(short):.0f} | {statistics.median(long):.0f} | {ratio:.2f} "
            f"| {merge.state_size} |"
        )


if __name__ == "__main__":
    main()
