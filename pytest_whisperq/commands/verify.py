"""``verify``: whether exported models are still what was gated."""

import argparse
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, say
from pytest_whisperq.reporting.export import exported, verify


def register(commands: Any) -> None:
    """Add the command."""
    text = "check exported models before deployment: exit code 1 unless every file is what was gated"
    parser = add(commands, "verify", text, _run)
    parser.add_argument("directory", metavar="DIR", type=Path, help="an exported model, or a folder of them")


def _run(options: argparse.Namespace) -> int:
    code = 0
    for folder in exported(options.directory):
        name, wrong, differs = verify(folder)
        code = max(code, 1 if wrong else 0)
        for problem in wrong:
            say(f"{folder}: {name}: {problem}")
        if not wrong:
            say(f"{folder}: {name}: sound, as it was gated")
        for difference in differs:
            say(f"{folder}: {name}: differs: {difference}")
    return code
