"""From a measurement and a limit to a verdict. Never on a point estimate: only a confidence bound passes or fails."""

from pytest_whisperq.gates.catastrophe import judge_catastrophe
from pytest_whisperq.gates.footprint import judge_determinism, judge_memory, judge_size
from pytest_whisperq.gates.quality import judge_accuracy, judge_language, judge_parity
from pytest_whisperq.gates.since import judge_since
from pytest_whisperq.gates.slices import judge_slices, name_worst_slices
from pytest_whisperq.gates.speed import implausible, judge_speedup, speed_check, speed_figure
from pytest_whisperq.gates.streaming import StreamedWords, StreamLimits, judge_streaming
from pytest_whisperq.gates.timestamps import judge_timestamps
from pytest_whisperq.judging.rule import Evidence, Outcome, baseline_name, judge, overrule

__all__ = [
    "Evidence",
    "Outcome",
    "StreamLimits",
    "StreamedWords",
    "baseline_name",
    "implausible",
    "judge",
    "judge_accuracy",
    "judge_catastrophe",
    "judge_determinism",
    "judge_language",
    "judge_memory",
    "judge_parity",
    "judge_since",
    "judge_size",
    "judge_slices",
    "judge_speedup",
    "judge_streaming",
    "judge_timestamps",
    "name_worst_slices",
    "overrule",
    "speed_check",
    "speed_figure",
]
