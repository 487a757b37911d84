"""What is fuzzed, and how many cases of each CI tries."""

import contextlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import checkpoints
import damaged_files
import environments
import manifests
import odd_options
import sounds
from world import Case, Ending, Family


@dataclass(frozen=True, slots=True)
class Plan:
    """A family, and how many of its cases are tried in CI."""

    family: Family
    cases: int


FAMILIES: dict[str, Plan] = {
    "manifest": Plan(manifests.cases, 120),
    "sound": Plan(sounds.cases, 80),
    "options": Plan(odd_options.typed, 80),
    "markers": Plan(odd_options.given, 80),
    "script": Plan(damaged_files.scripts, 40),
    "cache": Plan(damaged_files.caches, 80),
    "export": Plan(damaged_files.exports, 60),
    "checkpoint": Plan(checkpoints.cases, 8),
    "environment": Plan(environments.cases, 8),
}


def tried(name: str, cases: int, folder: Path, *, seed: int) -> Iterator[tuple[Case, Ending]]:
    """Run so many cases of a family, the same ones every time; yield each with how it ended."""
    chance = random.Random(f"{seed}:{name}")
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):  # options may name a folder to be made here
        for case in itertools.islice(FAMILIES[name].family(folder / name, chance), cases):
            yield case, case.run()
