"""Decoding: any rate, channel count and container to 16 kHz mono, and one clear error for what is not audio."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech import audio, riff
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import CorpusError


def encoded(samples: object, rate: int = 16_000, subtype: str | None = None, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(samples), rate, subtype, format=kind)
    return file.getvalue()


def load(data: bytes, **span: float) -> np.ndarray:
    return audio.load(AudioSource(label="a.wav", data=data, **span))


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_16_khz_with_the_same_pitch_and_length(rate: int) -> None:
    samples = load(encoded(tone(rate), rate, "FLOAT"))
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    assert abs(len(samples) - 8_000) <= 2
    middle = slice(1_000, 7_000)  # a resampler's edges ring
    np.testing.assert_allclose(samples[middle], tone(16_000)[middle], atol=0.01)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(channels: int) -> None:
    levels = np.linspace(-0.4, 0.6, channels)
    samples = load(encoded(np.tile(levels, (100, 1)), subtype="FLOAT"))
    np.testing.assert_allclose(samples, np.full(100, levels.mean()), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_24"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"), ("WAV", "FLOAT")]
)
def test_a_lossless_copy_is_the_same_clip(kind: str, subtype: str) -> None:
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, 4_000).astype(np.int16)
    original = load(encoded(noise))
    source = noise / 32_768 if subtype == "FLOAT" else noise
    copy = load(encoded(source, subtype=subtype, kind=kind))
    assert audio.pcm_digest(copy) == audio.pcm_digest(original)


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_containers_are_read(kind: str, subtype: str) -> None:
    samples = load(encoded(tone(16_000, 1.0), subtype=subtype, kind=kind))
    assert abs(len(samples) - 16_000) < 2_500  # mp3 pads to whole frames
    assert 0.2 < np.sqrt(np.mean(samples[4_000:12_000] ** 2)) < 0.5


def test_another_recording_is_another_clip() -> None:
    one, other = tone(16_000).astype(np.float32), tone(16_000).astype(np.float32)
    other[100] += 0.001
    assert audio.pcm_digest(one) != audio.pcm_digest(other)
    assert audio.pcm_digest(one) == audio.pcm_digest(one * np.float32(1 + 1e-7))


def test_samples_beyond_full_scale_are_clipped_in_the_digest_only() -> None:
    samples = load(encoded([0.5, 1.5, -2.0], subtype="FLOAT"))
    np.testing.assert_array_equal(samples, np.float32([0.5, 1.5, -2.0]))
    assert audio.pcm_digest(samples) == audio.pcm_digest(np.float32([0.5, 1.0, -1.0]))


@pytest.mark.parametrize("full_scale", [32_767, 127, 2])
def test_whole_numbers_that_were_handed_over_as_floating_point_are_refused(full_scale: int) -> None:
    samples = np.round(tone(16_000) * 2 * full_scale)
    with pytest.raises(CorpusError, match=rf"are whole numbers up to {full_scale:,}, where full scale is 1"):
        load(encoded(samples, subtype="FLOAT"))


@pytest.mark.parametrize("peak", [16.5, 1e5, 3e38])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_that_is_far_too_loud_is_refused_before_it_overflows(peak: float, channels: int) -> None:
    samples = np.full((100, channels), 0.1)
    samples[50] = peak
    with pytest.raises(CorpusError, match=r"its loudest sample is [\d.,e+]+, where full scale is 1; scale it"):
        load(encoded(samples, subtype="FLOAT"))


def test_sound_that_floating_point_of_32_bits_cannot_hold_is_refused() -> None:
    with pytest.raises(CorpusError, match="not numbers"):
        load(encoded([0.0, 1e300], subtype="DOUBLE"))


def test_a_wave_at_full_scale_is_no_whole_number() -> None:
    np.testing.assert_array_equal(load(encoded([0.0, 1.0, -1.0], subtype="FLOAT")), np.float32([0, 1, -1]))


@pytest.mark.parametrize("rest", [0.0, 0.05])
def test_channels_that_cancel_each_other_out_are_refused(rest: float) -> None:
    left = tone(16_000)
    with pytest.raises(CorpusError, match=r"its 2 channels cancel each other out: .* more than 20 dB below them"):
        load(encoded(np.stack([left, -(1 - rest) * left], axis=1)))


def test_channels_that_have_little_in_common_do_not_cancel_each_other_out() -> None:
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 8000))
    for pair in ([left, right], [left, 0 * left], [left, 0.1 * right - 0.5 * left], [0 * left, 0 * left]):
        assert len(load(encoded(np.stack(pair, axis=1)))) == 8000


def test_m4a_is_read_through_pyav() -> None:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(44_100, 1.0).astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    samples = load(file.getvalue())
    assert abs(len(samples) - 16_000) < 1_000
    assert 0.25 < np.sqrt(np.mean(samples[4_000:12_000] ** 2)) < 0.45


@pytest.mark.parametrize(
    ("kind", "codec", "rate"),
    [("mp4", "aac", 44_100), ("matroska", "aac", 44_100), ("asf", "wmav2", 44_100), ("amr", "amr_nb", 8_000)],
)
def test_mp4_mka_wma_and_amr_are_read_through_pyav_and_named_without_it(
    kind: str, codec: str, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    av = pytest.importorskip("av")
    name = "libopencore_amrnb" if codec == "amr_nb" else codec
    if name not in av.codecs_available:
        pytest.skip(f"this PyAV does not write {name}")
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(name, rate=rate, layout="mono", bit_rate=12_200 if kind == "amr" else 96_000)
        context = stream.codec_context
        frame = av.AudioFrame.from_ndarray(tone(rate, 1.0).astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(context.format, "mono", rate, context.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            for packet in stream.encode(part):
                container.mux(packet)
    samples = load(file.getvalue())
    assert abs(len(samples) - 16_000) < 1_500
    assert 0.2 < np.sqrt(np.mean(samples[4_000:12_000] ** 2)) < 0.45
    monkeypatch.setattr(optional_imports, "missing", lambda modules: list(modules))
    with pytest.raises(
        CorpusError, match=r'not readable as wav.*another container.*pip install "pytest-whisperq\[data\]"'
    ):
        load(file.getvalue())


def test_a_flac_file_that_does_not_say_how_long_it_is_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What writes to a pipe cannot go back to put the number of samples into the header."""
    samples = np.sin(np.arange(8000, dtype=np.float32))
    piped = bytearray(audio.as_flac(samples))
    piped[21] &= 0xF0
    piped[22:26] = bytes(4)
    heard = audio.load(AudioSource(label="piped.flac", data=bytes(piped), offset=0.1, seconds=0.2))
    np.testing.assert_allclose(heard, samples[1600:4800], atol=1e-4)
    monkeypatch.setattr(optional_imports, "missing", lambda modules: modules)
    with pytest.raises(CorpusError, match=r"piped\.flac: not readable .*does not say how long it is"):
        audio.load(AudioSource(label="piped.flac", data=bytes(piped)))


def test_without_pyav_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_imports, "missing", lambda modules: list(modules))
    with pytest.raises(CorpusError, match=r'a\.wav: not readable as wav.*pip install "pytest-whisperq\[data\]"'):
        load(b"this is not audio at all" * 10)


def test_a_span_is_cut_in_seconds() -> None:
    ramp = encoded(np.arange(32_000) / 32_000, subtype="FLOAT")
    samples = load(ramp, offset=0.5, seconds=0.25)
    assert len(samples) == 4_000
    assert samples[0] == pytest.approx(0.25)
    assert len(load(ramp, offset=1.5)) == 8_000
    assert len(load(ramp, offset=1.5, seconds=0.505)) == 8_000  # manifests round


@pytest.mark.parametrize("span", [{"offset": 2.0}, {"offset": 1.0, "seconds": 1.1}, {"offset": 3.0, "seconds": 1.0}])
def test_a_span_outside_the_recording_is_refused(span: dict[str, float]) -> None:
    with pytest.raises(
        CorpusError, match=r"a\.wav: offset .* reach outside the 2\.00 s recording; correct the manifest"
    ):
        load(encoded(np.zeros(32_000)), **span)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (encoded(np.zeros(0)), "contains no samples"),
        (encoded(np.zeros(1), 192_000), "is too short to hold a sample"),
        (encoded([0.0, np.nan, 0.0], subtype="FLOAT"), "not numbers"),
        (encoded([0.0, np.inf], subtype="FLOAT"), "not numbers"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "damaged or not audio|not readable|no audio stream|no samples"),
        (b"hello " * 100, "damaged or not audio|not readable"),
    ],
    ids=["no bytes", "no samples", "one sample at 192 kHz", "NaN", "infinity", "a cut header", "text"],
)
def test_what_is_not_audio_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(CorpusError, match=rf"^a\.wav: .*({says})"):
        load(data)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"^a\.wav: cannot be read: No such file"):
        audio.load(AudioSource(label="a.wav", file=str(tmp_path / "a.wav")))
    with pytest.raises(CorpusError, match="neither audio bytes nor an audio file"):
        audio.load(AudioSource(label="a.wav"))


def test_samples_without_a_header_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "call.raw"
    path.write_bytes(bytes(3200))
    source = AudioSource(label="call.raw", file=str(path))
    with pytest.raises(CorpusError, match=r"call\.raw: \.raw says neither rate nor format; convert it to wav"):
        audio.load(source)
    assert audio.native_rate(source) is None


def wav(seconds: float = 1.0, kind: str = "WAV", subtype: str = "PCM_16", endian: str = "FILE") -> bytearray:
    """A recording with its sound in the last chunk."""
    file = io.BytesIO()
    soundfile.write(file, tone(16_000, seconds), 16_000, subtype, format=kind, endian=endian)
    return bytearray(file.getvalue())


def told(data: bytearray, size: int, order: str = "<") -> bytes:
    """The same with another size of its sound in the header."""
    at = data.index(b"data") + 4
    return bytes(data[:at] + struct.pack(f"{order}I", size) + data[at + 4 :])


@pytest.mark.parametrize("share", [0.4, 0.999])
@pytest.mark.parametrize(
    ("kind", "subtype", "endian"),
    [
        ("WAV", "PCM_16", "FILE"),
        ("WAV", "PCM_16", "BIG"),
        ("WAV", "FLOAT", "FILE"),
        ("WAV", "ULAW", "FILE"),
        ("WAVEX", "PCM_24", "FILE"),
        ("RF64", "PCM_16", "FILE"),
    ],
)
def test_a_wav_that_was_cut_is_refused_with_both_lengths(kind: str, subtype: str, endian: str, share: float) -> None:
    data = bytes(wav(kind=kind, subtype=subtype, endian=endian))
    assert len(load(data)) == 16_000
    with pytest.raises(
        CorpusError, match=r"^a\.wav: is cut off: it holds .* bytes\) where its header promises 1\.00 s"
    ):
        load(data[: int(share * len(data))])


def test_a_wav_without_its_last_sample_is_cut_too() -> None:
    with pytest.raises(
        CorpusError, match=r"it holds 1\.00 s \(31,998 bytes\) where its header promises 1\.00 s \(32,000 bytes\)"
    ):
        load(bytes(wav()[:-2]))


def test_a_span_of_a_wav_that_was_cut_is_refused_though_it_is_there() -> None:
    with pytest.raises(CorpusError, match="is cut off"):
        load(bytes(wav()[:20_000]), offset=0.1, seconds=0.1)


@pytest.mark.parametrize(
    "size", [0, 0xFFFFFFFF, 0xFFFFFFDB, 0x80000000, 0x7FFFFFFF, 0x7FFFFF00, 0x7FFFF000, 0x7FFFEFFF]
)
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_a_wav_whose_header_does_not_say_how_long_it_is_is_read_for_what_is_there(size: int, share: float) -> None:
    """As of a recorder that crashed, or of what writes to a pipe."""
    whole = wav()
    samples = load(told(whole, size)[: int(share * len(whole))])
    expected = tone(16_000, 1.0)[: (int(share * len(whole)) - whole.index(b"data") - 8) // 2]
    np.testing.assert_allclose(samples, expected, atol=1e-4)


def test_a_big_endian_wav_of_unknown_length_is_read_too() -> None:
    np.testing.assert_allclose(load(told(wav(endian="BIG"), 0, ">")), tone(16_000, 1.0), atol=1e-4)


def test_tags_behind_an_empty_recording_are_no_sound() -> None:
    empty = bytearray(encoded(np.zeros(0)))
    assert empty.endswith(b"data" + bytes(4))
    with pytest.raises(CorpusError, match="contains no samples"):
        load(bytes(empty) + b"LIST" + struct.pack("<I", 4) + b"INFO")


def test_tags_before_and_behind_the_sound_do_not_matter() -> None:
    data, tags = bytes(wav()), b"LIST" + struct.pack("<I", 5) + b"INFO!" + b"\0"
    at = data.index(b"data")
    assert len(load(data[:at] + tags + data[at:] + tags)) == 16_000
    with pytest.raises(CorpusError, match="is cut off"):
        load(data[:at] + tags + data[at:-100])


@pytest.mark.parametrize("large", [0, 2**64 - 1])
@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_a_large_wav_of_unknown_length_is_read_too(magic: bytes, large: int) -> None:
    data = wav(kind="RF64")
    data[:4] = magic
    at = data.index(b"ds64") + 8
    data[at + 8 : at + 16] = struct.pack("<Q", large)
    np.testing.assert_allclose(load(told(data, 0xFFFFFFFF)), tone(16_000, 1.0), atol=1e-4)


def test_a_large_wav_that_was_cut_is_refused_under_its_newer_name() -> None:
    data = wav(kind="RF64")
    data[:4] = b"BW64"
    with pytest.raises(CorpusError, match=r"is cut off: it holds .* where its header promises 1\.00 s"):
        load(bytes(data[:20_000]))


def test_sizes_that_no_sample_is_missing_for_are_no_cut() -> None:
    """A size with half a sample more, and an odd one of 8 bits that was rounded up to the pad byte."""
    assert len(load(told(wav(), 32_001))) == 16_000
    eight = bytearray(encoded(tone(16_000)[:7_999], subtype="PCM_U8"))
    assert len(load(told(eight, 8_000)[: eight.index(b"data") + 8 + 7_999])) == 7_999


def test_a_wav_of_unknown_length_beyond_what_riff_can_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        riff, "sound_data", lambda file: riff.SoundData(promises=None, holds=2**32, rate=32_000, frame=2, size_at=40)
    )
    with pytest.raises(CorpusError, match=r"^a\.wav: a WAV of 4 GiB or more has to say how long it is; split it"):
        load(bytes(wav()))
