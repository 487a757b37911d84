"""What a merge claims to survive."""

from enum import IntEnum


class Level(IntEnum):
    """Each level adds to the ones before it.

    TEXT: error-free windows, no word said twice. TIMED: words said again. JITTER: inexact times. EDGES: anything
    heard near the ends of a window. SURFACE: capitals, commas, Unicode forms, languages without spaces. DISTURBED:
    windows sent again, late, empty or not at all. INTERIOR: errors anywhere, where only rates can be promised.
    """

    TEXT = 0
    TIMED = 1
    JITTER = 2
    EDGES = 3
    SURFACE = 4
    DISTURBED = 5
    INTERIOR = 6
