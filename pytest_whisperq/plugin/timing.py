"""Whether speed can be timed: not while other xdist workers compute beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.ending import Ending, because


@dataclass(frozen=True, slots=True)
class Untimed:
    """Stands for the `Outcome` of a gate that was not timed: who asks what it measured ends the test as skipped."""

    reason: str

    @property
    def judgement(self) -> NoReturn:
        """There is no figure to go on with."""
        __tracebackhide__ = True
        raise because(Ending.UNTIMED, pytest.skip.Exception(self.reason))

    worst = counted = judgement


def company(item: pytest.Item) -> int:
    """Return how many xdist workers compute at the same time, this one included; 0 for one that is alone."""
    workers = state.workers_of(item.config)
    return workers if workers > 1 else 0


def untimed(item: pytest.Item) -> str:
    """Return why speed is not timed: other xdist workers compute beside it. Fail where it was asked for by name."""
    __tracebackhide__ = True
    workers = company(item)
    if not workers:
        return ""
    reason = f"whisperq: speed is not timed while {workers} xdist workers share the processor; run it with -n0"
    files = [Path(argument.partition("::")[0]) for argument in item.config.args]
    is_named = any(file.suffix == ".py" and file.name == item.path.name for file in files)
    packaged = any(argument.rpartition(".")[2] == item.path.stem for argument in item.config.args)
    options = "whisperq_min_speedup", "whisperq_max_energy_ratio", "whisperq_timing_budget"
    typed = (item.config.getoption(name) for name in options)
    selected = [str(item.config.getoption(name, "")) for name in ("markexpr", "keyword")]
    chosen = any(word in one for word in ("speed", "energy") for one in selected)
    if is_named or packaged or chosen or any(typed):
        raise because(Ending.UNTIMED, pytest.fail.Exception(reason, pytrace=False))
    return reason
