"""Whether the candidate hears the languages that the baseline hears."""

from dataclasses import dataclass

from pytest_whisperq.measuring.intervals import SHARE, Interval, bound_ratio
from pytest_whisperq.measuring.pairs import PairedTexts


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageMeasurement:
    """Share of utterances in which both detect one language, and how often each is right where the corpus says.

    The two rates are None for a corpus that labels no language.
    """

    agreement: Interval
    baseline_right: float | None
    candidate_right: float | None


def measure_language(texts: PairedTexts, *, confidence: float) -> LanguageMeasurement:
    """Measure agreement over the corpus. The pseudo-clip of the bounds is one on which the two differ."""
    import numpy as np

    same = np.array(
        [(pair.baseline_language == pair.candidate_language, 1.0) for pair in texts.pairs], np.float64
    ).reshape(-1, 2)
    labelled = [pair for pair in texts.pairs if pair.utterance.language]
    return LanguageMeasurement(
        agreement=bound_ratio(
            same, texts.clusters, worse=(1.0, 1.0), better=(0.0, 1.0), confidence=confidence, within=SHARE
        ),
        baseline_right=_share([pair.baseline_language == pair.utterance.language for pair in labelled]),
        candidate_right=_share([pair.candidate_language == pair.utterance.language for pair in labelled]),
    )


def _share(right: list[bool]) -> float | None:
    return sum(right) / len(right) if right else None
