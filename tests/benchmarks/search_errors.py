"""How often ``whisperq search`` names a candidate that it should not: ``python tests/benchmarks/search_errors.py [N]``.

N searches (200), each through twelve candidates of a known drop, on corpora drawn from recorded transcripts
(planting.py). Each is judged at the confidence that `gates.search.shared` leaves it, and for comparison at that of a
single gate. Seeded: the figures repeat.
"""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import planting
from planting import Recorded
from scipy.special import betaincinv
from self_gate import CONFIDENCE, JUST_OVER, LIMIT

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.search import shared
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts

CANDIDATES = 12
Lose = Callable[[Recorded, PairedTexts, float, np.random.Generator], PairedTexts]


class Searches(NamedTuple):
    """Of so many searches, how many named a candidate."""

    total: int
    named: int

    @property
    def at_most(self) -> float:
        """Exact 95 % upper bound of how often a candidate is named (Clopper and Pearson, Biometrika 1934)."""
        return 1.0 if self.named == self.total else float(betaincinv(self.named + 1, self.total - self.named, 0.95))


def search_all(
    recorded: Recorded, drops: Sequence[float], lose: Lose, count: int, levels: Sequence[float], *, together: bool
) -> list[Searches]:
    """Search so often through candidates with these drops, in points, cheapest first; once for each confidence.

    ``together``: all hear one corpus, as they do; else each has its own, and no two err for the same reason.
    """
    named = dict.fromkeys(levels, 0)
    for seed in range(count):
        random = np.random.default_rng((seed, count, together))
        corpus = planting.no_drop(recorded, random)
        walking = list(levels)
        for points in drops:
            heard = corpus if together else planting.no_drop(recorded, random)
            texts = lose(recorded, heard, points, random)
            for level in [one for one in walking if passes(texts, one)]:
                named[level] += 1
                walking.remove(level)
            if not walking:
                break
    return [Searches(count, named[level]) for level in levels]


def passes(texts: PairedTexts, confidence: float) -> bool:
    """Whether the accuracy gate passes a candidate on the whole corpus; what it fails early passes nothing."""
    outcome = judge_accuracy(texts, max_drop=LIMIT.max_drop, confidence=confidence, seed=0)
    return outcome.judgement.verdict is Verdict.PASS


def main(count: int) -> None:
    """Measure and print."""
    recorded = planting.load()
    each = shared(CONFIDENCE, CANDIDATES)
    over = [LIMIT.max_drop + JUST_OVER] * CANDIDATES
    print(f"{count} searches through {CANDIDATES} candidates, limit {LIMIT.max_drop:g} point\n")
    print("| planted | each judged at | one is named (95 % bound) |\n|---|---|---|")
    for name, lose, together in (
        ("all just over the limit, single words", planting.lose_words, True),
        ("all just over the limit, a corpus each", planting.lose_words, False),
        ("all just over the limit, whole clips", planting.lose_clips, True),
    ):
        levels = (each, CONFIDENCE)
        for level, found in zip(
            levels, search_all(recorded, over, lose, count, levels, together=together), strict=True
        ):
            share, bound = 100 * found.named / count, 100 * found.at_most
            print(f"| {name} | {100 * level:.4g} % | {share:.1f} % (≤ {bound:.1f} %) |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
