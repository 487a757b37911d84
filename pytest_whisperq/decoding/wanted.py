"""What of a corpus is to be decoded, how much of that is known, and whether it is enough."""

from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pytest_whisperq.decoding.transcript_file import Said, Stored
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.growing import Growing
from pytest_whisperq.system.keys import Keys, Names, key_of
from pytest_whisperq.system.on_disk import AS_IT_IS, Made, columns, keep

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

    @cached_property
    def sounds(self) -> Sequence[str]:
        """The digest of each sound."""
        return Made(sound_of, self.clips)

    def heard(self, stored: Stored) -> "Heard":
        """Return what a file of transcripts says of them."""
        count, is_whole = 0, True

        def rows() -> Iterator[tuple[str | None, str | None]]:
            nonlocal count, is_whole
            for clip in self.clips:
                said = stored.texts.get(clip)
                is_whole = is_whole and said is not None
                count += is_whole
                yield said or (None, None)

        texts, languages = columns(keep(rows(), AS_IT_IS), 2)
        return Heard(header=stored.header, texts=texts, languages=languages, count=count)

    def missing(self, are_known: Iterable[bool]) -> Sequence[int]:
        """Return the places of what is not known, each clip once."""
        several, seen = Keys.of(self.clips).repeated(), set[str]()
        places = array("I")
        for place, (clip, is_known) in enumerate(zip(self.clips, are_known, strict=True)):
            if is_known or clip in seen:
                continue
            places.append(place)
            if several and key_of(clip) in several:
                seen.add(clip)
        return places


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a model says about the utterances of a corpus, in their order, and in which language; None if not known.

    ``header`` says what executed. As many as ``count`` are known without a gap.
    """

    header: Mapping[str, Any]
    texts: Sequence[str | None]
    languages: Sequence[str | None]
    count: int

    @property
    def leading(self) -> tuple[Sequence[str], Sequence[str | None]]:
        """Texts and languages of those without a gap."""
        return cast("Sequence[str]", self.texts[: self.count]), self.languages[: self.count]

    def suffices(self, enough: Enough | None) -> bool:
        """Whether no more is wanted: all are known, or those in front are ``enough``."""
        return self.count == len(self.texts) or (enough is not None and enough(self.leading[0]))


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
        for clip, (text, language) in said.items():  # of somebody else's backend, perhaps strings of their own kind
            self._new.add(clip, (str(text), None if language is None else str(language)))


class Leading:
    """The first clips of those that are wanted, as far as they are known without a gap, while more become known."""

    def __init__(self, clips: Sequence[str], enough: Enough | None) -> None:
        self._clips = clips
        self._enough = enough
        self._count = 0
        self._next = 0

    def suffices(self, known: KnownTexts) -> bool:
        """Whether no more is wanted: all are known, or those in front are enough.

        That is asked again when there are a twentieth more of them: asked after every batch of a long corpus, it would
        take longer than the decoding.
        """
        while self._count < len(self._clips) and self._clips[self._count] in known:
            self._count += 1
        if self._count == len(self._clips):
            return True
        if self._enough is None or self._count < self._next:
            return False
        self._next = self._count + max(1, self._count // 20)
        return self._enough(Made(lambda clip: known[clip][0], self._clips[: self._count]))
