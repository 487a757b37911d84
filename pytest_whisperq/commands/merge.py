"""``merge``: judge the shards of a run, which were decoded on several machines, once."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, say
from pytest_whisperq.history.shards import OPTION, read_shards
from pytest_whisperq.system.errors import ConfigError


def register(commands: Any) -> None:
    """Add the command."""
    text = "check the shards of a run against each other, and judge all of them by one run of pytest"
    parser = add(commands, "merge", text, _run)
    parser.usage = "whisperq merge FILE [FILE …] [-- ARGUMENTS OF PYTEST]"
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs=argparse.REMAINDER,
        help="what each shard saved by --whisperq-save, all of them; after --, the arguments of the run that judges",
    )


def _run(options: argparse.Namespace) -> int:
    files, separator, arguments = _split(options.files)
    if not files:
        raise ConfigError("names no shard", where="whisperq merge", remedy="name the files that the shards saved")
    if strange := [name for name in files if "," in name or name.startswith("-")]:
        raise ConfigError(
            f"{strange[0]!r} cannot be named here",
            where="whisperq merge",
            remedy="files first, without commas, then --",
        )
    shards = read_shards([Path(name) for name in files])
    if separator:
        judged = [*arguments, f"{OPTION}={','.join(files)}"]
        return subprocess.run([sys.executable, "-m", "pytest", *judged], check=False).returncode
    models = ", ".join(model["name"] for model in shards[0].document["models"])
    say(f"{len(shards)} shards, all of one run: transcribed by {models}")
    say("not judged: after -- come the arguments of pytest. The shards were run with these, less their own:")
    say(f"whisperq merge {shlex.join(files)} -- {shlex.join(shards[0].command)}")
    return 0


def _split(typed: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in typed:
        return typed, False, []
    place = typed.index("--")
    return typed[:place], True, typed[place + 1 :]
