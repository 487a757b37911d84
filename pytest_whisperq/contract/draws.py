"""Draws from ready strategies: making one anew at every draw is most of the time of a search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Value = TypeVar("Value")


@lru_cache(maxsize=1024)
def _integers(low: int, high: int) -> SearchStrategy[int]:
    return st.integers(low, high)


def number(draw: DrawFn, low: int, high: int) -> int:
    """Draw a whole number; it shrinks to the one nearest to 0."""
    return low if low == high else draw(_integers(low, high))


def pick(draw: DrawFn, options: Sequence[Value]) -> Value:
    """Draw one of some values; it shrinks to the first."""
    return options[number(draw, 0, len(options) - 1)]
