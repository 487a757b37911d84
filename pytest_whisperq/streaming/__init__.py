"""Streaming: chunks of overlapping windows, and merges that make one transcript of them."""

from pytest_whisperq.streaming.agreement import LocalAgreement
from pytest_whisperq.streaming.anchored import TimeAnchoredMerge
from pytest_whisperq.streaming.chunks import Chunk, Merger, StreamWord, Update, english_tens, join, key
from pytest_whisperq.streaming.level import Level
from pytest_whisperq.streaming.overlap import StreamProfile, required_overlap
from pytest_whisperq.streaming.text import TextMerge

__all__ = [
    "Chunk",
    "Level",
    "LocalAgreement",
    "Merger",
    "StreamProfile",
    "StreamWord",
    "TextMerge",
    "TimeAnchoredMerge",
    "Update",
    "english_tens",
    "join",
    "key",
    "required_overlap",
]
