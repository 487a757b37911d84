"""What is wrong with a recording, from its samples alone; and what it sounds like, to find it again in another copy."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_whisperq.speech.audio import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FULL_SCALE = 0.985
"""What a sample has to reach to be at the end of the scale; resampling rounds the corners of a clipped wave."""

SILENT = 1e-3
"""A peak below this (−60 dB of full scale) is no speech."""

_FLAT = 3  # samples in a row at the end of the scale: a loud wave only touches it
_FRAME, _BANDS, _STEPS = 512, 24, 48


def clipped(samples: NDArray[np.float32]) -> float:
    """Return the share of samples that lie in flat tops: three or more in a row at the end of the scale."""
    import numpy as np

    high = np.abs(samples) >= FULL_SCALE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= _FLAT].sum() / len(samples))


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether nothing in a recording is loud enough to be heard."""
    import numpy as np

    return float(np.abs(samples).max(initial=0.0)) < SILENT


def fingerprint(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a recording sounds like, shape (bands · steps,), length 1: its spectrum over its time.

    The logs of the energies in bands that widen upwards, at as many moments for every length, less their means in each
    band and at each moment: neither level, nor the colour of a line, nor where it is silent decides. The dot product of
    two is their correlation.
    """
    import numpy as np

    padded = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    count = 1 + (len(padded) - _FRAME) // (_FRAME // 2)
    starts = (_FRAME // 2) * np.arange(count)
    frames = padded[starts[:, None] + np.arange(_FRAME)] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.unique(np.geomspace(3, 3400 * _FRAME / SAMPLE_RATE, _BANDS + 1).astype(int))
    bands = np.stack([power[:, low:high].sum(axis=1) for low, high in pairwise(edges)], axis=1)
    # What lies 50 dB under the loudest is another noise in every copy.
    logs = np.log(np.maximum(bands, bands.max() * 1e-5 + 1e-12))
    moments = np.linspace(0, count, _STEPS + 1)
    steps = np.stack([logs[int(a) : max(int(a) + 1, int(b))].mean(axis=0) for a, b in pairwise(moments)])
    centred = (steps - steps.mean(axis=0) - steps.mean(axis=1, keepdims=True) + steps.mean()).ravel()
    norm = float(np.linalg.norm(centred))
    unit: NDArray[np.float32] = (centred / norm if norm > 0 else centred).astype(np.float32)
    return unit
