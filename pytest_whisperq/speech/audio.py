"""Recordings in, 16 kHz mono float32 out: any rate, any channel count, any container soundfile or PyAV can read."""

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_whisperq.speech import riff
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of everything a Whisper model hears."""

WINDOW_SECONDS = 30.0
"""Seconds that a Whisper hears at once.

A longer clip would lose its end without a word. What is said in one window of a long recording is lost together when a
model loops there.
"""

REVISION = 2
"""Raised when other recordings are refused, or read in another way, so that nothing remembers how they were read."""

_UNKNOWN = 2**62
"""From here on a number of frames is how libsndfile says that a file does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSource:
    """Where a clip comes from: a file or bytes held in a table, optionally cut to a span in seconds.

    ``label`` is what messages call it.
    """

    label: str
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    offset: float = 0.0
    seconds: float | None = None

    def open(self) -> "io.BytesIO | io.BufferedReader":
        """Return the encoded recording as a seekable file; raise `CorpusError` when it cannot be read."""
        if self.data is not None:
            return io.BytesIO(self.data)
        if self.path is None:
            raise CorpusError(
                "this row has neither audio bytes nor an audio file",
                where=self.label,
                remedy="name a file or remove the row",
            )
        try:
            return self.path.open("rb")
        except OSError as error:
            raise CorpusError(f"cannot be read: {error.strerror or error}", where=self.label) from error


def load(source: AudioSource) -> "NDArray[np.float32]":
    """Decode a clip to its samples, shape (n,), float32 in about [-1, 1], mono at `SAMPLE_RATE`.

    Channels are averaged. Raises `CorpusError` for anything that is not finite, non-empty audio.
    """
    import numpy as np
    import soxr

    with source.open() as file:
        if not file.read(1):
            raise CorpusError(
                "the file is empty (0 bytes)", where=source.label, remedy="record it again or remove its line"
            )
        file.seek(0)
        samples, rate = _decode_soundfile(_whole(file, source), source)
    if samples.shape[0] == 0:
        raise CorpusError("contains no samples", where=source.label, remedy="record it again or remove its line")
    if not np.isfinite(samples).all():
        raise CorpusError(
            "contains samples that are not numbers (NaN or infinity)", where=source.label, remedy="re-encode it"
        )
    mono = samples.mean(axis=1, dtype=np.float32)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    if mono.shape[0] == 0:  # a sample or two at a high rate are less than one at ours
        raise CorpusError(
            "is too short to hold a sample", where=source.label, remedy="record it again or remove its line"
        )
    return np.ascontiguousarray(mono, dtype=np.float32)


def native_rate(source: AudioSource) -> int | None:
    """Return the samples per second that a recording is stored at; None where libsndfile cannot read it."""
    import soundfile

    try:
        with source.open() as file:
            return int(soundfile.info(file).samplerate)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: .raw has no header, and soundfile wants to be told
        return None


def pcm_digest(samples: "NDArray[np.float32]") -> str:
    """Return the identity of a clip: SHA-256 of its 16-bit PCM, so that a lossless re-encoding is the same clip."""
    import numpy as np

    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    return hashlib.sha256(pcm.tobytes()).hexdigest()


def as_flac(samples: "NDArray[np.float32]") -> bytes:
    """Return a clip at `SAMPLE_RATE` as a FLAC file of 16 bits, which every browser plays; louder than 1 is clipped."""
    import numpy as np
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), SAMPLE_RATE, "PCM_16", format="FLAC")
    return file.getvalue()


def _whole(file: "io.BytesIO | io.BufferedReader", source: AudioSource) -> "io.BytesIO | io.BufferedReader":
    """Refuse a WAV that was cut, and return one whose header does not say how long it is as one that does."""
    sound = riff.sound_data(file)
    if sound is None:
        return file
    if sound.is_cut:
        seconds = [
            f"{size / sound.rate:.2f} s" if sound.rate else "sound" for size in (sound.holds, sound.promises or 0)
        ]
        raise CorpusError(
            f"is cut off: it holds {seconds[0]} ({sound.holds:,} bytes) where its header promises "
            f"{seconds[1]} ({sound.promises:,} bytes)",
            where=source.label,
            remedy="copy it again, or remove its line",
        )
    if sound.promises is not None:
        return file
    try:
        return io.BytesIO(riff.with_size(file, sound))
    except ValueError as error:
        raise CorpusError(
            str(error), where=source.label, remedy="split it, or write it to a file instead of a pipe"
        ) from error


def _decode_soundfile(file: "io.BytesIO | io.BufferedReader", source: AudioSource) -> "tuple[NDArray[np.float32], int]":
    """Read the span of ``source`` only: an hour cut into a thousand segments must not be decoded a thousand times."""
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            rate = int(sound.samplerate)
            if sound.frames < _UNKNOWN:
                start, stop = _span(sound.frames, rate, source)
                sound.seek(start)
                return sound.read(stop - start, dtype="float32", always_2d=True), rate
            problem = "its header does not say how long it is, as of a FLAC file that was written to a pipe"
    except soundfile.LibsndfileError as error:
        problem = str(error)
    except TypeError as error:  # soundfile wants to be told what a file called .raw holds
        raise CorpusError(
            ".raw says neither rate nor format", where=source.label, remedy="convert it to wav"
        ) from error
    file.seek(0)
    samples, rate = _decode_av(file, source, problem)
    start, stop = _span(samples.shape[0], rate, source)
    return samples[start:stop], rate


def _decode_av(
    file: "io.BytesIO | io.BufferedReader", source: AudioSource, first_error: str
) -> "tuple[NDArray[np.float32], int]":
    """Read what libsndfile cannot (m4a, webm …) through FFmpeg's libraries."""
    import numpy as np

    if optional_imports.missing(("av",)):
        raise CorpusError(
            f"not readable as wav, flac, ogg or mp3 ({first_error.strip()})",
            where=source.label,
            remedy=(
                f"if it is m4a or another container, run: {optional_imports.install_line('data')}; otherwise "
                "the file is damaged: replace it"
            ),
        )
    import av

    try:
        with av.open(file) as container:
            if not container.streams.audio:
                raise CorpusError(
                    "has no audio stream", where=source.label, remedy="extract the sound or remove its line"
                )
            if container.streams.audio[0].codec_context is None:
                raise CorpusError(
                    "damaged, or in a format nothing here can read", where=source.label, remedy="replace the file"
                )
            rate = container.streams.audio[0].rate
            resampler = av.AudioResampler(format="fltp", rate=rate)
            frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    except (av.FFmpegError, ValueError) as error:
        raise CorpusError(f"damaged or not audio ({error})", where=source.label, remedy="replace the file") from error
    if not frames:
        raise CorpusError("contains no samples", where=source.label, remedy="record it again or remove its line")
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T.astype(np.float32), int(rate)


def _span(length: int, rate: int, source: AudioSource) -> tuple[int, int]:
    """Return the first sample of the clip and the one after its last, in a recording of ``length`` samples."""
    start = round(source.offset * rate)
    stop = length if source.seconds is None else start + round(source.seconds * rate)
    # Manifests round to milliseconds: allow that much past the end, not more.
    if (start and start >= length) or stop > length + rate // 100:
        raise CorpusError(
            f"offset {source.offset} s and duration {source.seconds} s reach outside the {length / rate:.2f} "
            "s recording",
            where=source.label,
            remedy="correct the manifest",
        )
    return start, min(stop, length)
