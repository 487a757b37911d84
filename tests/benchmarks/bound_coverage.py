"""How often a bound holds what it promises: ``python tests/benchmarks/bound_coverage.py [TRIALS]``.

Corpora of n utterances (or clusters) with the lengths, clusters and disagreements of the recorded transcripts
(planting.py), and errors of a model whose true drop is known. For each method of drawing a 95 % bound: in how many
trials the upper bound is at least the true drop, and its mean distance from the value, in points. Upper bounds are what
a PASS rests on. Seeded: the figures repeat.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import planting
from scipy.special import stdtrit

from pytest_whisperq.measuring.intervals import Between, bound_ratio
from pytest_whisperq.measuring.sign_flip import flip_signs

CONFIDENCE = 0.95
SIZES = (50, 100)
DRAWS = 1_000  # of a bootstrap

Rows = np.ndarray
"""(errors gained, words) of each utterance or cluster, shape (n, 2)."""

Sample = Callable[[np.random.Generator, int], Rows]


def plain_t(groups: Rows, confidence: float) -> Between:
    """A t interval of the ratio (delta method) without the pseudo-clip, which comes last in ``groups``."""
    groups = groups[:-1]
    count, ratio = len(groups), groups[:, 0].sum() / groups[:, 1].sum()
    spread = np.sqrt(count / (count - 1) * ((groups[:, 0] - ratio * groups[:, 1]) ** 2).sum()) / groups[:, 1].sum()
    reach = stdtrit(count - 1, confidence) * spread
    return ratio - reach, ratio + reach


def bootstrap(groups: Rows, confidence: float) -> Between:
    """Bisani and Ney's percentile bootstrap (ICASSP 2004), without the pseudo-clip."""
    rows = groups[:-1]
    drawn = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=DRAWS) @ rows
    lower, upper = np.quantile(drawn[:, 0] / drawn[:, 1], (1 - confidence, confidence))
    return float(lower), float(upper)


METHODS = {
    "t (ours)": None,
    "sign-flip (ours)": partial(flip_signs, seed=0),
    "t, no pseudo-clip": plain_t,
    "bootstrap": bootstrap,
}


def models(recorded: planting.Recorded) -> dict[str, tuple[Sample, float, bool]]:
    """Name → how rows are drawn, the true drop as a fraction, and whether a row is a cluster."""
    pairs, clusters = recorded.texts.pairs, list(recorded.clusters.values())
    words = np.array([len(pair.reference.split()) for pair in pairs], float)
    gains = [
        [planting.gained_by(pair, text) for text in texts] for pair, texts in zip(pairs, recorded.changed, strict=True)
    ]
    changed = [number for number, own in enumerate(gains) if own]
    chance = planting.CHANGED * len(pairs) / len(changed)
    mean = words.mean()

    def disagreements(random: np.random.Generator, clips: np.ndarray) -> np.ndarray:
        """Recorded ones, on 8 % of the clips, with the sign of a coin."""
        gained = np.zeros(len(clips))
        for place, clip in enumerate(clips):
            if gains[clip] and random.random() < chance:
                gained[place] = gains[clip][random.integers(len(gains[clip]))] * random.choice((-1, 1))
        return gained

    def by_clip(more: Callable[[np.random.Generator, np.ndarray], np.ndarray]) -> Sample:
        def sample(random: np.random.Generator, count: int) -> Rows:
            clips = random.integers(len(pairs), size=count)
            return np.column_stack([disagreements(random, clips) + more(random, words[clips]), words[clips]])

        return sample

    def rarely(share: float, part: float) -> Sample:
        return by_clip(lambda random, said: (random.random(len(said)) < share) * np.round(part * said))

    def rounded(part: float) -> float:
        return float(np.round(part * words).mean() / mean)

    def by_cluster(random: np.random.Generator, count: int) -> Rows:
        """One cluster in twenty loses 40 % of its words, whichever clips it has."""
        rows = np.zeros((count, 2))
        for place, number in enumerate(random.integers(len(clusters), size=count)):
            clips = np.array(clusters[number])
            lost = np.round(0.4 * words[clips]) if random.random() < 0.05 else 0.0
            rows[place] = (disagreements(random, clips) + lost).sum(), words[clips].sum()
        return rows

    lost = sum(np.round(0.4 * words[clips]).sum() for clips in clusters) / sum(words[clips].sum() for clips in clusters)
    return {
        "symmetric: recorded disagreements": (by_clip(lambda random, said: np.zeros(len(said))), 0.0, False),
        "drift: 1 word in 100": (by_clip(lambda random, said: random.binomial(said.astype(int), 0.01)), 0.01, False),
        "half of 1 clip in 100": (rarely(0.01, 0.5), 0.01 * rounded(0.5), False),
        "doubled: 1 clip in 100": (rarely(0.01, 1.0), 0.01, False),
        "doubled: 1 clip in 20": (rarely(0.05, 1.0), 0.05, False),
        "loops of 20-80 words: 1 clip in 100": (
            by_clip(lambda random, said: (random.random(len(said)) < 0.01) * random.integers(20, 81, len(said))),
            0.01 * 50 / mean,
            False,
        ),
        "clusters: 1 in 20 loses 40 %": (by_cluster, 0.05 * float(lost), True),
    }


def covers(sample: Sample, true: float, size: int, trials: int) -> dict[str, tuple[float, float]]:
    """Per method: the share of trials whose upper bound is at or above ``true``, and its mean width in points."""
    held = dict.fromkeys(METHODS, 0)
    width = dict.fromkeys(METHODS, 0.0)
    for trial in range(trials):
        rows = sample(np.random.default_rng((trial, size)), size)
        length = rows[:, 1].mean()
        for name, test in METHODS.items():
            found = bound_ratio(
                rows,
                [""] * size,
                worse=(length / 2, length),
                better=(-length / 2, length),
                confidence=CONFIDENCE,
                test=test,
            )
            if found.upper is None or found.value is None:
                continue
            held[name] += found.upper >= true - 1e-12
            width[name] += 100 * (found.upper - found.value)
    return {name: (held[name] / trials, width[name] / trials) for name in METHODS}


def cells(job: tuple[str, int, int]) -> str:
    """One line of the table, computed in a process of its own: error model, size, trials."""
    name, size, trials = job
    sample, true, is_clustered = models(planting.load())[name]
    found = covers(sample, true, size, trials)
    shares = " | ".join(f"{100 * share:.1f} % ({width:.2f})" for share, width in found.values())
    return f"| {name} | {100 * true:+.2f} | {size}{' clusters' if is_clustered else ''} | {shares} |"


def main(trials: int) -> None:
    """Measure and print."""
    print(f"95 % upper bounds, {trials} trials a cell: share that held (mean width in points)\n")
    print(f"| error model | true drop | n | {' | '.join(METHODS)} |")
    print(f"|---|---|---|{'---|' * len(METHODS)}")
    jobs = [(name, size, trials) for name in models(planting.load()) for size in SIZES]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for line in pool.map(cells, jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
