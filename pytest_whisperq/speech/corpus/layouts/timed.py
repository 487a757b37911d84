"""What is said between two times of a recording."""

from typing import NamedTuple


class Timed(NamedTuple):
    """A text with its times, in seconds, and the line of the file that says it."""

    line: int
    begin: float
    end: float
    text: str
