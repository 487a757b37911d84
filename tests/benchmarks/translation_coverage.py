"""How often bounds on a drop of chrF or BLEU hold: ``python tests/benchmarks/translation_coverage.py [TRIALS]``.

Made-up sentences of 4 to 20 words, in clusters of one or of five. The baseline has three words in ten wrong, in each
cluster about as many. Candidates change words by known rules. The truth is the drop on 1,000 clusters, from which
corpora are drawn. Seeded: the figures repeat.
"""

import sys
from collections.abc import Callable

import numpy as np

from pytest_whisperq.measuring import translation
from pytest_whisperq.measuring.translation import METRICS, NAMES, Scorer, bound_score_drop, scorer

CONFIDENCE = 0.95
POOL = 1000
CLUSTERS = (30, 100)
Rng = np.random.Generator

WORDS = [
    "".join(np.random.default_rng(number).choice(list("abcdefghiklmnoprstuvw"), 2 + number % 8))
    for number in range(2000)
]


def changed(words: list[str], right: list[str], better: float, worse: float, random: Rng) -> list[str]:
    """Return words of which a share of the wrong ones is put right, and of the right ones made wrong."""
    draws = random.random(len(words))
    return [
        (good if draw < better else word) if word != good else (WORDS[random.integers(2000)] if draw < worse else word)
        for word, good, draw in zip(words, right, draws, strict=True)
    ]


def even(words: list[str], right: list[str], _: bool, random: Rng) -> list[str]:
    """Four right words in a hundred are lost."""
    return changed(words, right, 0.0, 0.04, random)


def both_ways(words: list[str], right: list[str], _: bool, random: Rng) -> list[str]:
    """Words change for the better and for the worse."""
    return changed(words, right, 0.07, 0.03, random)


def by_cluster(words: list[str], right: list[str], is_hit: bool, random: Rng) -> list[str]:
    """One cluster in ten loses half of its words."""
    return changed(words, right, 0.0, 0.5, random) if is_hit else words


def silent(words: list[str], right: list[str], is_hit: bool, random: Rng) -> list[str]:
    """One cluster in ten is not translated at all."""
    return [] if is_hit else words


def nothing(words: list[str], right: list[str], is_hit: bool, random: Rng) -> list[str]:
    """Nothing changes."""
    return words


KINDS: tuple[tuple[Callable[[list[str], list[str], bool, Rng], list[str]], int], ...] = (
    (nothing, 1),
    (both_ways, 1),
    (even, 1),
    (even, 5),
    (by_cluster, 5),
    (silent, 1),
)


def pool(change: Callable[..., list[str]], size: int, by: Scorer) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts of baseline and candidate for each sentence of all clusters, cluster after cluster."""
    random = np.random.default_rng([2026, size, len(change.__name__)])
    references, before, after = [], [], []
    for _ in range(POOL):
        share, is_hit = random.beta(6, 14), bool(random.random() < 0.1)
        for _ in range(size):
            right = [WORDS[number] for number in random.integers(0, 2000, random.integers(4, 21))]
            said = changed(right, right, 0.0, share, random)
            references.append(" ".join(right))
            before.append(" ".join(said))
            after.append(" ".join(change(said, right, is_hit, random)))
    return by.counts(before, references), by.counts(after, references)


def cell(change: Callable[..., list[str]], size: int, clusters: int, by: Scorer, trials: int) -> list[float]:
    """Return the truth, how often our upper bound held, its width, that of the t bound alone, and our lower bound."""
    before, after = pool(change, size, by)
    truth = by.score(before.sum(axis=0)) - by.score(after.sum(axis=0))
    names = [str(place // size) for place in range(clusters * size)]
    held = np.zeros(5)
    for trial in range(trials):
        random = np.random.default_rng([2026, trial, clusters])
        chosen = (size * random.integers(0, POOL, clusters)[:, None] + np.arange(size)).ravel()
        drop = bound_score_drop(before[chosen], after[chosen], names, by, confidence=CONFIDENCE)
        sums = [one[chosen].reshape(clusters, size, -1).sum(axis=1) for one in (before, after)]
        _, plain = translation._jackknife(np.hstack(sums), by, CONFIDENCE)
        assert drop.upper is not None
        assert drop.lower is not None
        assert drop.value is not None
        held += [drop.upper >= truth, drop.upper - drop.value, plain >= truth, plain - drop.value, drop.lower <= truth]
    return [truth, *(held / trials)]


def main(trials: int) -> None:
    """Print the table."""
    print(
        "| metric | candidate | sentences in a cluster | true drop | clusters | upper bound | t alone | lower bound |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for metric in METRICS:
        by = scorer(metric)
        for change, size in KINDS:
            for clusters in CLUSTERS:
                truth, upper, width, t_upper, t_width, lower = cell(change, size, clusters, by, trials)
                name = (change.__doc__ or "").rstrip(".").lower()
                figures = f"{100 * upper:.1f} % ({width:.2f}) | {100 * t_upper:.1f} % ({t_width:.2f})"
                row = f"{NAMES[metric]} | {name} | {size} | {truth:+.2f} | {clusters} | {figures}"
                print(f"| {row} | {100 * lower:.1f} % |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
