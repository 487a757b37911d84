"""The values that some options and keywords of gates may have."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Metric = Literal["wer", "cer", "mer"]
"""What errors are counted in: words, characters, or words where spaces part them and characters where none do.

The last is the mixed error rate of code-switched speech (Shi et al., The ASRU 2019 Mandarin-English code-switching
speech recognition challenge, arXiv:2007.05916), not jiwer's match error rate.
"""

METRICS: tuple[Metric, ...] = get_args(Metric)

COUNTED: Mapping[Metric, str] = MappingProxyType({"wer": "words", "cer": "characters", "mer": "words and characters"})
"""What each metric counts."""

DropType = Literal["absolute", "relative", "accuracy-ratio"]
"""How a drop of accuracy is expressed; `measuring.accuracy.DROP_UNITS` has the unit of each."""

Bounds = Literal["t", "sign-flip", "mapsswe"]
"""How the bounds of a drop are drawn (docs/statistics.md)."""
