"""The clips that a model has yet to decode, shared with whoever decodes with it at the same time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.decoding.engine import Batch
from pytest_whisperq.decoding.transcript_file import Said, TranscriptFile
from pytest_whisperq.decoding.wanted import KnownTexts, Wanted
from pytest_whisperq.system.claims import Claims


class SharedClips:
    """What is ``wanted`` and not in a ``file`` yet. Each process claims the next ``batch`` of what nobody has claimed.

    No clip is decoded twice: what another process had is looked up before it is taken, and what a dead one had is free.
    """

    def __init__(self, wanted: Wanted, file: TranscriptFile, claims: Claims, batch: int) -> None:
        self.wanted = wanted
        self.known = KnownTexts(file.begin(wanted.names))
        self.done = 0
        """How many of the clips are decoded since, by anybody."""
        self._file = file
        self._claims = claims
        self._batch = batch
        self._todo: Sequence[int] = wanted.missing(clip in self.known for clip in wanted.clips)
        self._count = len(self._todo)

    @property
    def left(self) -> int:
        """How many clips are not decoded yet."""
        return self._count - self.done

    def batches(self) -> Iterator[Batch]:
        """Yield batches of clips that this process has claimed, until others have whatever is not decoded."""
        places = iter(self._todo)
        while batch := self._claimed(places):
            self._learn(self._file.news())  # who had one of them has added it before it gave it back
            known = [clip for clip in batch if clip in self.known]
            self._claims.give_back(known)
            if news := {clip: item for clip, item in batch.items() if clip not in known}:
                yield news

    def _claimed(self, places: Iterator[int]) -> Batch:
        rows = ((self.wanted.clips[place], place) for place in places)
        free = ((clip, place) for clip, place in rows if clip not in self.known and self._claims.take(clip))
        return {clip: self.wanted.corpus.utterances[place] for clip, place in islice(free, self._batch)}

    def add(self, batch: Batch, hypotheses: Sequence[Hypothesis]) -> None:
        """Keep what a model says in a batch."""
        pairs = list(zip(batch, hypotheses, strict=True))
        rows = [{"clip": clip, "text": one.text, "language": one.language, "tokens": one.tokens} for clip, one in pairs]
        others = self._file.add(rows)  # who takes transcripts of shards claims nothing
        self._claims.give_back(batch)
        self._learn({clip: (one.text, one.language) for clip, one in pairs} | dict(others))

    def wait(self) -> None:
        """Wait for the first clip that another process has; what is decoded by then is known, the rest is left."""
        self._todo = [place for place in self._todo if self.wanted.clips[place] not in self.known]
        if self._todo:
            self._claims.wait(self.wanted.clips[self._todo[0]])
            self._learn(self._file.news())

    def _learn(self, said: Mapping[str, Said]) -> None:
        self.done += sum(clip in self.wanted.names and clip not in self.known for clip in said)
        self.known.add(said)
