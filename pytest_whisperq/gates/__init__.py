"""Gates: one file each, from what a test demands to a verdict. Never on a point estimate: only a bound passes or fails.

Names of this folder that are not gates: ``registry`` knows the gates, ``keywords`` checks what tests give them,
``runner`` runs them by name, ``search`` runs one on many candidates; ``evidence``, ``baselines``, ``slices``,
``early_stop``, ``forecast``, ``saved_runs``, ``streams`` and ``stream_figures`` are what several of them, or the run
around them, need.
"""

from pytest_whisperq.gates.keywords import Keyword, between, one_of, whole
from pytest_whisperq.gates.registry import Gate

__all__ = ["Gate", "Keyword", "between", "one_of", "whole"]
