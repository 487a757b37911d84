"""``cache``: what was built and decoded, listed, checked and cleared."""

import argparse
import time
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, say, typed
from pytest_whisperq.config import values
from pytest_whisperq.config.settings import cache_directory
from pytest_whisperq.models import cache
from pytest_whisperq.system.errors import ConfigError

_MEGABYTE = 1e6


def register(commands: Any) -> None:
    """Add the command."""
    text = "built models and transcripts: list them, check them, remove what is of no use"
    actions = commands.add_parser("cache", help=text, description=text).add_subparsers(required=True, metavar="ACTION")
    for name, run, text in (
        ("list", _list, "print every built model and file of transcripts with its size and age"),
        ("verify", _verify, "check every file and line against its digest; exit code 1 for damage"),
        (
            "prune",
            _prune,
            "remove what is unfinished, damaged or outdated here, and transcripts of models that are gone",
        ),
    ):
        action = add(actions, name, text, run)
        action.add_argument(
            "--cache-dir",
            metavar="DIR",
            help="where it is (default: the platform's cache directory; what an ini file says is not read)",
        )
        if name == "prune":
            days = typed(values.Range(0, float("inf"), "a number of days, 0 or more", never=float("inf")))
            action.add_argument("--older-than", metavar="DAYS", type=days, help="also what has not changed for so long")


def _root(options: argparse.Namespace) -> Path:
    """Return the cache directory; one that was typed must exist, and an empty one is a variable that is not set."""
    typed: str | None = options.cache_dir
    root = cache_directory(typed)
    if typed is not None and not (typed.strip() and root.is_dir()):
        raise ConfigError(
            f"{typed!r} is no directory", where="--cache-dir", remedy="leave it out for the platform's cache directory"
        )
    return root


def _list(options: argparse.Namespace) -> int:
    root = _root(options)
    entries = list(cache.entries(root))
    for entry in entries:
        say(_line(entry))
    say(f"{len(entries)} entries, {sum(entry.size for entry in entries) / _MEGABYTE:.1f} MB in {root}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    root = _root(options)
    entries = list(cache.entries(root, verify=True))
    bad = [entry for entry in entries if entry.problem]
    for entry in bad:
        say(_line(entry))
    advice = "; run: whisperq cache prune" if bad else ""
    say(f"{len(entries) - len(bad)} of {len(entries)} entries in {root} are sound and usable{advice}")
    return 1 if any(entry.is_damaged for entry in bad) else 0


def _prune(options: argparse.Namespace) -> int:
    root = _root(options)
    removed = list(cache.prune(root, older_than=options.older_than))
    for entry in removed:
        say(_line(entry))
    say(f"removed {len(removed)} entries, {sum(entry.size for entry in removed) / _MEGABYTE:.1f} MB, from {root}")
    return 0


def _line(entry: cache.Entry) -> str:
    days = (time.time() - entry.changed) / 86_400
    reason = f"  ({entry.problem})" if entry.problem else ""
    return f"{entry.path.name[:12]}  {entry.size / _MEGABYTE:8.1f} MB  {days:5.1f} days  {entry.name}{reason}"
