"""Values of options and keywords that mean nothing, typed on a command line, in an ini file or in a marker."""

import math
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from world import Case, End, Ending, World, ending, fresh, right_if

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.registry import all_gates
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict

TYPED = (
    *(
        "",
        " ",
        "\0",
        "0",
        "-1",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "1_000",
        "0x10",
        "½",
        "1,5",
        "50%",
        "5 %",
        "true",
        "maybe",
    ),
    *("None", "null", "9" * 400, "scripted:int9", "scripted", "int8", "INT8", "../x", "/dev/null", "~nobody/x", "a\nb"),
    *("\x1b[31m", "wer", "WER", "::error::x", "$HOME", "🙂", "-", "--", "="),
)
GIVEN: tuple[Any, ...] = (
    *(True, False, None, "", "3", "0.5", [], {}, (1,), object(), float("nan"), math.inf, -math.inf, -1, 0, 1, 50, 101),
    *(
        10**400,
        1e-320,
        b"3",
        "wer",
        "WER",
        "cer",
        "transformers:float32",
        "transformers",
        Verdict.PASS,
        0.5,
        3.0,
        -100.5,
    ),
)
UNAFFECTED = frozenset(option.name for option in OPTIONS) - {
    *("max-utterances", "candidate", "backend", "precision", "baseline", "model", "corpus", "normalizer", "metric"),
    *("calibration", "on-inconclusive", "languages"),
}
"""Options that change no error rate, whatever they are."""


def typed(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield options: each ends in an error that names it, or changes no figure that it has no business to change."""
    while True:
        option, value = chance.choice(OPTIONS), chance.choice(TYPED)
        world = fresh(folder)
        yield Case(f"{option.flag}={value[:20]!r}", partial(_typed, world, option, value))


def _typed(world: World, option: Any, value: str) -> Ending:
    if option.name in UNAFFECTED:
        return world.gate(world.figures(), [option.flag], **{option.field: value})
    # Of the others it is only known that a run is refused by name, or goes through with all that it was asked for.
    return ending(lambda: _resolved(world, option, value), [option.flag, "--whisperq-precision", "calls"])


def _resolved(world: World, option: Any, value: str) -> Ending:
    config = resolve(world.options(**{option.field: value}))
    runner = GateRunner(config)
    runner.session.read()
    judged = [runner.judge("accuracy", candidate) for candidate in config.candidates]
    return right_if(bool(judged), "no candidate is left, and nobody says so")


def given(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield keywords of markers: refused by name, or judged by what they say."""
    world = fresh(folder)
    runner = GateRunner(resolve(world.options()))
    while True:
        gate, value = chance.choice(all_gates()), chance.choice(GIVEN)
        keyword = chance.choice([*gate.keywords, "max_dorp", "limit", ""])
        what = f"{gate.marker}({keyword}={str(value)[:20]!r})"
        yield Case(what, partial(_given, runner, gate, keyword, value))


def _given(runner: GateRunner, gate: Any, keyword: str, value: Any) -> Ending:
    def judged() -> Ending:
        gate.check({keyword: value}, gate.marker)
        if keyword not in gate.keywords:
            return Ending(End.WRONG, "a keyword that there is not was taken")
        if value is not None and not isinstance(value, (str, bool)) and not math.isfinite(value):
            return Ending(End.WRONG, f"{value} was taken for a limit")
        if gate.name != "accuracy":
            return Ending(End.RIGHT)
        judgement = runner.judge(gate.name, runner.config.candidates[0], **{keyword: value}).judgement
        (check, *_) = judgement.checks
        holds = check.upper is not None and check.upper < check.limit
        return right_if((judgement.verdict is Verdict.PASS) <= holds, f"{judgement.verdict} of {check}")

    return ending(judged, [gate.marker])
