"""Text normalizers, each under a name and a version: a WER without its normalizer means nothing.

Sources: ``whisper-basic`` and ``whisper-english`` are those of the Whisper paper (Radford et al. 2022, appendix C), in
the ``whisper_normalizer`` distribution; ``wer-standardize`` is jiwer's transformation of that name, which keeps
punctuation and is what many published int8 comparisons used.

``whisper-basic`` puts a blank for every combining mark, and with it for the vowel signs of Hindi, Tamil or Thai: it
cuts words apart and does not see a wrong vowel (arXiv:2409.02449). ``by-language`` is the English one for English and
for all others the basic one with its marks kept. (The Indic normalizers of the same distribution also spell out
numbers, and raise for Devanagari digits.)

These three go through `typography.unify` first, and English through `number_styles`: that is their `REVISION`, which
stands in their version behind a plus. ``NAME@1`` is the one as published, which runs saved before were scored under.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from pytest_whisperq.speech import number_styles
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.speech.substitutions import Substitutions
from pytest_whisperq.speech.typography import unify
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.extensions import Extensions
from pytest_whisperq.system.growing import once
from pytest_whisperq.system.machine import versions

GROUP = "pytest_whisperq.normalizers"
"""Entry point group of packages that bring a normalizer: name → ``module:VALUE``."""

REVISION = 2
"""Raised when what is done before Whisper's normalizers, or after them, makes another text of any text."""

COMPARED = ("identity", "whisper-basic", "by-language")
"""The normalizers under which an accuracy gate scores besides its own: raw, basic and language-aware."""

_EMOJI_STYLE = dict.fromkeys((0xFE0E, 0xFE0F))  # marks too, but of symbols, and those go


_PLAIN = "a-zA-Z0-9À-ÖØ-öø-ÿ .,;:!?'\"‘’“”–—…-"
"""Characters of a regular expression's set: no brackets, no marks that combine, nothing invisible."""

Change = Callable[[str, str | None], str]
"""A function (text, language or None) → text."""

_TYPOGRAPHY: tuple[str, Change] = ("typography", unify)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """A named function (text, language or None) → text; ``version`` names the code that does it.

    ``before`` are named changes that every text goes through first. Of a text that begins as ``keeps`` says, something
    is always left; None promises that of no text.
    """

    name: str
    version: str
    apply: Change
    before: tuple[tuple[str, Change], ...] = ()
    keeps: re.Pattern[str] | None = None

    def __call__(self, text: str, language: str | None = None) -> str:
        """Return ``text``, said in ``language``, as it is compared."""
        for _, change in self.before:
            text = change(text, language)
        return str(self.apply(text, language))  # of somebody else's, which may return a string of its own kind

    def leaves_words(self, text: str, language: str | None = None) -> bool:
        """Whether anything is left of ``text``: of most texts that is known without normalizing them."""
        return bool(self.keeps and self.keeps.match(text)) or bool(self(text, language))

    def steps(self, text: str, language: str | None = None) -> Iterator[tuple[str, str]]:
        """Yield each step by its name, with what it makes of the text."""
        for name, change in (*self.before, (self.name, self.apply)):
            text = change(text, language)
            yield name, text

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
    return "by-language" if any(_has_marks(unify(item.reference)) for item in corpus.speech) else "whisper-basic"


def get(name: str, substitutions: Substitutions | None = None) -> Normalizer:
    """Return a normalizer by name, with a team's ``substitutions`` before it; raise `ConfigError` for an unknown one.

    What substitutions were made is a part of its version.
    """
    ours = _BUILT_IN.get(name)
    normalizer = ours() if ours else _checked(_EXTENSIONS.find(name, "--whisperq-normalizer"))
    return _with(normalizer, substitutions) if substitutions else normalizer


def _with(normalizer: Normalizer, substitutions: Substitutions) -> Normalizer:
    spelling = unify if _TYPOGRAPHY in normalizer.before else str
    change = _whatever_language(substitutions.through(spelling))
    return Normalizer(
        name=normalizer.name,
        version=f"{normalizer.version}, substitutions {substitutions.digest}",
        apply=normalizer.apply,
        before=(*normalizer.before, ("substitutions", change)),
    )


def compared(normalizer: Normalizer, substitutions: Substitutions | None = None) -> tuple[Normalizer, ...]:
    """Return the normalizers of `COMPARED` that are not a gate's own; raw texts are left without ``substitutions``."""
    others = (name for name in COMPARED if name != normalizer.name)
    return tuple(get(name, None if name == "identity" else substitutions) for name in others)


def restore(identity: str, substitutions: Substitutions | None = None) -> Normalizer | None:
    """Return the normalizer that a saved run calls ``identity``, or None where this installation has it no more."""
    return next((one for name in names() if str(one := get(name, substitutions)) == identity), None)


def register(groups: Iterable[Iterable[Normalizer]]) -> Callable[[], None]:
    """Make normalizers known, instead of those registered before; call the result to bring those back.

    Raises `ConfigError` for a name that is taken, and for what is no normalizer.
    """
    return _EXTENSIONS.register({_checked(one).name: one} for group in groups for one in group)


def _checked(one: Any) -> Normalizer:
    if not isinstance(one, Normalizer):
        raise ConfigError(
            f"a normalizer is a value of pytest_whisperq.Normalizer (got {one!r})", remedy="see docs/normalizers.md"
        )
    return one


def _identity() -> Normalizer:
    return Normalizer(name="identity", version="1", apply=_whatever_language(_squeeze))


def _standardize() -> Normalizer:
    return Normalizer(name="wer-standardize", version=_version("jiwer"), apply=_whatever_language(_wer_standardize()))


def _whisper(name: str, revision: int = REVISION) -> Normalizer:
    """Return a normalizer that is made of Whisper's; revision 1 is as it was published."""
    is_published = revision == 1
    english = _published_english() if is_published else _plain_english()
    if name == "by-language":
        other = _basic(preserve_marks=True)
        apply: Change = lambda text, language: english(text) if language == "en" else other(text)  # noqa: E731
    else:
        apply = _whatever_language(english if name == "whisper-english" else _basic())
    version = _version("whisper-normalizer")
    if is_published:
        return Normalizer(name=name, version=version, apply=apply, keeps=_kept())
    return Normalizer(name=name, version=f"{version}+{revision}", apply=apply, before=(_TYPOGRAPHY,), keeps=_kept())


@lru_cache(maxsize=1)
def _kept() -> re.Pattern[str]:
    """Return how a text begins of which each of Whisper's normalizers leaves something: with a whole plain word.

    It has four letters, for fillers are shorter, and stands among plain characters without brackets. It is none of
    the words that numbers are made of, for these go into one another: the English one leaves nothing of "and a half".
    """
    from whisper_normalizer.english import EnglishNumberNormalizer

    numbers = "|".join(sorted({*EnglishNumberNormalizer().words, "half"}))
    return re.compile(rf"(?=[{_PLAIN}]*\Z).*?\b(?!(?i:{numbers})\b)[a-zA-Z]{{4,}}\b")


def _whatever_language(apply: Callable[[str], str]) -> Change:
    return lambda text, language: apply(text)  # noqa: ARG005 - the signature of those that mind it


def _version(distribution: str) -> str:
    return f"{distribution} {versions((distribution,))[distribution]}"


def _has_marks(text: str) -> bool:
    """Whether there are combining marks that do not compose with their letter, as the accents of French do."""
    return any(unicodedata.category(char)[0] == "M" for char in unicodedata.normalize("NFKC", text))


def _squeeze(text: str) -> str:
    """Only join words by single spaces: what any word count does anyway."""
    return " ".join(text.split())


# References and baselines are normalized for every candidate, and in several tables: each takes half a millisecond.


@lru_cache(maxsize=1)
def _plain_english() -> Callable[[str], str]:
    english = _english()
    return once(lambda text: number_styles.days(english(number_styles.as_spoken(text))))


@lru_cache(maxsize=1)
def _published_english() -> Callable[[str], str]:
    return once(_english())


@lru_cache(maxsize=1)
def _english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normalizer = EnglishTextNormalizer()
    return lambda text: _squeeze(normalizer(text))


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


_WHISPER = ("whisper-basic", "whisper-english", "by-language")
_BUILT_IN: dict[str, Callable[[], Normalizer]] = {
    **{name: partial(_whisper, name) for name in _WHISPER},
    "identity": _identity,
    "wer-standardize": _standardize,
    **{f"{name}@1": partial(_whisper, name, 1) for name in _WHISPER},
}

NORMALIZERS = tuple(_BUILT_IN)
"""The names of this package's own."""

_EXTENSIONS = Extensions("normalizer", GROUP, "pytest_whisperq_normalizers", dict.fromkeys(NORMALIZERS, ""))

names = _EXTENSIONS.names
