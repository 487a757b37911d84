"""``doctor``: whether everything is here that gates need."""

import argparse
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add
from pytest_whisperq.config.settings import cache_directory


def register(commands: Any) -> None:
    """Add the command."""
    text = "say what is missing or broken here, and how to mend it; exit code 1 if anything is broken"
    parser = add(commands, "doctor", text, _doctor)
    parser.add_argument("--cache-dir", metavar="DIR", help="the cache directory (default: the platform's)")


def _doctor(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands.doctor import examine

    broken = 0
    for symptom in examine(Path(cache_directory(options.cache_dir))):
        is_broken = bool(symptom.fix) and not symptom.is_optional
        broken += is_broken
        mark = "broken" if is_broken else "absent" if symptom.fix else "ok"
        print(f"{mark:6}  {symptom.name}: {symptom.found}", flush=True)
        if symptom.fix:
            print(f"        {symptom.fix}")
    print(f"{broken} broken" if broken else "nothing is broken")
    return 1 if broken else 0
