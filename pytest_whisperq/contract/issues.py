"""Streams on which merges were reported to fail, as the kit's first examples. Issue numbers are those of GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_whisperq.contract.merge_subject import MergeSubject
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord

PROFILE = StreamProfile(window=1600, hop=500, edge=100, jitter=0, longest_word=300, repeat_spacing=300, votes=2)
"""With what these streams are heard."""


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
        words.append(StreamWord(spelled, now, now + 250))
        now += 300
    stream = Stream(PROFILE, tuple(words), (Chunk(0, 0, now),), level)
    return replace(stream.clean(PROFILE.hop), level=level)


def _rewritten(stream: Stream, seq: int, texts: Sequence[str]) -> Stream:
    """Let one window write its words otherwise."""
    chunk = stream.chunks[seq]
    words = tuple(word._replace(text=text) for word, text in zip(chunk.words, texts, strict=True))
    chunks = (*stream.chunks[:seq], replace(chunk, words=words), *stream.chunks[seq + 1 :])
    return replace(stream, chunks=chunks)


def _also(stream: Stream, seq: int, word: StreamWord) -> Stream:
    """Let one window hear a word that nobody said."""
    chunk = stream.chunks[seq]
    words = tuple(sorted((*chunk.words, word), key=lambda each: each.start))
    return replace(stream, chunks=(*stream.chunks[:seq], replace(chunk, words=words), *stream.chunks[seq + 1 :]))


def _pushed(stream: Stream, *order: int) -> Stream:
    """Push the chunks in this order."""
    return replace(stream, chunks=tuple(stream.chunks[index] for index in order))


def _emptied(stream: Stream) -> Stream:
    """Decode every window again, to nothing."""
    chunks = tuple(each for chunk in stream.chunks for each in (chunk, replace(chunk, words=(), final=False)))
    return replace(stream, chunks=chunks)


def _number() -> Stream:
    """Say a number in two words, which one of three windows writes in digits."""
    truth = tuple(StreamWord(text, 150 * at, 150 * (at + 1)) for at, text in enumerate(("twenty", "five", "go")))
    spelled, digits = truth, (StreamWord("25", 0, 300), truth[2])
    chunks = [
        Chunk(seq, 0, end, words) for seq, (end, words) in enumerate(((600, spelled), (900, digits), (1200, spelled)))
    ]
    return Stream(PROFILE, truth, (*chunks, Chunk(3, 0, 1500, spelled, final=True)), Level.SURFACE)


_VERY = _stream(Level.TIMED, "very very good idea")
_SLEEP = _stream(Level.DISTURBED, "go to sleep now")
_SILENCE = _stream(Level.EDGES, "done then", {1: 900})
_MEETING = _stream(Level.SURFACE, "the meeting is over")

REPORTED = (
    Reported("ufal/whisper_streaming: very very good → very good", "repeats", _VERY),
    Reported("huggingface/transformers#31778", "repeats", _stream(Level.TIMED, "just do it yes you can just do it")),
    Reported("natively#382: the same yes again is dropped", "repeats", _stream(Level.TIMED, "yes yes", {1: 1200})),
    Reported("amazon-transcribe-streaming-sdk#102: 五五 → 五", "unicode", _stream(Level.SURFACE, "五 五 日")),
    Reported("WhisperLiveKit#261: バ at the end of a chunk", "unicode", _stream(Level.SURFACE, "バ 本 バ")),
    Reported("FluidAudio#706: meeting Meeting", "unicode", _rewritten(_MEETING, 1, ["The", "Meeting", "is,"])),
    Reported(
        "kesha#760: operation|operational", "exact_recovery", _stream(Level.TEXT, "cooperation operation operational")
    ),
    Reported("kiro#9551: a chunk is sent again", "chunk_tolerance", _pushed(_SLEEP, 0, 1, 0, 1, 2)),
    Reported("WhisperLiveKit#411: the last word twice", "chunk_tolerance", _pushed(_SLEEP, 0, 1, 2, 2)),
    Reported("openasr#5: a word in silence", "edge_robustness", _also(_SILENCE, 1, StreamWord("If", 880, 1000))),
    Reported("m-bain/whisperX#827", "repeats", _stream(Level.TIMED, "thank you thank you very much")),
    Reported("FluidAudio#855: words said again within 2 s", "repeats", _stream(Level.TIMED, "no no no no no")),
    Reported("FluidAudio#788: words that begin alike", "exact_recovery", _stream(Level.TEXT, "the they then them")),
    Reported("FluidAudio#903: in thex", "edge_robustness", _also(_SILENCE, 1, StreamWord("thex", 910, 1000))),
    Reported("FluidAudio#904: an, and analyzing", "edge_robustness", _also(_SILENCE, 0, StreamWord("the", 401, 500))),
    Reported("ufal/whisper_streaming#102: empty windows", "chunk_tolerance", _emptied(_SLEEP)),
    Reported(
        "elevenlabs-python#686: all of it three times", "chunk_tolerance", _pushed(_SLEEP, 0, 0, 0, 1, 1, 1, 2, 2, 2)
    ),
    Reported(
        "CrisperWhisper#41: a word ends before it starts", "times", _also(_SLEEP, 1, StreamWord("sleep", 600, 590))
    ),
    Reported("whisper.cpp#1702: digits in one window, words in another", "numbers", _number()),
)
"""Whisper's own failures ("thanks for watching" in every window) are not among them, no merge can know better; nor are
texts put together with spaces where a language has none: that is for who writes them."""


def reported(check: str, level: Level, subject: MergeSubject) -> list[Reported]:
    """Return what was reported of a check at a level; nothing for a merge that works at one other profile alone."""
    if subject.profile not in (None, PROFILE) and not subject.takes_profile:
        return []
    return [one for one in REPORTED if one.check == check and one.stream.level == level]
