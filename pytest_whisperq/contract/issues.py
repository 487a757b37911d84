"""Streams on which merges were reported to fail, as the kit's first examples. Issue numbers are those of GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.streaming import Chunk, Level, StreamProfile, Word

PROFILE = StreamProfile(window=1600, hop=500, edge=100, jitter=0, longest_word=300, repeat_spacing=300, votes=2)
"""With what these streams are heard; a kit that tests a merge at another profile leaves them out."""


@dataclass(frozen=True, slots=True)
class Reported:
    """One reported failure: where, what of the contract it broke, at which level, and the stream."""

    issue: str
    check: str
    stream: Stream


def _stream(level: Level, text: str, pauses: dict[int, int] | None = None) -> Stream:
    """Say a word every 300 ms, each 250 ms long, with pauses before some, in windows that grow and then slide."""
    words, now = [], 0
    for index, spelled in enumerate(text.split()):
        now += (pauses or {}).get(index, 0)
        words.append(Word(spelled, now, now + 250))
        now += 300
    stream = Stream(PROFILE, tuple(words), (Chunk(0, 0, now),), level)
    return replace(stream.clean(PROFILE.hop), level=level)


def _heard(stream: Stream, seq: int, texts: Sequence[str]) -> Stream:
    """Let one window write its words otherwise."""
    chunk = stream.chunks[seq]
    words = tuple(word._replace(text=text) for word, text in zip(chunk.words, texts, strict=True))
    chunks = (*stream.chunks[:seq], replace(chunk, words=words), *stream.chunks[seq + 1 :])
    return replace(stream, chunks=chunks)


def _also(stream: Stream, seq: int, word: Word) -> Stream:
    """Let one window hear a word that nobody said."""
    chunk = stream.chunks[seq]
    words = tuple(sorted((*chunk.words, word), key=lambda each: each.start))
    return replace(stream, chunks=(*stream.chunks[:seq], replace(chunk, words=words), *stream.chunks[seq + 1 :]))


def _pushed(stream: Stream, *order: int) -> Stream:
    """Push the chunks in this order."""
    return replace(stream, chunks=tuple(stream.chunks[index] for index in order))


_VERY = _stream(Level.TIMED, "very very good idea")
_SLEEP = _stream(Level.DISTURBED, "go to sleep now")
_SILENCE = _stream(Level.EDGES, "done then", {1: 900})
_MEETING = _stream(Level.SURFACE, "the meeting is over")

REPORTED = (
    Reported("ufal/whisper_streaming: very very good → very good", "repeats", _VERY),
    Reported("huggingface/transformers#31778", "repeats", _stream(Level.TIMED, "just do it yes you can just do it")),
    Reported("natively#382: the same yes again is dropped", "repeats", _stream(Level.TIMED, "yes yes", {1: 1200})),
    Reported("amazon-transcribe-streaming-sdk: 五五 → 五", "unicode", _stream(Level.SURFACE, "五 五 日")),
    Reported("WhisperLiveKit#261: バ at the end of a chunk", "unicode", _stream(Level.SURFACE, "バ 本 バ")),
    Reported("FluidAudio#706: meeting Meeting", "unicode", _heard(_MEETING, 1, ["The", "Meeting", "is,"])),
    Reported(
        "kesha#760: operation|operational", "exact_recovery", _stream(Level.TEXT, "cooperation operation operational")
    ),
    Reported("kiro#9551: a chunk is sent again", "chunk_tolerance", _pushed(_SLEEP, 0, 1, 0, 1, 2)),
    Reported("WhisperLiveKit#411: the last word twice", "chunk_tolerance", _pushed(_SLEEP, 0, 1, 2, 2)),
    Reported("openasr#5: a word in silence", "edge_robustness", _also(_SILENCE, 1, Word("If", 880, 1000))),
)
"""Whisper's own failures ("thanks for watching" in every window) are not among them: no merge can know better."""


def reported(check: str, level: Level, profile: StreamProfile | None) -> list[Reported]:
    """Return what was reported of a check at a level; nothing where streams must have another profile."""
    if profile not in (None, PROFILE):
        return []
    return [one for one in REPORTED if one.check == check and one.stream.level == level]
