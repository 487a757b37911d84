"""Log-mel features of short clips, at the price of the clip and not of the 30 s window around it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_whisperq.speech.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def log_mel(extractor: Any, samples: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return the features of a clip, shape (mels, 3000), padded to the model's window.

    ``extractor`` is a `WhisperFeatureExtractor`, which by itself transforms all of the window. All frames of the
    silence behind a clip are equal: one of them is made, and fills the rest. The result is the extractor's own, up to
    the order in which a matrix product adds up: on some processors that depends on the number of frames. One clip at a
    time: batches are padded to their longest clip, and a clip's features should not depend on its neighbours.
    """
    hop, asked = int(extractor.hop_length), dict[str, Any]()
    length = hop * -(-(len(samples) + 2 * extractor.n_fft) // hop)
    if length < extractor.n_samples:
        samples, asked = np.pad(samples, (0, length - len(samples))), {"padding": False}
    made = extractor([samples], sampling_rate=SAMPLE_RATE, return_tensors="np", **asked).input_features[0]
    missing = extractor.nb_max_frames - made.shape[-1]
    return np.pad(made, ((0, 0), (0, missing)), mode="edge").astype("float32")
