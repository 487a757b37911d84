"""Any rate, channel count and format → 16 kHz mono of the right length; any bytes → audio or one kind of error."""

import io

import numpy as np
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.system.errors import CorpusError

rates = st.sampled_from([8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])
formats = st.sampled_from(
    [("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("FLAC", "PCM_16"), ("AIFF", "PCM_24")]
)


def encode(samples: np.ndarray, rate: int, kind: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=kind)
    return file.getvalue()


@given(rate=rates, channels=st.integers(1, 6), form=formats, frames=st.integers(20, 20_000), level=st.floats(-0.9, 0.9))
def test_every_recording_becomes_16_khz_mono_of_its_length(
    rate: int, channels: int, form: tuple[str, str], frames: int, level: float
) -> None:
    data = encode(np.full((frames, channels), level), rate, *form)
    samples = audio.load(AudioSource(label="x", data=data))
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(len(samples) - frames * 16_000 / rate) <= 1
    assert np.isfinite(samples).all()
    if len(samples) > 2_000:  # away from the resampler's edges a constant stays itself, up to 8 bits
        np.testing.assert_allclose(samples[800:-800], level, atol=0.03)


@given(
    rate=rates,
    frames=st.integers(4_000, 20_000),
    start=st.floats(0, 0.9),
    share=st.floats(0.05, 1.0),
)
def test_a_span_has_the_length_that_was_asked_for(rate: int, frames: int, start: float, share: float) -> None:
    data = encode(np.zeros(frames), rate, "WAV", "PCM_16")
    total = frames / rate
    offset, seconds = start * total, share * (1 - start) * total
    samples = audio.load(AudioSource(label="x", data=data, offset=offset, seconds=seconds))
    assert abs(len(samples) - seconds * 16_000) <= 16_000 / rate + 2


@given(frames=st.integers(1, 2_000), seed=st.integers(0, 999))
def test_a_lossless_copy_is_the_same_clip(frames: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-(2**15), 2**15, frames).astype(np.int16)
    digests = set()
    for kind, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("WAV", "PCM_24"), ("AIFF", "PCM_16")):
        data = encode(noise, 16_000, kind, subtype)
        digests.add(audio.pcm_digest(audio.load(AudioSource(label="x", data=data))))
    assert len(digests) == 1


WAV = encode(np.zeros(400), 8_000, "WAV", "PCM_16")
FLAC = encode(np.zeros(400), 8_000, "FLAC", "PCM_16")


@given(
    original=st.sampled_from([WAV, FLAC, b""]),
    cut=st.integers(0, 900),
    place=st.integers(0, 60),
    junk=st.binary(max_size=30),
)
@example(original=b"", cut=0, place=0, junk=b"RIFF")
def test_damaged_bytes_are_audio_or_a_named_error(original: bytes, cut: int, place: int, junk: bytes) -> None:
    data = (original[:place] + junk + original[place + len(junk) :])[: len(original) + len(junk) - cut]
    try:
        samples = audio.load(AudioSource(label="clip 7", data=data))
    except CorpusError as error:
        message = str(error)
    else:
        assert len(samples) > 0
        assert np.isfinite(samples).all()
        return
    assert message.startswith("clip 7: ")
