"""Features of short clips are those of whole windows, bit for bit, and no more frames are made than are needed."""

from typing import Any

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from pytest_whisperq.audio import SAMPLE_RATE
from pytest_whisperq.backends._features import log_mel

WINDOW = 30 * SAMPLE_RATE


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
    assert np.array_equal(made, whole)


def test_a_short_clip_costs_a_short_transform() -> None:
    extractor = Watched()
    log_mel(extractor, np.ones(SAMPLE_RATE, np.float32))
    assert extractor.seen < 1.1 * SAMPLE_RATE
