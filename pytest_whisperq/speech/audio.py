"""Recordings in, 16 kHz mono float32 out: any rate, any channel count, any container soundfile or PyAV can read."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from pytest_whisperq.speech import integrity
from pytest_whisperq.speech.integrity import Note
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.on_disk import BytesOnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from av import AudioFrame
    from av.container import InputContainer
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of everything a Whisper model hears."""

WINDOW_SECONDS = 30.0
"""Seconds that a Whisper hears at once.

A longer clip would lose its end without a word. What is said in one window of a long recording is lost together when a
model loops there.
"""

LOUDEST = 16.0
"""The loudest sample, in full scales (24 dB above it): a recorder of floating point has headroom, but not more."""

REVISION = 3
"""Raised when other recordings are refused, or read in another way, so that nothing remembers how they were read."""

_CANCELLED = 0.01
"""The power of the average, as a part of that of the channels, below which they cancel out; n strangers leave 1/n."""

_MP3_FRAME = 1152
"""The most samples of a frame of MP3: some headers count a frame that holds nothing but the header."""

_TELL = frozenset({"matroska", "webm", "mov", "mp4", "asf"})
"""FFmpeg's names of containers whose header says how long they last."""

_LATE = 0.5
"""Seconds by which the sound of a container may end before it says: recorders stop their clocks a little later."""

_ROUNDING = 0.01
"""Seconds that are no difference: manifests and clocks of containers round to milliseconds."""

_UNKNOWN = 2**62
"""From here on a number of frames is how libsndfile says that a file does not tell."""


class AudioSource(NamedTuple):
    """Where a clip comes from: a ``file`` or bytes held in a table, optionally cut to a span in seconds.

    ``label`` is what messages call it.
    """

    label: str
    file: str | None = None
    data: bytes | BytesOnDisk | None = None
    offset: float = 0.0
    seconds: float | None = None

    def __repr__(self) -> str:
        told = {name: value for name, value in self._asdict().items() if name != "data"}  # megabytes
        return f"AudioSource({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    @property
    def is_whole(self) -> bool:
        """Whether the clip is all of the recording."""
        return not self.offset and self.seconds is None

    @property
    def path(self) -> Path | None:
        """The file as a path; a million of those would take 300 MB more than their names."""
        return None if self.file is None else Path(self.file)

    def open(self) -> "io.BytesIO | io.BufferedReader":
        """Return the encoded recording as a seekable file; raise `CorpusError` when it cannot be read."""
        if self.data is not None:
            return io.BytesIO(bytes(self.data))
        if self.file is None:
            raise CorpusError(
                "this row has neither audio bytes nor an audio file",
                where=self.label,
                remedy="name a file or remove the row",
            )
        try:
            return Path(self.file).open("rb")
        except OSError as error:
            raise CorpusError(f"cannot be read: {error.strerror or error}", where=self.label) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A clip as it was decoded, see `load`, and what may be wrong with it."""

    samples: "NDArray[np.float32]"
    notes: tuple[Note, ...] = ()


def load(source: AudioSource) -> "NDArray[np.float32]":
    """Decode a clip to its samples, shape (n,), float32 in about [-1, 1], mono at `SAMPLE_RATE`.

    Channels are averaged. Raises `CorpusError` for anything that is not finite, non-empty audio, and for what is not
    all there.
    """
    return read(source).samples


def read(source: AudioSource, longest: float | None = None) -> Recording:
    """Return what `load` does, with its notes; ``longest`` seconds are not exceeded.

    Raises `CorpusError` as `load` does, and before anything is decoded for a clip that says it is longer.
    """
    import numpy as np
    import soxr

    samples, rate, notes = _decoded(source, longest)
    if samples.shape[0] == 0:
        raise CorpusError("contains no samples", where=source.label, remedy="record it again or remove its line")
    mono = _mono(samples, source)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    if mono.shape[0] == 0:  # a sample or two at a high rate are less than one at ours
        raise CorpusError(
            "is too short to hold a sample", where=source.label, remedy="record it again or remove its line"
        )
    return Recording(samples=np.ascontiguousarray(mono, dtype=np.float32), notes=notes)


def channels(source: AudioSource, longest: float | None = None) -> "tuple[NDArray[np.float32], int]":
    """Return the channels of a clip before they are averaged, shape (n, channels), and their samples a second.

    Raises `CorpusError` as `read` does.
    """
    samples, rate, _ = _decoded(source, longest)
    return samples, rate


def _decoded(source: AudioSource, longest: float | None) -> "tuple[NDArray[np.float32], int, tuple[Note, ...]]":
    _refuse_longer(source.seconds or 0.0, longest, source)
    with source.open() as file:
        if not file.read(1):
            raise CorpusError(
                "the file is empty (0 bytes)", where=source.label, remedy="record it again or remove its line"
            )
        file.seek(0)
        whole, notes = integrity.complete(file, source.label)
        samples, rate, more = _decode_soundfile(whole, source, longest)
    # Container and decoder may both find that no length is stated.
    return samples, rate, tuple(dict.fromkeys((*notes, *more)))


def _mono(samples: "NDArray[np.float32]", source: AudioSource) -> "NDArray[np.float32]":
    """Average the channels; raise `CorpusError` for numbers that no recording has, or that cancel each other out."""
    import numpy as np

    if not np.isfinite(samples).all():
        raise CorpusError(
            "contains samples that are not numbers (NaN or infinity)", where=source.label, remedy="re-encode it"
        )
    peak = float(np.abs(samples).max())
    if peak >= 2 and (samples == np.round(samples)).all():
        raise CorpusError(
            f"its samples are whole numbers up to {peak:,.0f}, where full scale is 1",
            where=source.label,
            remedy="divide them by 32768, or by what full scale was before they became floating point",
        )
    if peak > LOUDEST:
        raise CorpusError(
            f"its loudest sample is {peak:,.4g}, where full scale is 1",
            where=source.label,
            remedy="scale it to [-1, 1]",
        )
    mono: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
    if float(np.square(mono).mean(dtype=np.float64)) < _CANCELLED * float(np.square(samples).mean(dtype=np.float64)):
        raise CorpusError(
            f"its {samples.shape[1]} channels cancel each other out: their average is more than 20 dB below them",
            where=source.label,
            remedy="keep one of them, or turn the phase of one",
        )
    return mono


def native_rate(source: AudioSource) -> int | None:
    """Return the samples per second that a recording is stored at; None where libsndfile cannot read it."""
    told = stored_as(source)
    return told and told[0]


def stored_as(source: AudioSource) -> tuple[int, int] | None:
    """Return the samples per second and the channels of a recording as stored; None where libsndfile cannot read it."""
    import soundfile

    try:
        with source.open() as file:
            info = soundfile.info(file)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: .raw has no header, and soundfile wants to be told
        return None
    return int(info.samplerate), int(info.channels)


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


def _decode_soundfile(
    file: IO[bytes], source: AudioSource, longest: float | None
) -> "tuple[NDArray[np.float32], int, list[Note]]":
    """Read the span of ``source`` only: an hour cut into a thousand segments must not be decoded a thousand times."""
    import soundfile

    try:
        sound = soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        return _decode_av(file, source, longest, str(error))
    except TypeError as error:  # soundfile wants to be told what a file called .raw holds
        raise CorpusError(
            ".raw says neither rate nor format", where=source.label, remedy="convert it to wav"
        ) from error
    with sound:
        rate = int(sound.samplerate)
        if sound.frames >= _UNKNOWN:
            untold = "its header does not say how long it is, as of a FLAC file that was written to a pipe"
            samples, rate, notes = _decode_av(file, source, longest, untold)
            return samples, rate, [integrity.UNTOLD, *notes]
        length, slack, notes = sound.frames, 0, list[Note]()
        if source.is_whole and sound.format == "MP3":
            # Where no header counts the frames, libsndfile's number of samples is a guess.
            frames, notes = integrity.check_frames(file, source.label)
            if frames:
                length, slack = (length if frames.promises is not None else frames.samples), _MP3_FRAME
        elif source.is_whole and sound.format == "OGG":
            notes = integrity.check_pages(file, source.label)
        start, stop = _span(length, rate, source)
        _refuse_longer((stop - start) / rate, longest, source)
        try:
            sound.seek(start)
            samples = sound.read(stop - start, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            # FFmpeg would read on behind what is damaged, and leave it out.
            raise CorpusError(
                f"is damaged: it cannot be decoded to its end ({str(error).strip() or 'invalid data'})",
                where=source.label,
                remedy="copy it again, or remove its line",
            ) from error
    if len(samples) + (slack if source.is_whole else _ROUNDING * rate) < stop - start:
        promised = (stop - start) / rate
        notes += integrity.missing(file, source.label, len(samples) / rate, promised)
    return samples, rate, notes


def _decode_av(
    file: IO[bytes], source: AudioSource, longest: float | None, first_error: str
) -> "tuple[NDArray[np.float32], int, list[Note]]":
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

    file.seek(0)
    try:
        with av.open(file) as container:
            if not container.streams.audio:
                raise CorpusError(
                    "has no audio stream", where=source.label, remedy="extract the sound or remove its line"
                )
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise CorpusError(
                    "damaged, or in a format nothing here can read", where=source.label, remedy="replace the file"
                )
            if stream.codec_context.name == "flac":  # whose frames have checksums that FFmpeg looks at when told to
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
            promised = _promised(container)
            if source.is_whole and longest is not None and (promised or 0.0) > longest + _LATE:
                _refuse_longer(promised or 0.0, longest, source)
            limit = source.seconds if source.seconds is not None else longest
            decoded = _Decoded(int(stream.rate), None if limit is None else source.offset + limit + _ROUNDING)
            decoded.take(container.decode(stream))
            kind = container.format.name
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"damaged or not audio ({reason})", where=source.label, remedy="replace the file") from error
    if not decoded.blocks:
        raise CorpusError("contains no samples", where=source.label, remedy="record it again or remove its line")
    samples = np.concatenate(decoded.blocks, axis=1).T.astype(np.float32)
    start, stop = _span(samples.shape[0], decoded.rate, source)
    _refuse_longer((stop - start) / decoded.rate, longest, source)
    notes = [] if decoded.is_stopped else _whole_notes(file, source, kind, decoded, promised)
    return samples[start:stop], decoded.rate, notes


def _whole_notes(
    file: IO[bytes], source: AudioSource, kind: str, decoded: "_Decoded", promised: float | None
) -> list[Note]:
    """Compare all that was decoded of a file with what its container says, and with its clock."""
    # FLAC knows no pauses: FFmpeg leaves out frames that are damaged.
    if kind == "flac" and decoded.left_out > _ROUNDING:
        integrity.missing(file, source.label, decoded.end - decoded.left_out, decoded.end)
    notes = integrity.left_out(decoded.left_out)
    if kind in ("aac", "mp3"):
        notes += integrity.check_frames(file, source.label)[1]
    elif kind == "ogg":
        notes += integrity.check_pages(file, source.label)
    if promised is not None and decoded.end < promised - _LATE:
        notes += integrity.missing(file, source.label, decoded.end, promised)
    return notes


class _Decoded:
    """The frames of a stream, up to ``limit`` seconds, and what their times tell."""

    def __init__(self, rate: int, limit: float | None) -> None:
        self.rate = rate
        self.blocks: list[NDArray[np.float32]] = []
        self.is_stopped = False
        self.left_out = 0.0
        self.end = 0.0
        self._limit = limit

    def take(self, frames: "Iterable[AudioFrame]") -> None:
        """Take the frames of a stream as floating point, one row a channel."""
        import av

        resampler = av.AudioResampler(format="fltp", rate=self.rate)
        seconds = 0.0
        for frame in frames:
            length = frame.samples / frame.sample_rate
            begin = self.end if frame.time is None else frame.time
            if self.blocks:
                self.left_out += max(0.0, begin - self.end)
            self.end = begin + length
            self.blocks += [block.to_ndarray() for block in resampler.resample(frame)]
            seconds += length
            if self._limit is not None and seconds > self._limit:
                self.is_stopped = True
                return


def _promised(container: "InputContainer") -> float | None:
    """Return the seconds that the header of a container gives its sound; None where FFmpeg would only estimate them."""
    import av

    stream = container.streams.audio[0]
    if not any(name in _TELL for name in container.format.name.split(",")):
        return None
    told = []
    if stream.duration is not None and stream.time_base is not None:
        told.append(float(stream.duration * stream.time_base))
    if container.duration is not None and (told or len(container.streams) == 1):  # else it may be that of the picture
        told.append(container.duration / av.time_base)
    return min(told, default=None)


def _refuse_longer(seconds: float, longest: float | None, source: AudioSource) -> None:
    if longest is not None and seconds > longest:
        raise CorpusError(
            f"lasts {seconds:.7g} s, longer than Whisper's {longest:g} s window",
            where=source.label,
            remedy="split it at pauses, one line and transcript each",
        )


def _span(length: int, rate: int, source: AudioSource) -> tuple[int, int]:
    """Return the first sample of the clip and the one after its last, in a recording of ``length`` samples."""
    start = round(source.offset * rate)
    stop = length if source.seconds is None else start + round(source.seconds * rate)
    if (start and start >= length) or stop > length + _ROUNDING * rate:
        raise CorpusError(
            f"offset {source.offset} s and duration {source.seconds} s reach outside the {length / rate:.2f} "
            "s recording",
            where=source.label,
            remedy="correct the manifest",
        )
    return start, min(stop, length)
