"""The values that some options and keywords of gates may have."""

from typing import Literal

Metric = Literal["wer", "cer"]
"""What errors are counted in: words, or the characters of a language without spaces."""

DropType = Literal["absolute", "relative", "accuracy-ratio"]
"""How a drop of accuracy is expressed; `measuring.accuracy.DROP_UNITS` has the unit of each."""

Bounds = Literal["t", "sign-flip", "mapsswe"]
"""How the bounds of a drop are drawn (docs/statistics.md)."""
