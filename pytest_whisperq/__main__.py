"""``whisperq``, or ``python -m pytest_whisperq``: what one does with the product outside a test run."""

import argparse
import sys
from collections.abc import Sequence

from pytest_whisperq.commands import (
    cache,
    chunking,
    compare,
    corpus,
    doctor,
    inspect,
    merge,
    normalize,
    playground,
    qat,
    search,
    stream,
    sweep,
    verify,
)
from pytest_whisperq.system.errors import WhisperqError
from pytest_whisperq.system.files import system_error
from pytest_whisperq.system.redaction import without_tokens


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 1 when a check found something wrong, 2 for something that cannot be used."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (WhisperqError, OSError) as error:
        known = system_error(error) if isinstance(error, OSError) else error
        print(f"error: {without_tokens(str(known))}", file=sys.stderr)
        return 2
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    about = "Corpora, caches, saved runs and exported models, outside a test run. The same: python -m pytest_whisperq."
    whole = argparse.ArgumentParser(prog="whisperq", description=about)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    each = cache, corpus, compare, merge, verify, inspect, doctor, sweep, search, qat, chunking, stream, normalize
    for command in (*each, playground):
        command.register(commands)
    return whole


if __name__ == "__main__":
    sys.exit(main())
