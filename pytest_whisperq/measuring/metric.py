"""Words or characters: what a corpus is scored by where nobody says."""

from collections import Counter

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.system.errors import ConfigError


def choose_metric(corpus: Corpus) -> Metric:
    """Return "cer" for a corpus in languages written without spaces, else "wer".

    Raises `ConfigError` for a mixture: words of one language and characters of another have no common error rate.
    """
    spaced, unspaced = (
        Counter(item.language or "no language stated" for item in corpus.speech if item.is_spaced is wanted)
        for wanted in (True, False)
    )
    if spaced and unspaced:
        raise ConfigError(
            f"{corpus.name} mixes languages written with spaces ({_listed(spaced)}) and without "
            f"({_listed(unspaced)}): words of those and characters of these make no one error rate",
            where="--whisperq-metric",
            remedy="say wer or cer, here or as metric= of the marker, or gate two corpora",
        )
    return "cer" if unspaced else "wer"


def _listed(languages: Counter[str]) -> str:
    return ", ".join(f"{count} {language}" for language, count in sorted(languages.items()))
