"""What may be wrong with a recording and its text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.integrity import Note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FULL_SCALE = 0.985
"""What a sample has to reach to be at the end of the scale; resampling rounds the corners of a clipped wave."""

SILENT = 1e-3
"""A peak below this (−60 dB of full scale) is no speech."""

_SHORTEST = 0.1  # seconds
_FASTEST, _SLOWEST = 30.0, 0.7  # characters a second: auctioneers stay below, pauses of a minute above
_SLOW_FROM = 6.0  # seconds; a short clip with a word in it is no sign of anything
_SHOWN = 3

_AUDIBLE = 0.01
"""Power of the fainter of two channels, as a part of the louder one's (20 dB below): less is noise or crosstalk."""

_ROOM = 0.02
"""Seconds that sound takes to cross 7 m, as from one microphone to another."""

_ALIKE = 0.1
"""Correlation above which two channels have something in common: two microphones that hear one voice reach 0.2."""

_FLAT = 3  # samples in a row at the end of the scale: a loud wave only touches it


def clipped(samples: NDArray[np.float32]) -> float:
    """Return the share of samples that lie in flat tops: three or more in a row at the end of the scale."""
    import numpy as np

    high = np.abs(samples) >= FULL_SCALE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= _FLAT].sum() / len(samples))


def are_apart(channels: NDArray[np.float32], rate: int) -> bool:
    """Whether two channels, shape (n, 2), hold different sounds, as the two ends of a call: averaged they are mixed.

    Both are loud, and at no lag that two microphones in one room have do they correlate.
    """
    import numpy as np

    left, right = (channel - channel.mean() for channel in channels.T.astype(np.float64))
    power = [float(left @ left), float(right @ right)]
    if min(power) < _AUDIBLE * max(power) or not min(power):
        return False
    size = 1 << (2 * len(left) - 1).bit_length()
    product = np.fft.rfft(left, size) * np.fft.rfft(right, size).conj()
    lags = int(_ROOM * rate)
    nearby = np.fft.irfft(product, size)[np.r_[0 : lags + 1, size - lags : size]]
    return bool(np.abs(nearby).max() < _ALIKE * np.sqrt(power[0] * power[1]))


def doubts(item: Utterance, facts: ClipFacts) -> Iterator[Note]:
    """Yield what may be wrong with a recording and its text: none of it is certain, and none of it need be meant."""
    yield from facts.notes
    pace = len(item.reference) / facts.seconds
    if facts.seconds < _SHORTEST:
        yield Note("too short for a word; record it again or remove its line", f"{facts.seconds:.3f} s")
    elif not item.is_speech:
        return
    elif facts.peak < SILENT:
        yield Note("silent, but with a transcript; record it again, or clear the text and set kind=nonspeech")
    elif pace > _FASTEST:
        yield Note(
            "more text than can be said in that time; is the sound cut off, or the text another's?", _size(item, facts)
        )
    elif facts.seconds >= _SLOW_FROM and pace < _SLOWEST:
        yield Note("hardly any text for that time; is the transcript cut short?", _size(item, facts))


def _size(item: Utterance, facts: ClipFacts) -> str:
    return f"{len(item.reference)} characters in {facts.seconds:.1f} s"


def doubt_lines(utterances: Sequence[Utterance], facts: Mapping[str, ClipFacts]) -> list[str]:
    """Return a line for each kind of doubt, with the first of the utterances concerned."""
    shown: dict[str, list[str]] = {}
    counts = Counter[str]()
    for item in utterances:
        for what, detail in doubts(item, facts[item.id]):
            counts[what] += 1
            if counts[what] <= _SHOWN:
                shown.setdefault(what, []).append(f"{item.id} ({detail})" if detail else item.id)
    lines = []
    for what, names in shown.items():
        more = f" and {counts[what] - _SHOWN} more" if counts[what] > _SHOWN else ""
        lines.append(f"{', '.join(names)}{more}: {what}")
    return lines
