"""What judges a mutant of a merge: unit tests, all checks of the contract on ready streams, rates where windows err.

Imported in the process of a mutant, where the package is the mutated one.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import resource
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, product, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest

from pytest_whisperq.contract.issues import REPORTED
from pytest_whisperq.contract.merge_kit import MERGE_CHECKS
from pytest_whisperq.contract.merge_subject import MergeSubject, Run, run, texts
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.streams import streams
from pytest_whisperq.measuring.scores import count_errors, error_rate
from pytest_whisperq.streaming import Level, LocalAgreement, StreamProfile, TimeAnchoredMerge, english_tens

UNIT = Path(__file__).parents[1] / "unit" / "streaming"
MERGES = ("agreement", "anchored", "slots")
"""Whose unit tests need no fixture of conftest.py."""
TESTS = sorted(str(path) for name in MERGES for path in UNIT.glob(f"test_{name}*.py"))
STREAMS = 120
"""Of each level up to DISTURBED, half of them of three words at most."""
SPARED = 8
SEED = 1
BLOCK = 80
SECONDS = {"unit tests": 15, "contract": 50, "rates": 60}
"""Processor time from the first step on, after which a mutant hangs; the merges as they are take 1 s, then 12."""


class Streams(NamedTuple):
    """Streams, pickled in blocks: most mutants need not read all.

    `judged` are streams and whether they have numbers, `voting` those of the level INTERIOR at one vote and at three.
    """

    judged: list[bytes]
    voting: dict[int, bytes]


def make_streams() -> Streams:
    """Make the streams, always the same ones."""
    levels = [_mixed(level) for level in Level if level <= Level.DISTURBED]
    rows = chain(*zip_longest(*levels, _mixed(Level.SURFACE, numbers=True)))
    judged = [*((one.stream, False) for one in REPORTED), *filter(None, rows)]
    interior = {
        votes: StreamProfile(window=4000, hop=500, edge=100, jitter=20, longest_word=600, votes=votes)
        for votes in (1, 3)
    }
    return Streams(
        [pickle.dumps(judged[at : at + BLOCK]) for at in range(0, len(judged), BLOCK)],
        {votes: pickle.dumps(_drawn(2 * STREAMS, Level.INTERIOR, profile)) for votes, profile in interior.items()},
    )


def _mixed(level: Level, *, numbers: bool = False) -> list[tuple[Stream, bool]]:
    few, many = (_drawn(STREAMS // 2, level, most=most, numbers=numbers) for most in (3, 8))
    return [(stream, numbers) for stream in chain(*zip(few, many, strict=False))]


def _drawn(count: int, level: Level, profile: StreamProfile | None = None, **how: Any) -> list[Stream]:
    found: list[Stream] = []

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(streams(level, profile, **how))
    def collect(stream: Stream) -> None:
        found.append(stream)

    collect()
    return found


def _anchored(profile: StreamProfile) -> TimeAnchoredMerge:
    return TimeAnchoredMerge(profile, numbers=english_tens)


def subjects(module: str) -> list[MergeSubject]:
    """Return the merges that use a module."""
    anchored, agreement = MergeSubject(_anchored, level=TimeAnchoredMerge.level), MergeSubject(LocalAgreement)
    return {"agreement": [agreement], "overlap": [anchored, agreement]}.get(module, [anchored])


def pass_the_unit_tests() -> list[str]:
    """Raise unless they pass."""
    assert pytest.main(["-qx", "-p", "no:cacheprovider", "--noconftest", *TESTS]) == 0
    return []


def keep_the_contract(module: str, given: Streams, plain: Sequence[str]) -> list[str]:
    """Raise unless the merges keep every check; return what they answer on each stream, in short.

    Where that is what they answer without the mutant (`plain`), most checks cannot tell the two apart: of these streams
    one in `SPARED` is checked.
    """
    answers: list[str] = []
    for block in given.judged:
        for (stream, numbers), subject in product(pickle.loads(block), subjects(module)):
            at = len(answers)
            answers.append(_short(run(subject, stream)))
            if plain and at % SPARED and answers[at] == plain[at]:
                continue
            for check in MERGE_CHECKS:
                if check.numbers == numbers and stream.level in check.levels(subject.level):
                    check.function(subject, stream)
    return answers


def keep_the_rates(module: str, given: Streams) -> list[str]:
    """Raise unless three windows that agree err less than half as often as one; return what the merge answers."""
    merge = subjects(module)[0]
    if merge.level < Level.DISTURBED:
        return []
    answers, rates = [], {}
    for votes, block in given.voting.items():
        ran = [(stream, run(merge, stream)) for stream in pickle.loads(block)]
        answers += [_short(found) for _, found in ran]
        counts = [count_errors(" ".join(stream.expected), " ".join(texts(found.words))) for stream, found in ran]
        rates[votes] = error_rate(counts) or 0.0
    assert rates[3] < rates[1] / 2, rates
    return answers


def _short(found: Run) -> str:
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def judge(module: str, given: Streams, plain: Sequence[str]) -> tuple[str, list[str]]:
    """Return what notices a mutant, or what it answers if nothing does."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # half of the time of the unit tests
    steps: dict[str, Callable[[], list[str]]] = {
        "unit tests": pass_the_unit_tests,
        "contract": partial(keep_the_contract, module, given, plain),
        "rates": partial(keep_the_rates, module, given),
    }
    answers: list[str] = []
    for name, step in steps.items():
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS[name], resource.RLIM_INFINITY))
        try:
            answers += step()
        except BaseException:  # noqa: BLE001 - whatever goes wrong, it is noticed
            return name, []
    return "", answers
