"""Share a corpus out among the shards of one run: each utterance in one of them, and what belongs together together.

What belongs together are utterances of one cluster, and those with the very same sound: a model hears a sound once.
Groups are dealt out by what they last, the longest first, each to the shard that has least (Graham, SIAM J. Appl. Math.
1969). No shard then lasts longer than an even share and one group more.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from heapq import heapify, heapreplace


def deal_out(
    clusters: Sequence[str], sounds: Sequence[str], seconds: Sequence[float], shards: int, seed: int
) -> tuple[int, ...]:
    """Return the shard of each utterance, from 1 on, by its cluster, the digest of its sound and its length.

    A function of the seed and of what is shared out: neither the manifest's order nor the platform matters. Where there
    are fewer groups than shards, some shards have none.

    >>> deal_out(["anna", "anna", "ben", "cleo"], ["a", "b", "c", "d"], [2.0, 2.0, 3.0, 1.0], shards=2, seed=0)
    (2, 2, 1, 1)
    """
    groups = _joined(clusters, sounds)
    names = [min(sounds[index] for index in members) for members in groups]
    # In whole milliseconds, whose sum is the same in any order; a clip of none counts, too.
    lengths = [sum(round(1000 * seconds[index]) + 1 for index in members) for members in groups]
    order = sorted(range(len(groups)), key=lambda number: (-lengths[number], _place(seed, names[number])))
    heap = [(0, _place(seed, f"shard {shard}"), shard) for shard in range(1, shards + 1)]
    heapify(heap)
    dealt = [0] * len(clusters)
    for number in order:
        load, tie, shard = heap[0]
        for index in groups[number]:
            dealt[index] = shard
        heapreplace(heap, (load + lengths[number], tie, shard))
    return tuple(dealt)


def _joined(clusters: Sequence[str], sounds: Sequence[str]) -> list[list[int]]:
    """Return the indices of utterances by group: two are in one where a chain of clusters and sounds leads to both."""
    above: dict[tuple[str, str], tuple[str, str]] = {}

    def top(node: tuple[str, str]) -> tuple[str, str]:
        while (up := above.setdefault(node, node)) != node:
            above[node] = above[up]
            node = up
        return node

    for cluster, sound in zip(clusters, sounds, strict=True):
        above[top(("cluster", cluster))] = top(("sound", sound))
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, sound in enumerate(sounds):
        groups[top(("sound", sound))].append(index)
    return list(groups.values())


def _place(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:shard:{name}".encode("utf-8", "surrogateescape")).hexdigest()
