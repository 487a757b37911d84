"""Checkpoints of which a file is damaged, missing, or says what cannot be."""

import json
import random
import shutil
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from world import Case, Ending, damaged, ending, right_if

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.system import package_data

WEIGHTS = "model.safetensors"
ODD: tuple[Any, ...] = (None, "", "x", [], {}, -1, 0, 10**9, 1.5, True, {"x": "y"}, [None])


def cases(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield checkpoints like the embedded one: each is refused, or says what the embedded one says."""
    expected = _texts(str(package_data.model_directory()), str(folder / "sound"))
    number = 0
    while True:
        number += 1
        shutil.rmtree(folder / "model", ignore_errors=True)
        shutil.copytree(package_data.model_directory(), folder / "model")
        what = _harmed(folder / "model", chance)
        yield Case(what, partial(_said, folder / "model", folder / f"cache{number}", expected))


def _harmed(model: Path, chance: random.Random) -> str:
    path = chance.choice(sorted(path for path in model.iterdir() if path.suffix in {".json", ".txt", ".safetensors"}))
    data = path.read_bytes()
    kind = chance.choice(["gone", "empty", "cut", "no JSON", "a value", "a value", "a value"])
    if kind == "gone":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut" or path.name == WEIGHTS:
        path.write_bytes(data[: chance.randrange(len(data))])
    elif kind == "no JSON" or path.suffix == ".txt":
        kind, data = damaged(data[:200], chance)
        path.write_bytes(data)
    else:
        table = json.loads(data)
        key, value = chance.choice(sorted(table)), chance.choice(ODD)
        table[key] = value
        path.write_text(json.dumps(table), encoding="utf-8")
        kind = f"{key} is {value!r}"
    return f"{path.name}: {kind}"


@lru_cache
def _texts(model: str, cache: str) -> tuple[str, ...]:
    """Return what a checkpoint says about two recordings of the embedded corpus."""
    options = {
        "candidate": "transformers:float32",
        "model": model,
        "cache_dir": cache,
        "max_utterances": "2",
        "threads": "1",
    }
    runner = GateRunner(resolve({f"whisperq_{name}": value for name, value in options.items()}))
    runner.session.read()
    return tuple(runner.session.model(runner.config.candidates[0]).transcripts.texts)


def _said(model: Path, cache: Path, expected: tuple[str, ...]) -> Ending:
    def run() -> Ending:
        found = _texts(str(model), str(cache))
        return right_if(found == expected, f"says {found}, not {expected}")

    try:
        return ending(run, [str(model)])
    finally:
        shutil.rmtree(cache, ignore_errors=True)
