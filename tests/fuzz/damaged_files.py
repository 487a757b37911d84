"""Files of ours that something has damaged: a model folder, the cache, an exported model."""

import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from world import Case, End, Ending, Figures, World, damaged, fresh, right_if

from pytest_whisperq.__main__ import main
from pytest_whisperq.reporting.export import CERTIFICATE


def scripts(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield scripted models whose file is damaged: what can be read of it is what the model says."""
    while True:
        world = fresh(folder)
        path = world.model / "scripted.json"
        what, data = damaged(path.read_bytes(), chance)
        path.write_bytes(data)
        run = partial(world.gate, _read_again(world, data), ["scripted", "model"])
        yield Case(f"scripted.json: {what}", run)


def _read_again(world: World, data: bytes) -> Figures | None:
    try:
        return world.figures(script=json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def caches(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield runs on a cache of which one file is damaged: the figures stay, for what is damaged is made anew."""
    template = fresh(folder / "sound")
    assert template.gate(template.figures(), []).end is End.RIGHT
    files = sorted(
        path.relative_to(template.cache)
        for path in template.cache.rglob("*")
        if path.is_file() and path.stat().st_size and path.suffix != ".lock"
    )
    while True:
        cache = folder / "damaged"
        shutil.rmtree(cache, ignore_errors=True)
        shutil.copytree(template.cache, cache)
        name = chance.choice([*files, *4 * [name for name in files if name.parts[0] == "transcripts"]])
        what, data = damaged((cache / name).read_bytes(), chance)
        (cache / name).write_bytes(data)

        yield Case(f"{name.parts[0]} … {name.name}: {what}", partial(_twice, template, cache))


def _twice(world: World, cache: Path) -> Ending:
    """Run on a cache, and again: what was refused as damaged heals, as the error says."""
    names = [str(cache), "scripted"]
    first, again = (world.gate(world.figures(), names, cache_dir=str(cache)) for _ in range(2))
    if first.end is End.REFUSED and again.end is not End.RIGHT:
        return Ending(End.UNCLEAR, f"it does not heal: {again}")
    return first


GATE = """
import pytest

@pytest.mark.whisperq_accuracy(max_drop=50)
def test_it():
    pass
"""


def exports(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Yield exported models in which something has changed: ``verify`` never calls one sound."""
    sound = _exported(fresh(folder / "world"))
    while True:
        model = folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(sound, model)
        what = _tampered(model, folder, chance)
        is_same = _holds_the_same(model, sound)  # a record is laid out for people: a space more is no other record
        yield Case(what, partial(_verified, model, is_same))


def _exported(world: World) -> Path:
    (world.folder / "test_it.py").write_text(GATE, encoding="utf-8")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in world.options(export="models").items()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=world.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return world.folder / "models" / "scripted-int8"


def _tampered(model: Path, elsewhere: Path, chance: random.Random) -> str:
    """Change one thing in an exported model; return what."""
    path = model / chance.choice(["scripted.json", CERTIFICATE])
    kind = chance.choice(
        ["bytes", "bytes", "bytes", "bytes", "gone", "empty", "link", "folder", "more", "fifo", "loop"]
    )
    if kind == "bytes":
        what, data = damaged(path.read_bytes(), chance)
        path.write_bytes(data)
        return f"{path.name}: {what}"
    if kind == "more":
        (model / "sub").mkdir()
        (model / "sub" / "model.bin").write_bytes(b"x")
        return "a file in a folder that was not there"
    data = path.read_bytes()
    path.unlink()
    if kind == "empty":
        path.touch()
    elif kind == "link":
        (elsewhere / "other").write_bytes(data)
        path.symlink_to(elsewhere / "other")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    return f"{path.name}: {kind}"


def _holds_the_same(model: Path, sound: Path) -> bool:
    files = sorted(model.iterdir())
    if [path.name for path in files] != sorted(path.name for path in sound.iterdir()):
        return False
    if any(path.is_symlink() or not path.is_file() for path in files):
        return False
    try:
        records = [json.loads((folder / CERTIFICATE).read_bytes()) for folder in (model, sound)]
    except ValueError:
        return False
    return records[0] == records[1] and (model / "scripted.json").read_bytes() == (sound / "scripted.json").read_bytes()


def _verified(model: Path, is_same: bool) -> Ending:
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["verify", str(model)])
    except Exception as error:  # noqa: BLE001 - that any is raised is what is looked for
        return Ending(End.TRACEBACK, repr(error))
    text = out.getvalue() + err.getvalue()
    if code == 0:
        return right_if(is_same, f"called sound: {text}")
    return Ending(End.REFUSED) if str(model) in text else Ending(End.UNCLEAR, text)
