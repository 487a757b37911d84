"""What of a corpus is to be decoded, how much of that is known, and whether it is enough."""

from array import array
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from pytest_whisperq.decoding.transcript_file import Said
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.keys import Names, key_of, keys_of, repeated
from pytest_whisperq.system.on_disk import AS_IT_IS, Growing, Made, keep

Enough = Callable[[Sequence[str]], bool]
"""Whether the texts of the first utterances of a corpus are all that is wanted of it."""


def clip_id(item: Utterance, facts: Mapping[str, ClipFacts]) -> str:
    """Return what identifies a transcript within a cache file: the sound, and the language the model was told."""
    return f"{facts[item.id].digest}:{item.language or 'detect'}"


def sound_of(clip: str) -> str:
    """Return the digest of the sound whose transcript `clip_id` identifies."""
    return clip.rpartition(":")[0]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The utterances of a corpus whose transcripts are wanted, in its order, and what identifies each transcript."""

    corpus: Corpus
    clips: Sequence[str]

    @classmethod
    def of(cls, corpus: Corpus, facts: Mapping[str, ClipFacts]) -> "Wanted":
        """Return what is wanted where all of a corpus is."""
        clips = keep((clip_id(item, facts) for item in corpus.utterances), AS_IT_IS)
        return cls(corpus=corpus, clips=clips)

    @cached_property
    def names(self) -> Names:
        """The clips, without their order."""
        return Names(self.clips)

    def missing(self, known: Container[str]) -> Sequence[int]:
        """Return the places of what is not known, each clip once."""
        several, seen = repeated(keys_of(self.clips)), set[str]()
        places = array("q")
        for place, clip in enumerate(self.clips):
            if clip in known or clip in seen:
                continue
            places.append(place)
            if several and key_of(clip) in several:
                seen.add(clip)
        return places


class KnownTexts(Container[str]):
    """What is said in clips: what was in the cache, and what has come since."""

    def __init__(self, stored: Mapping[str, Said]) -> None:
        self._stored = stored
        self._new: Growing[Said] = Growing(AS_IT_IS)

    def __contains__(self, clip: object) -> bool:
        return clip in self._stored or clip in self._new

    def __getitem__(self, clip: str) -> Said:
        return self._new.get(clip) or self._stored[clip]

    def add(self, said: Mapping[str, Said]) -> None:
        """Keep what is said in more clips."""
        for clip, one in said.items():
            self._new.add(clip, one)


class Texts(Protocol):
    """What is said in clips, as far as it is known."""

    def __contains__(self, clip: object, /) -> bool: ...
    def __getitem__(self, clip: str, /) -> Said: ...


class Leading:
    """The first clips of those that are wanted, as far as they are known without a gap, while more become known."""

    def __init__(self, clips: Sequence[str], enough: Enough | None) -> None:
        self._clips = clips
        self._enough = enough
        self.count = 0
        self._next = 0

    def suffices(self, known: Texts) -> bool:
        """Whether no more is wanted: all are known, or those in front are enough.

        That is asked again when there are a twentieth more of them: asked after every batch of a long corpus, it would
        take longer than the decoding.
        """
        while self.count < len(self._clips) and self._clips[self.count] in known:
            self.count += 1
        if self.count == len(self._clips):
            return True
        if self._enough is None or self.count < self._next:
            return False
        self._next = self.count + max(1, self.count // 20)
        return self._enough(Made(lambda clip: known[clip][0], self._clips[: self.count]))
