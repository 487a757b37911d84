"""``corpus``: recordings of one's own, from a folder to a corpus that can be gated on."""

import argparse
import sys
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, add_options, given, named
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import replace_text

_LINTED_WITH = named("calibration", "normalizer", "max-drop", "max-catastrophes", "confidence")
_DESCRIBED_WITH = named("normalizer", "max-drop", "confidence", "cache-dir")


def register(commands: Any) -> None:
    """Add the command."""
    text = "recordings of your own: start from a folder, check what is there, describe it"
    actions = commands.add_parser("corpus", help=text, description=text).add_subparsers(required=True, metavar="ACTION")
    text = "name everything that is wrong with a corpus; exit code 1 if anything is"
    parser = add(actions, "lint", text, _lint)
    _locate(parser)
    add_options(parser, _LINTED_WITH)
    parser = add(actions, "init", "make a corpus, a test and a pytest.ini of a folder of recordings", _init)
    parser.add_argument("directory", metavar="DIR", type=Path, help="the folder; no file in it is replaced")
    parser = add(actions, "card", "print what is in a corpus, and what it can certify, as Markdown", _card)
    _locate(parser)
    add_options(parser, _DESCRIBED_WITH)
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there")


def _locate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", metavar="CORPUS", help="in any form that --whisperq-corpus takes")


def _lint(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands.corpus_lint import lint, silent

    config = resolve({**given(options, _LINTED_WITH), "whisperq_corpus": options.corpus})
    found = lint(config, _count if sys.stderr.isatty() else silent)
    for finding in found:
        print(finding)
    print(f"{len(found)} finding{'' if len(found) == 1 else 's'} in {options.corpus}")
    return 1 if found else 0


def _count(done: int, total: int) -> None:
    print(f"\rchecked {done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _init(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands.corpus_init import start

    for line in start(options.directory):
        print(line)
    return 0


def _card(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands.corpus_init import card

    text = card(resolve({**given(options, _DESCRIBED_WITH), "whisperq_corpus": options.corpus}))
    if options.output is None:
        print(text, end="")
        return 0
    if options.output.is_dir():
        raise ConfigError(
            f"{options.output} is a directory", where="--output", remedy="name a file in it, such as CARD.md"
        )
    replace_text(options.output, text, "--output")
    print(f"written to {options.output}")
    return 0
