"""What can happen to chunks on their way: sent again, late, empty, swapped, lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_whisperq.contract.draws import number, pick
from pytest_whisperq.streaming import Chunk

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn


def disturbed(draw: DrawFn, chunks: tuple[Chunk, ...], *, slack: bool) -> tuple[Chunk, ...]:
    """Disturb a stream at up to three places; chunks are swapped or lost only where windows have `slack` for it."""
    delivered = list(chunks)
    kinds = ["again", "stale", "empty", "nothing"]
    if slack and len(chunks) > 2:
        kind = pick(draw, ("", "swap", "drop"))
        at = number(draw, 0, len(chunks) - 3)
        if kind == "swap":
            delivered[at], delivered[at + 1] = delivered[at + 1], delivered[at]
        elif kind == "drop":
            del delivered[at + 1]
    for _ in range(number(draw, 0, 2)):
        kind = pick(draw, kinds)
        at = number(draw, 0, len(delivered) - 1)
        chunk = delivered[at]
        if kind == "again":
            delivered.insert(at + 1, chunk)
        elif kind == "stale":
            delivered.append(chunk)
        elif kind == "empty":
            delivered.insert(at + 1, replace(chunk, words=()))
        else:
            delivered.insert(at + 1, replace(chunk, start=chunk.end, words=()))
    return tuple(delivered)
