"""What a run's models say about long recordings window by window, as if these arrived live; each decoded once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pytest_whisperq.backends import (
    Aligns,
    Clip,
    Hypothesis,
    TellsWordTimes,
    TimedWord,
    Transcriber,
    _whisper,
    check_installed,
    get_backend,
)
from pytest_whisperq.decoding.errors import decode_errors
from pytest_whisperq.decoding.transcript_cache import TranscriptSet, uncached_transcripts
from pytest_whisperq.measuring.edges import measure_profile
from pytest_whisperq.measuring.longform import share_out
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import WINDOW_SECONDS
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.corpus.longform import LongRecording, whole
from pytest_whisperq.speech.corpus.spacing import is_spaced
from pytest_whisperq.streaming import Chunk, StreamProfile, StreamWord, TimeAnchoredMerge, join, key
from pytest_whisperq.streaming.overlap import load_profile
from pytest_whisperq.streaming.simulate import Event, play, windows
from pytest_whisperq.system.errors import CorpusError, DecodeError, StreamError

ALIGNER = ("ctranslate2", "float32")
"""What finds out when words were said where a runtime cannot: it shows the attention that forced alignment follows."""

PER_MS = audio.SAMPLE_RATE // 1000
"""Samples of a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedRecording:
    """What one model heard in the windows of a recording, and how long decoding each took, in ms."""

    chunks: tuple[Chunk, ...]
    took: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """One model's streams: what came of each recording, and their normalized texts cut where its utterances part.

    ``offline`` is what it says about the utterances one by one, decoded in the same way.
    """

    offline: TranscriptSet
    transcripts: TranscriptSet
    decoded: tuple[DecodedRecording, ...]
    events: tuple[tuple[Event, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A loaded model that hears windows. Where it tells no times of words, the ``aligner`` finds them."""

    transcriber: Transcriber
    aligner: Aligns | None

    def hear(self, clip: Clip) -> Hypothesis | Sequence[TimedWord]:
        """Return what is said in a clip, with the times of words where the model tells them."""
        if isinstance(self.transcriber, TellsWordTimes):
            return self.transcriber.transcribe_words(clip)
        return self.transcriber.transcribe([clip])[0]

    def words(self, clip: Clip, begun: int) -> tuple[tuple[StreamWord, ...], float]:
        """Return the words of a window that begins ``begun`` ms after its stream, and how long decoding took, in ms.

        Aligning is not counted. Raises `DecodeError` for a model that tells no times, where nothing aligns.
        """
        started = time.perf_counter()
        output = self.hear(clip)
        took = 1000 * (time.perf_counter() - started)
        if isinstance(output, Hypothesis):
            if self.aligner is None:
                raise DecodeError("tells no times of words, and nothing aligns them", remedy="report this as a defect")
            told = Clip(samples=clip.samples, language=clip.language or output.language)
            output = self.aligner.align(told, output.tokens or output.text)  # a backend need not tell tokens
        return tuple(_milliseconds(_characters(output, clip.language), begun)), took


class Streams:
    """The long recordings of a run as streams: every gate and plot shares what was decoded."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._decoded: dict[ModelSpec, tuple[TranscriptSet, tuple[DecodedRecording, ...]]] = {}
        self._aligned: set[ModelSpec] = set()
        self._measured: dict[ModelSpec, StreamProfile] = {}

    @cached_property
    def recordings(self) -> list[LongRecording]:
        """The long recordings; raises `CorpusError` for what could not be aligned with them, or with anything."""
        corpus = self.session.recordings.long_form
        for item in corpus.utterances:
            if (item.audio.seconds or 0.0) > WINDOW_SECONDS:
                raise CorpusError(
                    f"an utterance of {item.audio.seconds:.1f} s; to know when its words are said it may last "
                    f"{WINDOW_SECONDS:g} s",
                    where=item.where,
                    remedy="split it",
                )
        return whole(corpus)

    @cached_property
    def windows(self) -> StreamProfile:
        """The windows in which recordings are heard: those of ``--whisperq-merge-profile``, or the default's.

        Raises `StreamError` for a profile with which no merge can be right.
        """
        path = self.session.config.merge_profile
        if path is None:
            return StreamProfile()
        profile = load_profile(path, "--whisperq-merge-profile")
        if profile.window > 1000 * WINDOW_SECONDS:
            raise StreamError(
                f"windows of {profile.window} ms",
                where=f"--whisperq-merge-profile: {path}",
                remedy=f"Whisper hears {WINDOW_SECONDS:g} s at most",
            )
        return profile

    def profile(self, spec: ModelSpec) -> StreamProfile:
        """Return what the merge counts on: ``--whisperq-merge-profile``, or what is measured of ``spec``.

        Raises `StreamError` where the windows are too short for what was measured.
        """
        if self.session.config.merge_profile:
            return self.windows
        profile = self.measured(spec)
        try:
            profile.check()
        except StreamError as error:
            raise StreamError(
                error.what,
                where=f"{spec}",
                remedy=f"{error.remedy}. Longer windows are heard with --whisperq-merge-profile FILE, which whisperq "
                "stream --save-profile FILE writes",
            ) from error
        return profile

    def measured(self, spec: ModelSpec) -> StreamProfile:
        """Return what the windows of a model are like."""
        if spec not in self._measured:
            truth = self.truth  # whoever cannot align need not decode
            streams = [(recording.chunks, words) for recording, words in zip(self.decoded(spec), truth, strict=True)]
            self._measured[spec] = measure_profile(streams, self.windows)
        return self._measured[spec]

    @cached_property
    def reference_words(self) -> list[list[tuple[StreamWord, ...]]]:
        """The words of each utterance of each recording and their times: references, as the `ALIGNER` aligns them."""
        return [[self._align(item) for item in recording.utterances] for recording in self.recordings]

    @property
    def truth(self) -> list[tuple[StreamWord, ...]]:
        """The same, recording by recording."""
        return [tuple(word for words in utterances for word in words) for utterances in self.reference_words]

    def _align(self, item: Utterance) -> tuple[StreamWord, ...]:
        clip = Clip(samples=audio.load(item.audio), language=item.language)
        with decode_errors(f"{item.where}: {':'.join(ALIGNER)} cannot align the transcript"):
            alignment = self._aligner.align(clip, item.reference)
        words = _milliseconds(alignment, round(1000 * item.audio.offset))
        return tuple(word for word in words if key(word.text))  # a dash is never heard

    @cached_property
    def _aligner(self) -> Aligns:
        backend, precision = ALIGNER
        check_installed(get_backend(backend))
        spec = ModelSpec(backend=backend, precision=precision, source=self.session.source)
        aligner = self.session.decoder.load(self.session.store.intact(spec))
        if not isinstance(aligner, Aligns):
            raise DecodeError(f"{spec} cannot align words", remedy="report this as a defect")
        return aligner

    def decoded(self, spec: ModelSpec) -> tuple[DecodedRecording, ...]:
        """Return what a model heard in the windows of each recording, decoding at most once."""
        return self._listen(spec)[1]

    def streamed(self, spec: ModelSpec, profile: StreamProfile) -> Streamed:
        """Return what came of the streams of a model under a merge that counts on ``profile``."""
        offline, decoded = self._listen(spec)
        events = tuple(play(one.chunks, one.took, TimeAnchoredMerge(profile)) for one in decoded)
        shares = [
            share
            for recording, stream in zip(self.recordings, events, strict=True)
            for share in share_out(recording, join(stream[-1].committed), self.session.recordings.long_normalizer)
        ]
        streamed = replace(offline, texts=tuple(shares))
        return Streamed(offline=offline, transcripts=streamed, decoded=decoded, events=events)

    def is_aligned(self, spec: ModelSpec) -> bool:
        """Whether the `ALIGNER` tells when words are said, because the runtime cannot."""
        self._listen(spec)
        return spec in self._aligned

    def _listen(self, spec: ModelSpec) -> tuple[TranscriptSet, tuple[DecodedRecording, ...]]:
        """Return what a model says about utterances and hears in windows; the model itself need not stay."""
        if spec not in self._decoded:
            artifact = self.session.store.intact(spec)
            listener = self.listener(artifact)
            decoded = tuple(self._stream(spec, recording, listener) for recording in self.recordings)
            items = self.session.recordings.long_form.utterances
            texts = [
                self.session.recordings.long_normalizer(self._whole(spec, item, listener), item.language)
                for item in items
            ]
            self._decoded[spec] = (
                uncached_transcripts(artifact, listener.transcriber, [item.id for item in items], texts),
                decoded,
            )
        return self._decoded[spec]

    def listener(self, artifact: Artifact) -> Listener:
        """Load a built model, and the `ALIGNER` where it tells no times of words."""
        decoder = self.session.decoder
        transcriber = decoder.load(artifact)
        aligner = None
        if not isinstance(transcriber, TellsWordTimes):
            aligner = self._aligner
            self._aligned.add(artifact.spec)
            decoder.settle(transcriber)  # an aligner loaded since may want other threads
        return Listener(transcriber=transcriber, aligner=aligner)

    def _whole(self, spec: ModelSpec, item: Utterance, listener: Listener) -> str:
        """Decode one utterance as windows are, with timestamps where those need them."""
        with decode_errors(f"{spec} failed on {item.where}"):
            output = listener.hear(Clip(samples=audio.load(item.audio), language=item.language))
        return output.text if isinstance(output, Hypothesis) else join(_milliseconds(output, 0))

    def _stream(self, spec: ModelSpec, recording: LongRecording, listener: Listener) -> DecodedRecording:
        """Decode the windows of one recording; a model that tells no times is aligned, off the clock."""
        samples = audio.load(recording.audio)
        chunks, times = [], []
        spans = windows(len(samples) // PER_MS, self.windows)
        for number, (start, end) in enumerate(spans):
            clip = Clip(samples=samples[start * PER_MS : end * PER_MS], language=recording.language)
            where = f"a window of {recording.audio.label}, {start / 1000:g} to {end / 1000:g} s"
            with decode_errors(f"{spec} failed on {where}"):
                if not number:
                    listener.hear(clip)  # the first inference of a runtime is no measure of it
                words, took = listener.words(clip, start)
            chunks.append(Chunk(number, start, end, words, final=number + 1 == len(spans)))
            times.append(took)
            self.session.decoder.progress(f"{spec} streams {recording.audio.label}", number + 1, len(spans))
        return DecodedRecording(chunks=tuple(chunks), took=tuple(times))

    def normalize(self, recording: LongRecording) -> Callable[[str], str]:
        """Return the run's normalizer for the language of a recording."""
        normalizer = self.session.recordings.long_normalizer
        return lambda text: normalizer(text, recording.language)


def _characters(words: Sequence[TimedWord], language: str | None) -> Sequence[TimedWord]:
    """Part words of a language without spaces, which some runtimes tell token by token, as references are parted."""
    if is_spaced(language, "".join(word.text for word in words)):
        return words
    return [part for word in words for part in _whisper.characters(word)]


def _milliseconds(words: Sequence[TimedWord], begun: int) -> list[StreamWord]:
    """Return words in ms of the stream from words in seconds of a window that begins at ``begun``."""
    return [StreamWord(one.text, begun + round(1000 * one.start), begun + round(1000 * one.end)) for one in words]
