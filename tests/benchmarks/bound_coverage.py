"""How often a bound holds what it promises: ``python tests/benchmarks/bound_coverage.py [TRIALS]``.

Corpora of n utterances (or clusters) with the lengths, clusters and disagreements of the recorded transcripts
(planting.py), and errors of a model whose true drop is known. For each method of drawing a 95 % bound: in how many
trials the upper bound is at least the true drop, and its mean distance from the value, in points. Upper bounds are what
a PASS rests on. Then the same for long recordings, and for rates of catastrophes in utterances that share clusters.
Seeded: the figures repeat.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import planting
from scipy.special import stdtrit

from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.catastrophe import binomial, clustered
from pytest_whisperq.measuring.intervals import Between, Interval, bound_ratio
from pytest_whisperq.measuring.sign_flip import flip_signs

CONFIDENCE = 0.95
SIZES = (50, 100, 260)
SMALL = 100
DRAWS = 1_000  # of a bootstrap

RATES = (0.005, 0.01, 0.02, 0.05, 0.1)
LAYOUTS = {
    "250 of 1, 10 of 10": [1] * 250 + [10] * 10,
    "120 of 1 to 7": [1, 1, 1, 2, 4, 7] * 20,
    "100 of 3": [3] * 100,
    "30 of 10": [10] * 30,
    "300 of 1, 2 of 60": [1] * 300 + [60] * 2,
}
ALIKE = {"each by itself": 0.0, "correlation 0.3": 0.3, "all of a cluster or none": 1.0}

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


Method = Callable[[Rows], Interval]


def ours(rows: Rows, test: Callable[[Rows, float], Between] | None = None) -> Interval:
    """The bounds of the gate."""
    counts = np.column_stack([np.zeros(len(rows)), rows])
    return bound_drop(counts, [""] * len(rows), confidence=CONFIDENCE, test=test)


def without_pseudo_clip(rows: Rows, test: Callable[[Rows, float], Between]) -> Interval:
    """The bounds of a test that leaves the pseudo-clip aside."""
    columns, pseudo = rows * (100, 1), (0.0, float(rows[:, 1].mean()))
    return bound_ratio(columns, [""] * len(rows), worse=pseudo, better=pseudo, confidence=CONFIDENCE, test=test)


SLOW = 5
"""Of the last two methods one trial in so many is drawn, and none beyond `SMALL`: they take forty times as long."""

METHODS: dict[str, Method] = {
    "t (ours)": ours,
    "t, no pseudo-clip": partial(without_pseudo_clip, test=plain_t),
    "sign-flip (ours)": partial(ours, test=partial(flip_signs, seed=0)),
    "bootstrap": partial(without_pseudo_clip, test=bootstrap),
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
    seen: dict[str, list[tuple[bool, float]]] = {name: [] for name in METHODS}
    for trial in range(trials):
        rows = sample(np.random.default_rng((trial, size)), size)
        for number, (name, method) in enumerate(METHODS.items()):
            if number > 1 and (size > SMALL or trial % SLOW):
                continue
            found = method(rows)
            if found.upper is not None and found.value is not None:
                seen[name].append((found.upper >= 100 * true - 1e-9, found.upper - found.value))
    means = {name: np.mean(rows, axis=0) for name, rows in seen.items() if rows}
    return {name: (float(mean[0]), float(mean[1])) for name, mean in means.items()}


def cells(job: tuple[str, int, int]) -> str:
    """One line of the table, computed in a process of its own: error model, size, trials."""
    name, size, trials = job
    sample, true, is_clustered = models(planting.load())[name]
    found = covers(sample, true, size, trials)
    each = (found.get(name) for name in METHODS)
    shares = " | ".join(f"{100 * one[0]:.1f} % ({one[1]:.2f})" if one else "–" for one in each)
    return f"| {name} | {100 * true:+.2f} | {size}{' clusters' if is_clustered else ''} | {shares} |"


def recordings(trials: int) -> None:
    """Print how often upper bounds of the drop hold on long recordings of made-up speech."""
    print(f"\n95 % upper bounds on long recordings, {trials} trials a cell: share that held (mean width in points)\n")
    methods = "an utterance imagined (ours) | a window imagined | t, no pseudo-clip"
    print(f"| error model | true drop | minutes | {methods} |\n|---|---|---|---|---|---|")
    for name, damage in DAMAGE.items():
        true = 100 * np.divide(*_windows(np.random.default_rng(0), 50_000, damage).reshape(-1, 2).sum(axis=0))
        for minutes in (10, 20):
            seen = [
                _long_bounds(_windows(np.random.default_rng((trial, minutes)), 2 * minutes, damage), true)
                for trial in range(trials)
            ]
            means = np.mean(seen, axis=0)
            shares = " | ".join(f"{100 * held:.1f} % ({width:.2f})" for held, width in means)
            print(f"| {name} | {true:+.2f} | {minutes} | {shares} |", flush=True)


Damage = Callable[[np.random.Generator, np.ndarray], np.ndarray]
DAMAGE: dict[str, Damage] = {
    "3 words in 100 change, half for the better": lambda random, words: np.zeros(words.shape),
    "as many again, mostly in a few windows": lambda random, words: _changes(
        random, words, random.gamma(0.5, 2, len(words))
    ),
    "1 word in 100 lost besides": lambda random, words: random.binomial(words, 0.01),
    "1 utterance in 50 loses half": lambda random, words: (random.random(words.shape) < 0.02) * np.round(words / 2),
    "1 utterance in 20 loses half": lambda random, words: (random.random(words.shape) < 0.05) * np.round(words / 2),
    "1 window in 20 loses 40 %": lambda random, words: (random.random((len(words), 1)) < 0.05) * np.round(0.4 * words),
}


def _changes(random: np.random.Generator, words: np.ndarray, often: np.ndarray) -> np.ndarray:
    expected = 0.015 * words * often[:, None]
    changes: np.ndarray = random.poisson(expected) - random.poisson(expected)
    return changes.astype(float)


def _windows(random: np.random.Generator, count: int, damage: Damage) -> np.ndarray:
    """Return (errors gained, words) of three utterances in each 30 s window, shape (windows, 3, 2)."""
    words = np.clip(np.round(random.lognormal(3.1, 0.4, (count, 3))), 3, 60).astype(int)
    gained = _changes(random, words, np.ones(count)) + damage(random, words)
    return np.stack([gained, words], axis=-1).astype(float)


def _long_bounds(windows: np.ndarray, true: float) -> list[tuple[bool, float]]:
    rows = windows.reshape(-1, 2)
    counts, names = np.column_stack([np.zeros(len(rows)), rows]), [str(number // 3) for number in range(len(rows))]
    found = [
        bound_drop(counts, names, confidence=CONFIDENCE, by_piece=True),
        bound_drop(counts, names, confidence=CONFIDENCE),
        without_pseudo_clip(windows.sum(axis=1), plain_t),
    ]
    return [((one.upper or 0.0) >= true - 1e-9, (one.upper or 0.0) - (one.value or 0.0)) for one in found]


def rates(trials: int) -> None:
    """Print how often the bounds of a rate of catastrophes hold, whose utterances share clusters."""
    print(f"\n95 % bounds of a rate, {trials} trials a cell: least share that held (mean width in points)\n")
    print("| utterances | clusters | hit | upper bound | if all of a cluster were alike | lower bound |")
    print("|---|---|---|---|---|---|")
    for layout, sizes in LAYOUTS.items():
        names = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
        for how, share_alike in ALIKE.items():
            found = np.array([_rate(names, sizes, share_alike, rate, trials) for rate in RATES])
            upper, lower = found[:, 0].min(), found[:, 3].min()
            wide, before = found[:, 1].mean(), found[:, 2].mean()
            figures = f"{100 * upper:.1f} % ({100 * wide:.2f}) | {100 * before:.2f} | {100 * lower:.1f} %"
            print(f"| {len(names)} | {layout} | {how} | {figures} |", flush=True)


def _rate(names: list[str], sizes: list[int], alike: float, rate: float, trials: int) -> tuple[float, ...]:
    """Return how often the upper bound holds, its mean width, that of Kish's design effect, and how often the lower."""
    random = np.random.default_rng((len(names), int(1_000 * rate), int(10 * alike)))
    worth = sum(sizes) ** 2 / sum(size**2 for size in sizes)  # Kish, Survey Sampling 1965, at a correlation of 1
    figures = np.zeros(4)
    for _ in range(trials):
        chance = np.full(len(sizes), rate)
        if alike == 1:
            chance = (random.random(len(sizes)) < rate).astype(float)
        elif alike:
            scale = (1 - alike) / alike
            chance = random.beta(rate * scale, (1 - rate) * scale, len(sizes))
        hit = random.random(len(names)) < np.repeat(chance, sizes)
        found = clustered(hit.tolist(), names, CONFIDENCE)
        share, lower, upper = found.value or 0.0, found.lower or 0.0, found.upper or 0.0
        before = binomial(worth * share, worth, CONFIDENCE).upper or 0.0
        figures += (upper >= rate - 1e-12, upper - share, before - share, lower <= rate + 1e-12)
    return tuple(figures / trials)


def main(trials: int) -> None:
    """Measure and print."""
    size = f"{trials} trials a cell, {trials // SLOW} of the last two methods"
    print(f"95 % upper bounds, {size}: share that held (mean width in points)\n")
    print(f"| error model | true drop | n | {' | '.join(METHODS)} |")
    print(f"|---|---|---|{'---|' * len(METHODS)}")
    jobs = [(name, size, trials) for name in models(planting.load()) for size in SIZES]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for line in pool.map(cells, jobs):
            print(line, flush=True)
    recordings(trials)
    rates(trials)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
