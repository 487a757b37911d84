"""Words, characters or both: what a corpus is scored by where nobody says."""

from collections import Counter

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.speech.corpus import Corpus


def choose_metric(corpus: Corpus) -> Metric:
    """Return "cer" for a corpus in languages written without spaces, "wer" for others, "mer" for a mixture."""
    spaced, unspaced = _languages(corpus)
    if not unspaced:
        return "wer"
    return "mer" if spaced else "cer"


def mixture(corpus: Corpus) -> str:
    """Return in a line what a corpus mixes and how it is judged; "" where all of it is written with spaces or none."""
    spaced, unspaced = _languages(corpus)
    if not spaced or not unspaced:
        return ""
    return (
        f"{corpus.name} mixes languages written with spaces ({_listed(spaced)}) and without ({_listed(unspaced)}): "
        "errors are counted in words of those and in characters of these, the mixed error rate (MER); "
        "--whisperq-metric chooses another"
    )


def _languages(corpus: Corpus) -> list[Counter[str]]:
    """Return how many utterances are in which language: of those with spaces between words, and of those without."""
    return [
        Counter(item.language or "no language stated" for item in corpus.speech if item.is_spaced is wanted)
        for wanted in (True, False)
    ]


def _listed(languages: Counter[str]) -> str:
    return ", ".join(f"{count} {language}" for language, count in sorted(languages.items()))
