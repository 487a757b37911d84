"""Text normalizers, each under a name and a version: a WER without its normalizer means nothing.

Sources: ``whisper-basic`` and ``whisper-english`` are those of the Whisper paper (Radford et al. 2022, appendix C), in
the ``whisper_normalizer`` distribution; ``wer-standardize`` is jiwer's transformation of that name, which keeps
punctuation and is what many published int8 comparisons used.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pytest_whisperq.environment import versions
from pytest_whisperq.spec import unknown

NORMALIZERS = ("whisper-basic", "whisper-english", "identity", "wer-standardize")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """A named text → text function; ``version`` names the code that does it."""

    name: str
    version: str
    apply: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """Return ``text`` as it is compared."""
        return self.apply(text)

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"


def choose(name: str | None, languages: frozenset[str | None]) -> str:
    """Return ``name``, or the default for a corpus in ``languages``.

    One corpus is scored under one normalizer: Whisper's English one when every utterance is English, else the basic
    one, which is right for any language that puts spaces between words.
    """
    if name is not None:
        return name
    return "whisper-english" if languages == {"en"} else "whisper-basic"


def get(name: str) -> Normalizer:
    """Return a normalizer by name; raise `ConfigError` that lists the valid ones."""
    if name not in NORMALIZERS:
        raise unknown("--whisperq-normalizer: unknown normalizer", name, NORMALIZERS)
    if name == "identity":
        return Normalizer(name=name, version="1", apply=_squeeze)
    if name == "wer-standardize":
        return Normalizer(name=name, version=_version("jiwer"), apply=_wer_standardize())
    return Normalizer(name=name, version=_version("whisper-normalizer"), apply=_whisper(name))


def _version(distribution: str) -> str:
    return f"{distribution} {versions((distribution,))[distribution]}"


def _squeeze(text: str) -> str:
    """Only join words by single spaces: what any word count does anyway."""
    return " ".join(text.split())


def _whisper(name: str) -> Callable[[str], str]:
    if name == "whisper-english":
        from whisper_normalizer.english import EnglishTextNormalizer as Class
    else:
        from whisper_normalizer.basic import BasicTextNormalizer as Class
    normalizer = Class()
    return lambda text: _squeeze(normalizer(text))


def _wer_standardize() -> Callable[[str], str]:
    import jiwer

    # jiwer.wer_standardize without its last step, which turns sentences into the lists that jiwer itself compares.
    steps = [step for step in jiwer.wer_standardize.transforms if not isinstance(step, jiwer.ReduceToListOfListOfWords)]
    compose = jiwer.Compose(steps)
    return lambda text: str(compose(text))
