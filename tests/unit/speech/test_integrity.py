"""Files that were cut, garbled or never finished: refused where that is certain, noted where it may be meant so."""

import io
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech import audio, containers, frames, ogg
from pytest_whisperq.speech.audio import WINDOW_SECONDS, AudioSource, Recording
from pytest_whisperq.speech.integrity import UNTOLD
from pytest_whisperq.system.errors import CorpusError

RATE = 16_000
SECONDS = 4.0


def sound(seconds: float = SECONDS, rate: int = RATE) -> np.ndarray:
    """A tone that comes and goes in a little noise: no two parts are alike."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.02, time.size)
    return np.float32(0.3 * np.sin(1400 * time) * np.sin(9 * time) + noise)


@lru_cache
def written(kind: str, subtype: str, seconds: float = SECONDS) -> bytes:
    """A file as libsndfile writes it."""
    file = io.BytesIO()
    soundfile.write(file, sound(seconds), RATE, subtype, format=kind)
    return file.getvalue()


@lru_cache
def muxed(kind: str, codec: str, *options: tuple[str, str], seconds: float = SECONDS, gap: float = 0.0) -> bytes:
    """A file as FFmpeg writes it; after two seconds its clock goes on for ``gap`` seconds without sound."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options=dict(options)) as container:
        rate = 48_000 if codec == "libopus" else RATE
        stream = container.add_stream(codec, rate=rate, layout="mono")
        whole = av.AudioFrame.from_ndarray(sound(seconds, rate)[None], format="fltp", layout="mono")
        whole.sample_rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
        size = stream.codec_context.frame_size or 0
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate, size)
        for frame in (*resampler.resample(whole), *resampler.resample(None), None):
            for packet in stream.encode(frame):
                if packet.pts is not None and packet.pts * packet.time_base >= 2:
                    for name in ("pts", "dts"):
                        setattr(packet, name, getattr(packet, name) + round(gap / packet.time_base))
                container.mux(packet)
    return file.getvalue()


def unended(data: bytes) -> bytes:
    """The same Ogg file without its last page."""
    return data[: data.rindex(b"OggS")]


def read(data: bytes, longest: float | None = None, **span: float) -> Recording:
    return audio.read(AudioSource(label="call", data=data, **span), longest)


def outcome(data: bytes) -> str:
    """What a file is refused for, or noted."""
    try:
        return ", ".join(what for what, _ in read(data).notes)
    except CorpusError as error:
        return str(error)


FILES: dict[str, Callable[[], bytes]] = {
    "aiff": lambda: written("AIFF", "PCM_16"),
    "au": lambda: written("AU", "PCM_16"),
    "caf": lambda: written("CAF", "PCM_16"),
    "w64": lambda: written("W64", "PCM_16"),
    "flac": lambda: written("FLAC", "PCM_16"),
    "mp3": lambda: written("MP3", "MPEG_LAYER_III"),
    "mp3 of lame": lambda: muxed("mp3", "libmp3lame"),
    "vorbis": lambda: written("OGG", "VORBIS"),
    "opus": lambda: written("OGG", "OPUS"),
    "opus of ffmpeg": lambda: muxed("ogg", "libopus"),
    "webm": lambda: muxed("webm", "libopus"),
    "mka": lambda: muxed("matroska", "flac"),
    "m4a": lambda: muxed("mp4", "aac"),
    "m4a in fragments": lambda: muxed("mp4", "aac", ("movflags", "frag_keyframe+empty_moov")),
    "aac": lambda: muxed("adts", "aac"),
}
CHECKED = ("flac", "mp3", "mp3 of lame", "vorbis", "opus", "opus of ffmpeg", "webm", "mka", "m4a", "m4a in fragments")
"""What has more in its middle than samples: a decoder can tell."""


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_whole_is_read_without_a_note(name: str) -> None:
    recording = read(FILES[name](), WINDOW_SECONDS)
    assert abs(len(recording.samples) / RATE - SECONDS) < 0.15  # encoders pad to whole frames
    assert recording.notes == ()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.4, 0.9, 0.973])
def test_a_file_that_was_cut_is_refused(name: str, share: float) -> None:
    data = FILES[name]()
    with pytest.raises(CorpusError, match=r"^call: (is cut off|is damaged|damaged or not audio).*; \w+ (it|the file)"):
        read(data[: int(share * len(data))])


@pytest.mark.parametrize("name", ["aiff", "au", "caf", "w64", "mka", "webm", "m4a"])
def test_a_container_that_lacks_two_bytes_is_refused(name: str) -> None:
    data = FILES[name]()
    whole = f"{len(data):,}"
    with pytest.raises(CorpusError, match=rf"is cut off: it holds {len(data) - 2:,} bytes where .* promises {whole};"):
        read(data[:-2])


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("damage", ["garbled", "zeroed", "cut out"])
def test_a_file_with_damage_in_its_middle_is_refused(name: str, damage: str) -> None:
    data = bytearray(FILES[name]())
    begin, end = int(0.45 * len(data)), int(0.55 * len(data))
    noise = np.random.default_rng(1).integers(0, 256, end - begin, np.uint8).tobytes()
    data[begin:end] = {"garbled": noise, "zeroed": bytes(end - begin), "cut out": b""}[damage]
    told = outcome(bytes(data))
    if name == "webm" and damage == "garbled":  # FFmpeg may find its way again, and what it left out looks like a pause
        assert re.match(r"(call: is damaged|sound is left out in the middle)", told)
    else:
        assert re.match(r"call: (is cut off|is damaged|damaged or not audio)", told)


@pytest.mark.parametrize("name", ["flac", "vorbis", "opus", "mka"])
def test_one_bit_is_enough_where_there_are_checksums(name: str) -> None:
    data = bytearray(FILES[name]())
    data[len(data) // 2] ^= 0x40
    with pytest.raises(CorpusError, match=r"^call: (is damaged|damaged or not audio)"):
        read(bytes(data))


@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_a_bit_anywhere_behind_the_headers_of_an_ogg_file_is_found(name: str) -> None:
    """Libogg goes on with the next page, and the length that it tells is then too short as well."""
    data = FILES[name]()
    for place in range(len(data) // 4, len(data), len(data) // 40):
        harmed = bytearray(data)
        harmed[place] ^= 0x04
        with pytest.raises(CorpusError, match=r"^call: (is damaged|is cut off)"):
            read(bytes(harmed))


def test_a_tag_behind_an_ogg_file_is_no_damage() -> None:
    assert read(FILES["vorbis"]() + b"TAG" + bytes(125)).notes == ()


def test_what_libsndfile_calls_damaged_is_not_left_to_a_decoder_that_leaves_it_out() -> None:
    data = bytearray(FILES["flac"]())
    data[len(data) // 2] ^= 0x40
    with pytest.raises(CorpusError, match=r"is damaged: it cannot be decoded to its end \(.*lost sync"):
        read(bytes(data))


def mp3_header(data: bytes, change: int) -> bytes:
    """The same MP3 with another number of frames in its header."""
    at = data.index(b"Info") + 8
    (count,) = struct.unpack_from(">I", data, at)
    return data[:at] + struct.pack(">I", count + change) + data[at + 4 :]


def test_a_header_of_mp3_that_counts_itself_promises_no_more_than_there_is() -> None:
    data = FILES["mp3 of lame"]()
    assert read(mp3_header(data, 1)).notes == ()
    with pytest.raises(CorpusError, match=r"is cut off: it holds 4\.10 s where its header promises 4\.18 s"):
        read(mp3_header(data, 2))


@pytest.mark.parametrize("name", ["mp3 of lame", "opus", "vorbis"])
def test_two_recordings_in_one_file_are_refused_for_the_second_would_not_be_heard(name: str) -> None:
    with pytest.raises(CorpusError, match=r"holds more than one recording.*; split it, or re-encode it"):
        read(FILES[name]() * 2)


def test_the_count_of_fraunhofers_encoder_is_read_too() -> None:
    data = muxed("mp3", "libmp3lame", ("id3v2_version", "0"))
    body = bytearray(frames_of(data)[0])
    at = body.index(b"Info")
    body[at : at + 12] = bytes(12)
    body[36:40], body[50:54] = b"VBRI", struct.pack(">I", 300)
    held = frames.frames(bytes(body) + data[len(body) :])
    assert held is not None
    assert held.promises == 300


def frames_of(data: bytes) -> list[bytes]:
    """The frames of an MP3 of one bit rate, without tags."""
    size = len(data)
    starts = [at for at in range(size - 1) if data[at : at + 2] == data[:2]]
    return [data[begin:end] for begin, end in zip(starts, [*starts[1:], size], strict=True)]


def test_mp3_without_a_count_is_as_long_as_its_frames() -> None:
    """Libsndfile guesses from the bit rate, and is a little off; a guess that is not kept is no damage."""
    recording = read(muxed("mp3", "libmp3lame", ("write_xing", "0")))
    assert recording.notes == ()
    assert len(recording.samples) == 4.104 * RATE


@pytest.mark.parametrize("kind", ["mp3", "adts"])
def test_frames_without_a_count_are_noted_where_they_end_or_stop_in_the_middle(kind: str) -> None:
    data = muxed(kind, "libmp3lame" if kind == "mp3" else "aac", ("write_xing", "0") if kind == "mp3" else ("v", "0"))
    cut = frames.frames(data[: int(0.4 * len(data))])
    assert cut is not None
    assert cut.is_cut
    assert cut.promises is None
    at = data.index(data[-2000:-1998], len(data) // 2)
    torn = frames.frames(data[:at] + bytes(1000) + data[at:])
    assert torn is not None
    assert torn.stray > 0


def test_an_mp3_without_a_count_that_ends_within_a_frame_is_read_with_a_note() -> None:
    data = muxed("mp3", "libmp3lame", ("write_xing", "0"))
    recording = read(data[: int(0.4 * len(data))])
    assert [what for what, _ in recording.notes] == ["the file ends in the middle of a frame: is it cut off?"]
    assert 1.5 < len(recording.samples) / RATE < 1.7


def test_tags_around_and_between_the_frames_are_no_damage() -> None:
    data = muxed("mp3", "libmp3lame", ("write_xing", "0"), ("id3v2_version", "0"))
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
    tagged = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + data + ape + b"TAG" + bytes(125)
    held = frames.frames(tagged)
    assert held is not None
    assert (held.stray, held.is_cut) == (0, False)
    twice = frames.frames(tagged * 2)
    assert twice == replace(held, holds=2 * held.holds, samples=2 * held.samples)


def test_a_tag_that_says_it_has_no_size_ends_all_the_same() -> None:
    data = FILES["mp3 of lame"]()
    held = frames.frames(data + b"APETAGEX" + struct.pack("<IIII", 2000, 0, 0, 0) + bytes(8))
    assert held == frames.frames(data)


def test_an_ogg_file_without_its_last_page_is_read_for_what_is_there() -> None:
    """As of a recorder that crashed, or of a stream."""
    recording = read(unended(FILES["opus of ffmpeg"]()))
    assert recording.notes == (UNTOLD,)
    assert 2.5 < len(recording.samples) / RATE < SECONDS


def test_pauses_that_an_ogg_recorder_left_out_are_noted() -> None:
    data = muxed("ogg", "libopus", gap=1.5)
    assert not ogg.has_damaged_page(io.BytesIO(data))
    recording = read(data)
    assert len(recording.samples) / RATE == pytest.approx(SECONDS, abs=0.1)
    ((what, detail),) = recording.notes
    assert what.startswith("sound is left out in the middle")
    assert detail == "1.50 s"


def test_pauses_that_a_browser_left_out_are_noted() -> None:
    recording = read(muxed("webm", "libopus", gap=1.5))
    ((what, detail),) = recording.notes
    assert what.startswith("sound is left out in the middle")
    assert detail == "1.50 s"


def test_a_webm_that_does_not_say_how_long_it_is_is_read_for_what_is_there() -> None:
    """As MediaRecorder writes it."""
    data = muxed("webm", "libopus", ("live", "1"))
    for part in (data, data[: int(0.4 * len(data))]):
        assert UNTOLD in read(part).notes
    assert len(read(data).samples) / RATE == pytest.approx(SECONDS, abs=0.1)


def test_a_flac_file_that_was_piped_is_noted_and_its_checksums_are_looked_at() -> None:
    data = bytearray(FILES["flac"]())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    recording = read(bytes(data))
    assert recording.notes == (UNTOLD,)
    assert len(recording.samples) == SECONDS * RATE
    data[len(data) // 2] ^= 0x40
    # Old releases of PyAV decode nothing of it.
    with pytest.raises(CorpusError, match=r"is damaged: 3\.74 s can be decoded of the 4\.00 s|damaged or not audio"):
        read(bytes(data))


@pytest.mark.parametrize(
    ("magic", "at", "unknown"), [(b"FORM", 4, 0), (b".snd", 8, 0xFFFFFFFF), (b"FORM", 4, 2**32 - 1)]
)
def test_other_headers_that_do_not_say_how_long_are_no_cut(magic: bytes, at: int, unknown: int) -> None:
    data = bytearray(FILES["aiff" if magic == b"FORM" else "au"]())
    assert data.startswith(magic)
    data[at : at + 4] = struct.pack(">I", unknown)
    promised = containers.promise(io.BytesIO(data))
    assert promised is not None
    assert promised.promises is None
    assert not promised.is_cut


def test_a_file_cut_within_its_header_is_cut() -> None:
    for name in ("au", "caf", "w64", "m4a", "webm"):
        promised = containers.promise(io.BytesIO(FILES[name]()[: 9 if name in ("au", "caf", "m4a") else 20]))
        assert promised is not None, name
        assert promised.is_cut, name


def test_sound_behind_the_length_that_a_wav_states_is_noted() -> None:
    """Two files put together, or a recorder that crashed after it had brought its header up to date."""
    data = written("WAV", "PCM_16")
    ((what, detail),) = read(data + data).notes
    assert what == "what lies behind the length in the header is not heard"
    assert detail == "4.00 s"
    at = data.index(b"data") + 4
    stale = data[:at] + struct.pack("<I", 32_000) + data[at + 4 :]
    assert [detail for _, detail in read(stale).notes] == ["3.00 s"]
    assert read(data + bytes(8_192)).notes == ()  # blocks of a device are filled with zeros


@pytest.mark.parametrize("name", ["flac", "mp3", "vorbis", "opus", "m4a", "webm"])
def test_a_span_is_read_from_any_of_them(name: str) -> None:
    whole = read(FILES[name]()).samples
    part = read(FILES[name](), offset=1.0, seconds=2.0)
    assert part.notes == ()
    assert len(part.samples) == 2 * RATE
    middle = slice(RATE // 2, RATE)  # what precedes a span may be decoded in another way
    assert np.abs(part.samples[middle] - whole[RATE:][middle]).mean() < 0.05


def test_a_span_that_cannot_be_decoded_to_its_end_is_refused() -> None:
    data = FILES["mp3 of lame"]()
    part = data[: int(0.4 * len(data))]
    assert len(read(part, offset=0.2, seconds=1.0).samples) == RATE
    with pytest.raises(CorpusError, match=r"is damaged: 0\.\d\d s can be decoded of the 1\.00 s"):
        read(part, offset=1.0, seconds=1.0)


LONG: dict[str, Callable[[], bytes]] = {
    "wav": lambda: written("WAV", "PCM_16", 61.0),
    "flac": lambda: written("FLAC", "PCM_16", 61.0),
    "mp3": lambda: muxed("mp3", "libmp3lame", ("write_xing", "0"), seconds=61.0),
    "opus": lambda: written("OGG", "OPUS", 61.0),
    "m4a": lambda: muxed("mp4", "aac", seconds=61.0),
    "webm": lambda: muxed("webm", "libopus", seconds=61.0),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_file_is_refused_before_it_is_decoded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    av = pytest.importorskip("av")

    def decode(*args: object, **options: object) -> None:
        pytest.fail("it was decoded")

    data = LONG[name]()
    monkeypatch.setattr(soundfile.SoundFile, "read", decode)
    monkeypatch.setattr(av, "AudioResampler", decode)
    with pytest.raises(CorpusError, match=r"^call: lasts 61(\.\d+)? s, longer than Whisper's 30 s window; split it"):
        read(data, WINDOW_SECONDS)


def test_a_long_file_that_does_not_say_so_is_decoded_no_further_than_the_window() -> None:
    data = muxed("webm", "libopus", ("live", "1"), seconds=61.0)
    with pytest.raises(CorpusError, match=r"lasts (30\.\d+) s, longer than Whisper's 30 s window"):
        read(data, WINDOW_SECONDS)
    assert len(read(data).samples) / RATE == pytest.approx(61, abs=0.1)


@pytest.mark.parametrize(("samples", "says"), [(480_001, r"30\.00006"), (480_384, r"30\.024")])
def test_a_clip_that_is_a_little_too_long_is_said_to_be_longer(samples: int, says: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(samples), RATE, format="WAV")
    with pytest.raises(CorpusError, match=rf"lasts {says}\d* s, longer than Whisper's 30 s window"):
        read(file.getvalue(), WINDOW_SECONDS)


@pytest.mark.parametrize("name", ["wav", "webm"])
def test_a_span_that_is_too_long_is_refused_and_one_of_a_long_file_is_not(name: str) -> None:
    with pytest.raises(CorpusError, match=r"lasts 31 s, longer than Whisper's 30 s window"):
        read(LONG[name](), WINDOW_SECONDS, offset=1.0, seconds=31.0)
    assert len(read(LONG[name](), WINDOW_SECONDS, offset=29.0, seconds=30.0).samples) == 30 * RATE
    with pytest.raises(CorpusError, match=r"lasts 3[01](\.\d+)? s, longer than Whisper's 30 s window"):
        read(LONG[name](), WINDOW_SECONDS, offset=30.0)


def test_what_a_container_adds_to_thirty_seconds_does_not_make_them_longer() -> None:
    """WebM counts the samples that a decoder of Opus skips before its first one."""
    assert len(read(muxed("webm", "libopus", seconds=30.0), WINDOW_SECONDS).samples) == 30 * RATE
