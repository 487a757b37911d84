"""Subsets of any corpus: right size, nested, in proportion, decided by the seed and nothing else."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance, subset

strata = st.lists(st.integers(1, 30), min_size=1, max_size=6)


def corpus(sizes: list[int]) -> Corpus:
    return Corpus(
        name="made",
        utterances=tuple(
            Utterance(id=f"{kind}-{n}", where="", audio=AudioSource(label=""), reference="x", kind=str(kind))
            for kind, size in enumerate(sizes)
            for n in range(size)
        ),
    )


def ids(found: Corpus) -> list[str]:
    return [item.id for item in found.utterances]


@given(sizes=strata, seed=st.integers(0, 2**32), data=st.data())
def test_subsets_are_nested_and_in_proportion(sizes: list[int], seed: int, data: st.DataObject) -> None:
    whole = corpus(sizes)
    total = len(whole.utterances)
    size = data.draw(st.integers(1, total))
    found = subset(whole, size, seed)
    assert len(found.utterances) == size
    assert set(ids(found)) <= set(ids(subset(whole, size + 1, seed)))
    counts = Counter(item.kind for item in found.utterances)
    for kind, count in enumerate(sizes):
        # Each stratum is cut at the same height, give or take one clip for each of the others.
        assert abs(counts[str(kind)] - size * count / total) < 1 + len(sizes) * count / total


@given(sizes=strata, seed=st.integers(0, 9), data=st.data())
def test_the_order_of_the_manifest_changes_nothing(sizes: list[int], seed: int, data: st.DataObject) -> None:
    whole = corpus(sizes)
    shuffled = Corpus(name="made", utterances=tuple(data.draw(st.permutations(whole.utterances))))
    size = data.draw(st.integers(1, len(whole.utterances)))
    assert set(ids(subset(shuffled, size, seed))) == set(ids(subset(whole, size, seed)))
