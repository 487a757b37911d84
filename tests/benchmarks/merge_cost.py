"""What a push costs, and whether it depends on the length of the stream: ``python tests/benchmarks/merge_cost.py``.

Windows of 75 words (25 s at three words a second) every second. Medians of three streams; the ratio of ten hours to
ten minutes is the promise, microseconds are this machine's.
"""

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator

from pytest_whisperq.streaming import Chunk, LocalAgreement, Merger, StreamProfile, StreamWord, TimeAnchoredMerge

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
                heard.append(StreamWord(words[index], max(first, start), min(end, start + 250)))
        yield Chunk(seq, first, end, tuple(heard))


def micros(merge: Merger, stream: Iterable[Chunk]) -> float:
    """Return the mean cost of a push, in microseconds."""
    spent, count = 0, 0
    for chunk in stream:
        begun = time.perf_counter_ns()
        merge.push(chunk)
        spent += time.perf_counter_ns() - begun
        count += 1
    return spent / count / 1000


Merge = TimeAnchoredMerge | LocalAgreement


def compared(make: Callable[[StreamProfile], Merge], hours: float, seed: int) -> tuple[float, float, Merge]:
    """Return the mean cost of a push in streams of ten minutes, and in a long one, and the merge of the long one.

    An hour of the long one and a short one by turns, so that a machine that grows slower is so for both.
    """
    merge, long, short = make(PROFILE), [], []
    stream = chunks(int(hours * 3600), seed)
    for chunk in stream:
        long.append(micros(merge, itertools.chain([chunk], itertools.islice(stream, 3599))))
        short.append(micros(make(PROFILE), chunks(600, seed)))
    return statistics.fmean(short), statistics.fmean(long), merge


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10)
    hours = parser.parse_args().hours
    print(f"| merge | 10 minutes, µs a push | {hours:g} hours | ratio | state after |\n|---|---|---|---|---|")
    for make in (TimeAnchoredMerge, LocalAgreement):
        found = [compared(make, hours, seed) for seed in range(3)]
        short, long = (statistics.median(each) for each in zip(*((a, b) for a, b, _ in found), strict=True))
        ratio = statistics.median(long / short for short, long, _ in found)
        state = max(merge.state_size for *_, merge in found)
        print(f"| {make.__name__} | {short:.0f} | {long:.0f} | {ratio:.2f} | {state} |")


if __name__ == "__main__":
    main()
