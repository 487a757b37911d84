"""The commands of ``whisperq``, a file each; every one adds its parser and prints what it finds."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.config.values import Option
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.session import Session, silent
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.printing import paced, printable

_Value = TypeVar("_Value")

_ERASE = "\r\x1b[K"
"""What a terminal takes for the beginning of a line that is empty."""


READ_AS = ("corpus-root", "audio-column", "text-column", "language-column", "language")
"""The options that say how a corpus is read."""


def named(*names: str) -> tuple[Option, ...]:
    """Return the options of a gate run of those names, in the order of the table."""
    return tuple(option for option in OPTIONS if option.name in names)


def add_options(parser: argparse.ArgumentParser, options: Sequence[Option]) -> None:
    """Let a command take options of a gate run, under their names without the prefix; with it they mean the same."""
    for option in options:
        default = f" (default: {option.default})" if option.default else ""
        text = f"{option.help}{default}".replace("%", "%%")
        parser.add_argument(f"--{option.name}", dest=option.ini, metavar=option.metavar, help=text)
        parser.add_argument(option.flag, dest=option.ini, help=argparse.SUPPRESS)


def given(parsed: argparse.Namespace, options: Sequence[Option]) -> dict[str, str | None]:
    """Return what was typed for ``options``, by ini key, as `config.settings.resolve` takes it."""
    return {option.ini: getattr(parsed, option.ini) for option in options}


def locate(parser: argparse.ArgumentParser) -> None:
    """Let a command take the corpus that it looks at."""
    parser.add_argument("corpus", metavar="CORPUS", help="in any form that --whisperq-corpus takes")


def refuse_directory(path: Path, option: str, example: str) -> None:
    """Raise `ConfigError` for a file that is a directory; ``example`` is a name it could have there."""
    if path.is_dir():
        raise ConfigError(f"{path} is a directory", where=option, remedy=f"name a file in it, such as {example}")


def say(line: str) -> None:
    """Print a line that may hold texts of others."""
    print(printable(line), flush=True)


def remark(line: str) -> None:
    """Print on stderr what is not the result of a command; it may hold texts of others."""
    begin = _ERASE if sys.stderr.isatty() else ""
    print(f"{begin}{printable(line)}", file=sys.stderr, flush=True)


def progress() -> Progress:
    """Return what shows progress: one line of stderr that rewrites itself on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return silent
    return paced(lambda line, is_over: print(f"{_ERASE}{'' if is_over else line}", end="", file=sys.stderr, flush=True))


def tell_repairs(session: Session) -> None:
    """Say on stderr what of the cache was damaged and has been made again."""
    for repair in session.repairs:
        print(f"note: {printable(repair)}", file=sys.stderr)


def warn_of_memory(session: Session) -> None:
    """Say on stderr which models are about to be built for which there is too little memory."""
    for shortage in session.shortages:
        remark(shortage)


def typed(parse: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Turn a parser of `config.values` into one whose errors argparse shows."""

    def checked(text: str) -> _Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be {error} (got {text!r})") from None

    return checked


def add(commands: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add a command with its one-line description; return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser
