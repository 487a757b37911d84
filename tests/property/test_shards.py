"""Shards of any corpus: every utterance in one, clusters and sounds whole, even, decided by the seed alone."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.speech.corpus.shards import deal_out

names = st.sampled_from([f"speaker {number}" for number in range(12)])
sounds = st.sampled_from([f"sound {number}" for number in range(40)])
rows = st.lists(st.tuples(names, sounds, st.floats(0, 30)), min_size=1, max_size=60)
counts = st.integers(1, 8)
seeds = st.integers(0, 99)

Row = tuple[str, str, float]


def dealt(corpus: list[Row], shards: int, seed: int) -> tuple[int, ...]:
    clusters, clips, seconds = zip(*corpus, strict=True)
    return deal_out(clusters, clips, seconds, shards, seed)


@given(corpus=rows, shards=counts, seed=seeds)
def test_each_utterance_is_in_one_shard_with_its_cluster_and_its_sound(
    corpus: list[Row], shards: int, seed: int
) -> None:
    found = dealt(corpus, shards, seed)
    assert len(found) == len(corpus)
    assert set(found) <= set(range(1, shards + 1))
    together = defaultdict(set)
    for shard, (cluster, sound, _) in zip(found, corpus, strict=True):
        together[cluster].add(shard)
        together[sound].add(shard)
    assert all(len(one) == 1 for one in together.values())


@given(seconds=st.lists(st.floats(0, 30), min_size=1, max_size=60), shards=counts, seed=seeds)
def test_no_shard_lasts_longer_than_an_even_share_and_one_group(seconds: list[float], shards: int, seed: int) -> None:
    corpus = [(f"{number}", f"{number}", length) for number, length in enumerate(seconds)]
    loads = defaultdict(float)
    for shard, length in zip(dealt(corpus, shards, seed), seconds, strict=True):
        loads[shard] += length
    rounding = 0.0015 * len(seconds)  # lengths count in milliseconds, and one more
    assert max(loads.values()) <= sum(seconds) / shards + (1 - 1 / shards) * max(seconds) + rounding


@given(corpus=rows, shards=counts, seed=seeds, data=st.data())
def test_the_order_of_the_manifest_changes_nothing(
    corpus: list[Row], shards: int, seed: int, data: st.DataObject
) -> None:
    lengths = {sound: seconds for _, sound, seconds in corpus}  # a sound lasts as long wherever it is listed
    corpus = [(cluster, sound, lengths[sound]) for cluster, sound, _ in corpus]
    order = data.draw(st.permutations(range(len(corpus))))
    found, again = dealt(corpus, shards, seed), dealt([corpus[index] for index in order], shards, seed)
    assert [found[index] for index in order] == list(again)


def test_a_seed_decides_among_equals() -> None:
    corpus = [(f"{number}", f"{number}", 2.0) for number in range(40)]
    assert dealt(corpus, 4, 0) == dealt(corpus, 4, 0)
    assert dealt(corpus, 4, 0) != dealt(corpus, 4, 1)
