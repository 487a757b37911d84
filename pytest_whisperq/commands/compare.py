"""``compare``: what moved between two saved runs over the same corpus."""

import argparse
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, refuse_directory, say, typed
from pytest_whisperq.config import values
from pytest_whisperq.history.comparison import compare
from pytest_whisperq.history.document import read_all
from pytest_whisperq.reporting.html import ROWS, render, utterance_table
from pytest_whisperq.reporting.terminal import comparison_text
from pytest_whisperq.system.files import replace_text


def register(commands: Any) -> None:
    """Add the command."""
    text = "compare two saved runs over the same corpus: what moved, and whether model, library or quantization did it"
    parser = add(commands, "compare", text, _run)
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
    level = typed(values.Range(0.5, 1, "a level from 0.5 up to, not including, 1, such as 0.95", never=1))
    parser.add_argument("--confidence", metavar="LEVEL", type=level, default=0.95, help="of the bounds (0.95)")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="also write the later run's report with the comparison"
    )


def _pair(text: str) -> tuple[str, str]:
    new, equals, old = text.partition("=")
    if not (equals and new.strip() and old.strip()):
        raise ValueError("two candidates, such as openvino:int8-ptq=openvino:int8")
    return new.strip(), old.strip()


def _run(options: argparse.Namespace) -> int:
    if options.html:
        refuse_directory(options.html, "--html", "comparison.html")
    old, new = read_all([options.old, options.new], "compare")
    comparison = compare(old, new, pairs=dict(options.pair), confidence=options.confidence)
    for line in comparison_text(comparison).splitlines():
        say(line)
    if options.html:
        document = {**new.document, "compared": [comparison.to_dict()]}
        replace_text(options.html, render(document, utterance_table(document, ROWS)), "--html")
        say(f"written to {options.html}")
    return 2 if comparison.refused else 0
