"""What a user chooses for the reading of a corpus, and the two values that every reader produces."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus.spacing import is_spaced
from pytest_whisperq.system.column import Column
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.on_disk import BytesOnDisk, Form, choose, keep

NONSPEECH = "nonspeech"
"""The ``kind`` of a clip in which nobody speaks: the only one whose reference may be empty."""


OnError = Callable[[CorpusError], None]
"""What becomes of a row that cannot be used."""


def refuse(error: CorpusError) -> None:
    """Refuse the whole corpus for one bad row."""
    raise error


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The columns that a user names where several could be meant, or none is known; None leaves it to their names.

    ``language`` is that of utterances that state none, by Whisper's code; None leaves it to the model. ``root`` is a
    folder, without links, that paths of a corpus may lie in besides its own folder. Of a data set on the hub at most
    ``hub_rows`` rows are fetched, from shards in an order by ``hub_seed``; None fetches all.
    """

    audio_column: str | None = None
    text_column: str | None = None
    language_column: str | None = None
    language: str | None = None
    root: Path | None = None
    hub_rows: int | None = None
    hub_seed: int = 0


AS_NAMED = Choices()
"""Nothing is chosen: columns go by their names, and paths stay in the folder of their corpus."""


class Utterance(NamedTuple):
    """One clip with what was said in it. It is a tuple because a large corpus makes each a hundred times in a run.

    ``translation`` is the same in English, "" where nobody wrote one.
    ``where`` names the manifest line it came from, ``slices`` the groups it belongs to (language, voice, noise …), and
    ``cluster`` is shared by utterances that share recordings and are therefore not independent. ``is_draft``: its
    reference is what a model heard, and nobody has corrected it.
    """

    id: str
    where: str
    audio: AudioSource
    reference: str
    language: str | None = None
    kind: str = ""
    cluster: str = ""
    slices: tuple[tuple[str, str], ...] = ()
    is_draft: bool = False
    translation: str = ""

    @property
    def is_speech(self) -> bool:
        """Whether the clip counts for WER and parity."""
        return self.kind != NONSPEECH

    @property
    def is_translated(self) -> bool:
        """Whether there is a translation to compare with: into English, so that nobody speaks it."""
        return bool(self.translation) and self.is_speech and self.language != "en"

    @property
    def is_spaced(self) -> bool:
        """Whether its text has words to count; else it has characters only."""
        return is_spaced(self.language, self.reference)


_AUDIO, _DATA = Utterance._fields.index("audio"), AudioSource._fields.index("data")


def _plain(item: Utterance) -> tuple[Any, ...]:
    audio = item.audio
    if audio.data is not None:  # which is written once, however many sequences have the utterance
        data = BytesOnDisk.put(audio.data) if isinstance(audio.data, bytes) else audio.data
        return *item[:_AUDIO], (*audio[:_DATA], tuple(data), *audio[_DATA + 1 :]), *item[_AUDIO + 1 :]
    return *item[:_AUDIO], tuple(audio), *item[_AUDIO + 1 :]


def _made(plain: tuple[Any, ...]) -> Utterance:
    audio = AudioSource._make(plain[_AUDIO])
    if audio.data is not None:
        audio = audio._replace(data=BytesOnDisk(*audio.data))
    return Utterance._make((*plain[:_AUDIO], audio, *plain[_AUDIO + 1 :]))


def _size(item: Utterance) -> int:
    return len(item.audio.data) if isinstance(item.audio.data, bytes) else 0


UTTERANCE = Form(plain=_plain, make=_made, size=_size)
"""How an utterance of a large corpus is kept."""


def keep_utterances(items: Iterable[Utterance]) -> Sequence[Utterance]:
    """Return utterances in a sequence: a tuple, or those of a large corpus on the disk (`on_disk.keep`)."""
    return keep(items, UTTERANCE)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Utterances under a name; never empty. ``withheld`` names the columns that were taken from them.

    ``notes`` say what lies beside them and was not read, and ``told`` what was not read but chosen. Those of a large
    corpus are on the disk: whoever asks for one twice gets two that are equal.
    """

    name: str
    utterances: Sequence[Utterance]
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @cached_property
    def speech(self) -> Sequence[Utterance]:
        """The utterances that count for WER and parity."""
        return self._in(self._census.spoken)

    @property
    def languages(self) -> frozenset[str | None]:
        """The languages spoken; None stands for utterances that do not say."""
        return self._census.languages

    @property
    def stated_languages(self) -> frozenset[str]:
        """The languages that any utterance states, one in which nobody speaks too."""
        return self._census.stated

    @property
    def drafts(self) -> Sequence[Utterance]:
        """The utterances whose reference is a draft of a model."""
        return self._in(self._census.drafts)

    def where(self, is_wanted: Callable[[Utterance], bool]) -> Sequence[Utterance]:
        """Return the utterances of a kind; those of a large corpus stay where they are."""
        return self._in(Column("I", (place for place, item in enumerate(self.utterances) if is_wanted(item))))

    def _in(self, places: Sequence[int]) -> Sequence[Utterance]:
        return self.utterances if len(places) == len(self.utterances) else choose(self.utterances, places)

    @cached_property
    def _census(self) -> "_Census":
        """What one look at all utterances tells: on the disk, each further one costs."""
        spoken, drafts = Column("I"), Column("I")
        languages, stated = set[str | None](), set[str]()
        for place, item in enumerate(self.utterances):
            if item.is_speech:
                spoken.append(place)
                languages.add(item.language)
            if item.language:
                stated.add(item.language)
            if item.is_draft:
                drafts.append(place)
        everywhere = range(len(self.utterances)) if len(spoken) == len(self.utterances) else spoken
        return _Census(everywhere, drafts, frozenset(languages), frozenset(stated))


class _Census(NamedTuple):
    """Where somebody speaks, and where references are drafts; languages of speech, and of all that state one."""

    spoken: Sequence[int]
    drafts: Sequence[int]
    languages: frozenset[str | None]
    stated: frozenset[str]
