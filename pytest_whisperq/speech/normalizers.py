"""Text normalizers, each under a name and a version: a WER without its normalizer means nothing.

Sources: ``whisper-basic`` and ``whisper-english`` are those of the Whisper paper (Radford et al. 2022, appendix C), in
the ``whisper_normalizer`` distribution; ``wer-standardize`` is jiwer's transformation of that name, which keeps
punctuation and is what many published int8 comparisons used.

``whisper-basic`` puts a blank for every combining mark, and with it for the vowel signs of Hindi, Tamil or Thai: it
cuts words apart and does not see a wrong vowel (arXiv:2409.02449). ``by-language`` is the English one for English and
for all others the basic one with its marks kept. (The Indic normalizers of the same distribution also spell out
numbers, and raise for Devanagari digits.)
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.system.errors import unknown
from pytest_whisperq.system.machine import versions

NORMALIZERS = ("whisper-basic", "whisper-english", "by-language", "identity", "wer-standardize")

COMPARED = ("identity", "whisper-basic", "by-language")
"""The normalizers under which an accuracy gate scores besides its own: raw, basic and language-aware."""

_EMOJI_STYLE = dict.fromkeys((0xFE0E, 0xFE0F))  # marks too, but of symbols, and those go
_REMEMBERED = 8192  # texts: the same reference and baseline are scored for every candidate, under several normalizers


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """A named function (text, language or None) → text; ``version`` names the code that does it."""

    name: str
    version: str
    apply: Callable[[str, str | None], str]

    def __call__(self, text: str, language: str | None = None) -> str:
        """Return ``text``, said in ``language``, as it is compared."""
        return self.apply(text, language)

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"


def choose(name: str | None, corpus: Corpus) -> str:
    """Return ``name``, or the default for a corpus.

    One corpus is scored under one normalizer: Whisper's English one when every utterance is English, ``by-language``
    when the basic one would blank out marks of a transcript, else the basic one.
    """
    if name is not None:
        return name
    if corpus.languages == {"en"}:
        return "whisper-english"
    return "by-language" if any(_has_marks(item.reference) for item in corpus.speech) else "whisper-basic"


def get(name: str) -> Normalizer:
    """Return a normalizer by name; raise `ConfigError` that lists the valid ones."""
    if name not in NORMALIZERS:
        raise unknown("unknown normalizer", name, NORMALIZERS, where="--whisperq-normalizer")
    if name == "identity":
        return Normalizer(name=name, version="1", apply=_whatever_language(_squeeze))
    if name == "wer-standardize":
        return Normalizer(name=name, version=_version("jiwer"), apply=_whatever_language(_wer_standardize()))
    if name == "by-language":
        apply = _by_language()
    else:
        apply = _whatever_language(_english() if name == "whisper-english" else _basic())
    return Normalizer(name=name, version=_version("whisper-normalizer"), apply=apply)


def compared(normalizer: Normalizer) -> tuple[Normalizer, ...]:
    """Return the normalizers of `COMPARED` that are not a gate's own."""
    return tuple(get(name) for name in COMPARED if name != normalizer.name)


def _whatever_language(apply: Callable[[str], str]) -> Callable[[str, str | None], str]:
    return lambda text, language: apply(text)  # noqa: ARG005 - the signature of those that mind it


def _by_language() -> Callable[[str, str | None], str]:
    english, other = _english(), _basic(preserve_marks=True)
    return lambda text, language: english(text) if language == "en" else other(text)


def _version(distribution: str) -> str:
    return f"{distribution} {versions((distribution,))[distribution]}"


def _has_marks(text: str) -> bool:
    """Whether there are combining marks that do not compose with their letter, as the accents of French do."""
    return any(unicodedata.category(char)[0] == "M" for char in unicodedata.normalize("NFKC", text))


def _squeeze(text: str) -> str:
    """Only join words by single spaces: what any word count does anyway."""
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normalizer = EnglishTextNormalizer()
    return lru_cache(maxsize=_REMEMBERED)(lambda text: _squeeze(normalizer(text)))


def _basic(*, preserve_marks: bool = False) -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer

    normalizer = BasicTextNormalizer(preserve_marks=preserve_marks)
    if preserve_marks:
        return lambda text: _squeeze(normalizer(text.translate(_EMOJI_STYLE)))
    return lambda text: _squeeze(normalizer(text))


def _wer_standardize() -> Callable[[str], str]:
    import jiwer

    # jiwer.wer_standardize without its last step, which turns sentences into the lists that jiwer itself compares.
    steps = [step for step in jiwer.wer_standardize.transforms if not isinstance(step, jiwer.ReduceToListOfListOfWords)]
    compose = jiwer.Compose(steps)
    return lambda text: str(compose(text))
