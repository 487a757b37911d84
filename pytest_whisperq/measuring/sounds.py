"""What is kept of the recordings of a corpus while all of them are heard: numbers, however many there are."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_whisperq.measuring.digests import Digests
from pytest_whisperq.measuring.fingerprints import Fingerprints, fingerprint
from pytest_whisperq.measuring.intervals import MIN_CLUSTERS
from pytest_whisperq.speech.audio import Recording
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.column import Column
from pytest_whisperq.system.keys import key_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Sounds:
    """The recordings of a corpus that could be read, numbered from 0; some forty bytes are held of each at most.

    ``places`` are those of their utterances in the corpus. Raises `StoreError` where the folder for temporary files has
    no room.
    """

    def __init__(self) -> None:
        self.places = array("I")
        self.is_speech = bytearray()
        self.digests = Digests()
        self._clusters = Column("Q")
        """The key of the cluster of each."""
        self._prints = Fingerprints()

    def add(self, place: int, item: Utterance, recording: Recording, facts: ClipFacts) -> None:
        """Listen to a recording; none is added after the first question."""
        if item.is_speech:
            self._prints.add(fingerprint(recording.samples), facts.seconds)
        self.places.append(place)
        self.is_speech.append(item.is_speech)
        self.digests.add(facts.digest)
        self._clusters.append(key_of(item.cluster or facts.digest))

    def repeats(self) -> Iterator[tuple[int, int]]:
        """Yield the number of each that has the same samples as one before it, and that of the first such."""
        import numpy as np

        for number in np.flatnonzero(self._firsts != np.arange(len(self._firsts))):
            yield int(number), int(self._firsts[number])

    def alike(self, least: float) -> Iterator[tuple[int, int]]:
        """Yield the number of each of speech that sounds like one before it, and that of the nearest; no `repeats`."""
        import numpy as np

        spoken = np.flatnonzero(np.frombuffer(self.is_speech, np.bool_)).astype(np.uint32)
        for number, nearest in self._prints.alike(least, self._firsts[spoken] == spoken):
            yield int(spoken[number]), int(spoken[nearest])

    def count_groups(self, corpus: Corpus) -> tuple[int, int]:
        """Return how many groups of speech bounds are drawn by (`intervals.judged_by`), and how many there are in all.

        Each sound is in one group (`intervals.in_one_place`), of speech and of other sounds.
        """
        import numpy as np

        is_speech = np.frombuffer(self.is_speech, np.bool_)
        spoken, others = (np.flatnonzero(which).astype(np.uint32) for which in (is_speech, ~is_speech))
        clusters, clips = self._in_one_place(spoken, corpus), np.unique(self._firsts[spoken])
        if len(clusters) < MIN_CLUSTERS <= len(clips):
            return len(clips), len(np.unique(self._firsts))
        return len(clusters), len(np.union1d(clusters, self._in_one_place(others, corpus)))

    def _in_one_place(self, numbers: NDArray[np.uint32], corpus: Corpus) -> NDArray[np.uint64]:
        """Return the clusters of some, each once and as a key, where each sound is in the first of its own by name."""
        import numpy as np

        clusters = np.asarray(self._clusters)[numbers]
        firsts = self._firsts[numbers]
        order = np.argsort(firsts, kind="stable")
        firsts = firsts[order]
        begins = np.flatnonzero(np.concatenate([[True], firsts[1:] != firsts[:-1]]))
        ends = np.append(begins[1:], len(order))
        for group in np.flatnonzero(ends - begins > 1):
            places = order[begins[group] : ends[group]]
            clusters[places] = key_of(min(self._name(int(number), corpus) for number in numbers[places]))
        return np.unique(clusters)

    def _name(self, number: int, corpus: Corpus) -> str:
        return corpus.utterances[self.places[number]].cluster or self.digests.at(number)

    @cached_property
    def _firsts(self) -> NDArray[np.uint32]:
        return self.digests.firsts()
