"""``compare`` and ``verify``: what one does with what runs left behind."""

import argparse
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, typed
from pytest_whisperq.config import values
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import replace_text


def register(commands: Any) -> None:
    """Add the commands."""
    text = "compare two saved runs over the same corpus: what moved, and whether model, library or quantization did it"
    parser = add(commands, "compare", text, _compare)
    parser.add_argument("old", metavar="OLD.json", type=Path, help="the earlier run")
    parser.add_argument("new", metavar="NEW.json", type=Path, help="the later run")
    parser.add_argument(
        "--pair",
        metavar="NEW=OLD",
        type=typed(_pair),
        action="append",
        default=[],
        help="candidates that belong together though they are called differently; again for each pair",
    )
    level = typed(values.number(0.5, 1, "a level from 0.5 up to, not including, 1, such as 0.95", never=1))
    parser.add_argument("--confidence", metavar="LEVEL", type=level, default=0.95, help="of the bounds (0.95)")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="also write the later run's report with the comparison"
    )
    text = "check exported models before deployment: exit code 1 unless every file is what was gated"
    parser = add(commands, "verify", text, _verify)
    parser.add_argument("directory", metavar="DIR", type=Path, help="an exported model, or a folder of them")


def _pair(text: str) -> tuple[str, str]:
    new, equals, old = text.partition("=")
    if not (equals and new.strip() and old.strip()):
        raise ValueError("two candidates, such as openvino:int8-ptq=openvino:int8")
    return new.strip(), old.strip()


def _compare(options: argparse.Namespace) -> int:
    from pytest_whisperq.history.comparison import compare
    from pytest_whisperq.history.document import read_all
    from pytest_whisperq.reporting.html import render
    from pytest_whisperq.reporting.terminal import comparison_text

    old, new = read_all([options.old, options.new], "compare")
    found = compare(old, new, pairs=dict(options.pair), confidence=options.confidence)
    print(comparison_text(found))
    if options.html:
        if options.html.is_dir():
            raise ConfigError(
                f"{options.html} is a directory", where="--html", remedy="name a file in it, such as comparison.html"
            )
        replace_text(options.html, render({**new.document, "compared": [found.to_dict()]}), "--html")
        print(f"written to {options.html}")
    return 2 if found.refused else 0


def _verify(options: argparse.Namespace) -> int:
    from pytest_whisperq.reporting.export import exported, verify

    code = 0
    for folder in exported(options.directory):
        name, wrong, differs = verify(folder)
        code = max(code, 1 if wrong else 0)
        for problem in wrong:
            print(f"{folder}: {name}: {problem}")
        if not wrong:
            print(f"{folder}: {name}: sound, as it was gated")
        for difference in differs:
            print(f"{folder}: {name}: differs: {difference}")
    return code
