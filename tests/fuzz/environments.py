"""Environment variables that say nothing, or something that cannot be."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from world import Case, End, Ending, Figures, World, fresh, right_if, same

GATE = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=50)
def test_it():
    pass
"""
VARIABLES: tuple[tuple[str, str], ...] = (
    *(("PYTEST_XDIST_WORKER_COUNT", value) for value in ("abc", "-1", "0", "1e9", "2.5")),
    *(("TMPDIR", value) for value in ("nowhere", "calls/metadata.csv", "/dev/null")),
    *(("GITHUB_STEP_SUMMARY", value) for value in ("nowhere/summary.md", "calls", "/dev/full")),
    *(("COLUMNS", value) for value in ("abc", "0", "-5", "1")),
    *(("XDG_CACHE_HOME", value) for value in ("calls/metadata.csv", "nowhere", "/dev/null")),
    *(("OMP_NUM_THREADS", value) for value in ("abc", "0", "-1")),
    *(("LC_ALL", value) for value in ("C", "xx_YY.UTF-8")),
    *(("PYTHONIOENCODING", value) for value in ("ascii", "latin-1")),
    *(("HF_TOKEN", value) for value in ("", "alpha bravo", "\x1b[31m")),
    *(("HOME", "nowhere"), ("PYTHONUTF8", "0"), ("TZ", "nonsense"), ("TERM", "dumb"), ("NO_COLOR", "1"), ("CI", "?")),
)


def cases(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield runs of pytest, each in a process of its own, under two odd variables."""
    world = fresh(folder)
    (world.folder / "test_it.py").write_text(GATE, encoding="utf-8")
    while True:
        odd = dict(chance.sample(VARIABLES, 2))
        yield Case(", ".join(f"{name}={value!r}" for name, value in odd.items()), partial(_run, world, odd))


def _run(world: World, odd: dict[str, str]) -> Ending:
    saved = world.folder / "run.json"
    saved.unlink(missing_ok=True)
    options = world.options(save=str(saved))
    if "XDG_CACHE_HOME" in odd:  # which says where the cache is where nothing else does
        del options["whisperq_cache_dir"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=world.folder, env={**environment, **odd}, capture_output=True, text=True, errors="replace"
    )
    text = done.stdout + done.stderr
    if "INTERNALERROR" in text or "Traceback (most recent call last)" in text:
        return Ending(End.TRACEBACK, text[-600:])
    if done.returncode:
        is_clear = any(name in text or value in text for name, value in odd.items())
        return Ending(End.REFUSED) if is_clear else Ending(End.UNCLEAR, text[-600:])
    (gate,) = json.loads(saved.read_text(encoding="utf-8"))["gates"]
    judgement = gate["judgement"]
    rates = [judgement["details"][f"{one}_wer"] for one in ("baseline", "candidate")]
    found = Figures(judgement["utterances"], *rates)
    return right_if(same(found, world.figures()), f"found {found}")
