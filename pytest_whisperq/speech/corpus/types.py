"""What a user chooses for the reading of a corpus, and the two values that every reader produces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus.spacing import is_spaced
from pytest_whisperq.system.errors import CorpusError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One clip with what was said in it.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Utterances under a name; never empty. ``withheld`` names the columns that were taken from them.

    ``notes`` say what lies beside them and was not read, and ``told`` what was not read but chosen.
    """

    name: str
    utterances: tuple[Utterance, ...]
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def speech(self) -> tuple[Utterance, ...]:
        """The utterances that count for WER and parity."""
        return tuple(u for u in self.utterances if u.is_speech)

    @property
    def languages(self) -> frozenset[str | None]:
        """The languages spoken; None stands for utterances that do not say."""
        return frozenset(u.language for u in self.speech)
