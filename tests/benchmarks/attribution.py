"""How often a change is put down to what caused it: ``python tests/benchmarks/attribution.py [POINTS …]``.

A hundred changes are planted in what the embedded model really said: the base model got worse, quantization did, both,
or neither, twenty-five of each. In all of them 8 % of the texts differ from run to run by chance. Seeded: the figures
repeat.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
import planting
from planting import CHANGED, WRONG, Recorded

from pytest_whisperq.measuring.change import measure_change, moved
from pytest_whisperq.measuring.scores import count_errors

EACH = 25
POINTS = 3.0
Cell = tuple[bool, bool]
"""Whether the base model got worse, and whether quantization did."""

CELLS: tuple[Cell, ...] = tuple(product((False, True), (False, True)))


def spoil(text: str, chance: float, seed: int) -> str:
    """Mishear single words; the same ones of the same text for the same ``seed``."""
    random = np.random.default_rng(seed)
    return " ".join(WRONG if random.random() < chance else word for word in text.split())


def attributed(recorded: Recorded, cell: Cell, points: float, seed: int) -> Cell:
    """Plant a change in a corpus drawn from the recorded one, and return what it is put down to."""
    random = np.random.default_rng(seed)
    groups = list(recorded.clusters.values())
    pool = sum(map(bool, recorded.changed))
    differs = CHANGED * len(recorded.changed) / pool / 2  # two texts differ if one of them does
    chance = points / 100
    old, new, lengths, clusters = [], [], [], []
    for draw, number in enumerate(random.integers(len(groups), size=len(groups))):
        for clip in groups[number]:
            pair, others = recorded.texts.pairs[clip], recorded.changed[clip]
            said = [
                others[random.integers(len(others))] if others and random.random() < differs else pair.baseline
                for _ in range(4)
            ]
            if cell[0]:  # what the base model mishears, the candidate mishears too
                shared = int(random.integers(2**31))
                said[2], said[3] = (spoil(text, chance, shared) for text in said[2:])
            if cell[1]:
                said[3] = spoil(said[3], chance, int(random.integers(2**31)))
            errors = [count_errors(pair.reference, text).errors for text in said]
            old.append(errors[:2])
            new.append(errors[2:])
            lengths.append(count_errors(pair.reference, pair.reference).length)
            clusters.append(f"{pair.cluster}#{draw}")
    change = measure_change(np.array(old), np.array(new), lengths, clusters, confidence=0.95)
    return moved(change.base) > 0, moved(change.quantized) > 0


def attribute(recorded: Recorded, points: float) -> Iterator[tuple[Cell, Cell]]:
    """Yield what was planted and what it was put down to, `EACH` times for each cell."""
    for number, cell in enumerate(CELLS):
        for trial in range(EACH):
            yield cell, attributed(recorded, cell, points, 1000 * number + trial)


def named(cell: Cell) -> str:
    """Return what moved, in words."""
    return " and ".join(name for name, moves in zip(("base", "quantization"), cell, strict=True) if moves) or "neither"


def main() -> None:
    """Print a table for each size of effect."""
    recorded = planting.load()
    for points in map(float, sys.argv[1:] or (str(POINTS), "2", "1.5")):
        found = list(attribute(recorded, points))
        right = sum(planted == put for planted, put in found)
        print(f"{points:g} points lost where anything is: {right} of {len(found)} put down to what caused them")
        for (planted, put), count in sorted(Counter(found).items()):
            print(f"  planted {named(planted)}: put down to {named(put)}, {count}")


if __name__ == "__main__":
    main()
