"""The two values every reader of a corpus produces."""

from dataclasses import dataclass

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus.spacing import is_spaced

NONSPEECH = "nonspeech"
"""The ``kind`` of a clip in which nobody speaks: the only one whose reference may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One clip with what was said in it.

    ``where`` names the manifest line it came from, ``slices`` the groups it belongs to (language, voice, noise …), and
    ``cluster`` is shared by utterances that share recordings and are therefore not independent.
    """

    id: str
    where: str
    audio: AudioSource
    reference: str
    language: str | None = None
    kind: str = ""
    cluster: str = ""
    slices: tuple[tuple[str, str], ...] = ()

    @property
    def is_speech(self) -> bool:
        """Whether the clip counts for WER and parity."""
        return self.kind != NONSPEECH

    @property
    def is_spaced(self) -> bool:
        """Whether its text has words to count; else it has characters only."""
        return is_spaced(self.language, self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Utterances under a name; never empty. ``withheld`` names the columns that were taken from them."""

    name: str
    utterances: tuple[Utterance, ...]
    withheld: tuple[str, ...] = ()

    @property
    def speech(self) -> tuple[Utterance, ...]:
        """The utterances that count for WER and parity."""
        return tuple(u for u in self.utterances if u.is_speech)

    @property
    def languages(self) -> frozenset[str | None]:
        """The languages spoken; None stands for utterances that do not say."""
        return frozenset(u.language for u in self.speech)
