"""``doctor``: what this machine can gate with, what is missing or broken, and how to mend it. Nothing is changed."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import Backend, check_installed, distributions, get_backend, names
from pytest_whisperq.commands import add, say
from pytest_whisperq.config.settings import cache_directory
from pytest_whisperq.measuring.contention import ProcessorState, unseen
from pytest_whisperq.system import machine, optional_imports, package_data
from pytest_whisperq.system.errors import MissingDependency, WhisperqError
from pytest_whisperq.system.files import sha256

ROOM = 2 * 10**9
"""Bytes that a cache should have: a build of whisper-small takes a gigabyte, and as much aside."""

_PATIENCE = 180  # seconds an import may take on a cold disk

_UNLOADABLE = 3  # how the process ends that says why modules cannot be imported


def register(commands: Any) -> None:
    """Add the command."""
    text = "say what is missing or broken here, and how to mend it; exit code 1 if anything is broken"
    parser = add(commands, "doctor", text, _run)
    parser.add_argument("--cache-dir", metavar="DIR", help="the cache directory (default: the platform's)")


def _run(options: argparse.Namespace) -> int:
    broken = 0
    for symptom in examine(Path(cache_directory(options.cache_dir))):
        is_broken = bool(symptom.fix) and not symptom.is_optional
        broken += is_broken
        mark = "broken" if is_broken else "absent" if symptom.fix else "ok"
        say(f"{mark:6}  {symptom.name}: {symptom.state}")
        if symptom.fix:
            say(f"        {symptom.fix}")
    say(f"{broken} broken" if broken else "nothing is broken")
    return 1 if broken else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One thing that was looked at. ``fix`` says what to do; empty where nothing is wrong.

    ``is_optional``: it is missing, which only matters to those who want it.
    """

    name: str
    state: str
    fix: str = ""
    is_optional: bool = False


def examine(kept: Path) -> Iterator[Symptom]:
    """Yield what was found, one after the other; importing the backends takes a while. ``kept`` is the cache."""
    yield Symptom(name="Python", state=sys.version.split()[0])
    cores, features = machine.cpu_quota(), machine.cpu_features()
    yield Symptom(name="processor", state=f"{features}; {cores} to be used")
    hidden = unseen(ProcessorState.read())
    blind = f"the system does not tell of {', '.join(hidden)}" if hidden else "the system tells of all"
    yield Symptom(name="what disturbs timing", state=blind)
    yield _cache(kept)
    yield _embedded()
    for name in names():
        if name != "scripted":
            yield _backend(name)
    for module, extra, purpose in (
        ("av", "data", "read m4a and other containers"),
        ("datasets", "data", "read datasets directories and hub ids"),
        ("matplotlib", "plots", "draw timelines of streams"),
        ("hypothesis", "streaming", "test merges of streams"),
        ("gradio", "playground", "hear models in a browser"),
    ):
        absent = bool(optional_imports.missing((module,)))
        state = "not installed" if absent else machine.versions((module,))[module]
        fix = f"to {purpose}: {optional_imports.install_line(extra)}" if absent else ""
        yield Symptom(name=module, state=state, fix=fix, is_optional=absent)


def _cache(kept: Path) -> Symptom:
    try:
        place = next(folder for folder in (kept, *kept.parents) if folder.exists())  # a folder above may be closed
        probe = place / ".whisperq-doctor"
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(place).free
    except OSError as error:
        fix = "make it writable, or name another with --whisperq-cache-dir"
        return Symptom(name="cache directory", state=f"{kept}: {error.strerror or error}", fix=fix)
    fix = "" if free > ROOM else "make room: whisperq cache prune --older-than 30"
    return Symptom(name="cache directory", state=f"{kept}, {free / 1e9:.1f} GB free", fix=fix)


def _embedded() -> Symptom:
    fix = "pip install --force-reinstall --no-deps pytest-whisperq"
    try:
        folders = [package_data.model_directory(name) for name in package_data.MODELS]
        audio = package_data.corpus_directory().parent
        lines = (audio / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        rows = [line.split("  ", 1) for line in lines if line.strip()]
        bad = [name for digest, name in rows if sha256(audio / name) != digest]
    except (WhisperqError, OSError, ValueError) as error:
        return Symptom(name="embedded data", state=str(error), fix=fix)
    if bad:
        return Symptom(name="embedded data", state=f"{len(bad)} recordings have changed, first {bad[0]}", fix=fix)
    return Symptom(name="embedded data", state=f"{len(folders)} models, {len(rows)} files of recordings, as published")


def _backend(name: str) -> Symptom:
    """Look at a backend: its packages, and whether they can be imported, for a broken one may take all with it."""
    try:
        backend: Backend = get_backend(name)
        check_installed(backend)
    except MissingDependency as error:
        fix = error.remedy.removeprefix(optional_imports.RUN)
        return Symptom(name=name, state="not installed", fix=fix, is_optional=True)
    except WhisperqError as error:
        return Symptom(name=name, state=error.what, fix=error.remedy or "mend or uninstall the package that brings it")
    unfit = backend.falls_back()
    runs = [one for one in backend.precisions if one not in unfit and not _lacks(backend, one)]
    used = dict.fromkeys((*backend.distributions, *(name for one in runs for name in distributions(backend, one))))
    versions = ", ".join(f"{one} {version}" for one, version in machine.versions(tuple(used)).items())
    problem, fix = _unloadable(backend.modules, backend.extra)
    if problem:
        line = (
            f"{optional_imports.RUN}{optional_imports.install_line(backend.extra)}" if backend.extra else "reinstall it"
        )
        return Symptom(name=name, state=problem, fix=fix.removeprefix(optional_imports.RUN) or line)
    return Symptom(name=name, state=f"{versions}; runs {', '.join(runs)}")


def _lacks(backend: Backend, precision: str) -> bool:
    try:
        check_installed(backend, precision)
    except MissingDependency:
        return True
    return False


@cache
def _unloadable(modules: tuple[str, ...], extra: str) -> tuple[str, str]:
    """Import modules in a process of their own, and return why they cannot be ("" if they can) and what to do."""
    script = f"from pytest_whisperq.commands.doctor import try_to_load; try_to_load({modules!r}, {extra!r})"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{', '.join(modules)}: not imported within {_PATIENCE} s", ""
    if not done.returncode:
        return "", ""
    if done.returncode == _UNLOADABLE:
        what, remedy = json.loads(done.stdout.splitlines()[-1])  # modules may write before
        return what, remedy
    return (done.stderr.strip().splitlines() or [f"the interpreter died with {done.returncode}"])[-1], ""


def try_to_load(modules: tuple[str, ...], extra: str) -> None:
    """Import modules, as a backend would; write why they cannot be and what to do, as JSON, and end the process."""
    try:
        load(modules, extra)
    except MissingDependency as error:
        print(json.dumps([error.what, error.remedy]), flush=True)  # noqa: T201 - read by this command
        os._exit(_UNLOADABLE)  # nothing that a half-imported module has registered gets to write below it


def load(modules: tuple[str, ...], extra: str) -> None:
    """Import modules, as a backend would; raise `MissingDependency` with the reason."""
    optional_imports.refuse_telemetry()
    for module in modules:
        optional_imports.require(module, extra=extra, purpose="run a backend")
    if "transformers" in modules:  # imports what breaks late
        optional_imports.require_attribute(
            "transformers", "WhisperForConditionalGeneration", extra=extra, purpose="run a backend"
        )
