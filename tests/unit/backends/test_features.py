"""Features of short clips are those of whole windows, and no more frames are made than are needed."""

from typing import Any

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from pytest_whisperq.backends._features import log_mel
from pytest_whisperq.speech.audio import SAMPLE_RATE

WINDOW = 30 * SAMPLE_RATE

ROUNDING = 5e-6
"""How far two orders of one sum may be apart in a log-mel value.

A mel band adds 201 products, none negative, so that each sum is right to 201 · 2⁻²⁴ of its value, and two of them
differ by 2.4e-5 at most. Of that the features take the logarithm to base 10, a quarter of it: 2.6e-6. The rest is room
for the roundings after it. Matrix kernels are chosen by shape, and a short clip has fewer frames than its window.
"""


class Watched(WhisperFeatureExtractor):  # type: ignore[misc]
    """Notes how many samples it is given to transform."""

    def _torch_extract_fbank_features(self, waveform: Any, device: str = "cpu") -> Any:
        self.seen = waveform.shape[-1]
        return super()._torch_extract_fbank_features(waveform, device)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("length", [1, 159, 160, 40_000, 40_001, WINDOW - 801, WINDOW - 799, WINDOW, WINDOW + 5])
@pytest.mark.parametrize("loudness", [1.0, 1e-6, 0.0])
def test_they_are_the_extractors_own(mels: int, length: int, loudness: float) -> None:
    extractor = WhisperFeatureExtractor(feature_size=mels)
    samples = loudness * np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole = extractor([samples], sampling_rate=SAMPLE_RATE, return_tensors="np").input_features[0]
    made = log_mel(extractor, samples)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, whole, rtol=0, atol=ROUNDING)


def test_another_sound_is_further_away_than_rounding() -> None:
    """So that the tolerance is none for a change that could be heard: a thousandth more of loudness is 40 of it."""
    extractor = WhisperFeatureExtractor()
    samples = np.random.default_rng(1).standard_normal(SAMPLE_RATE).astype(np.float32)
    changed = samples.copy()
    changed[8000:] *= 1.001
    assert np.abs(log_mel(extractor, samples) - log_mel(extractor, changed)).max() > 40 * ROUNDING


def test_a_short_clip_costs_a_short_transform() -> None:
    extractor = Watched()
    log_mel(extractor, np.ones(SAMPLE_RATE, np.float32))
    assert extractor.seen < 1.1 * SAMPLE_RATE
