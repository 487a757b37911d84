"""Texts of others on a terminal: names of files and columns, transcripts, names of models, fields of certificates.

They may hold what a terminal obeys (escape sequences), what turns a line around (bidirectional controls), a line of
their own, and what a CI service takes for a command. All of that is written out, so that it can be read and does
nothing. Markdown and HTML have other commands, and go through `visible` first.
"""

import re
import time
import unicodedata
from collections.abc import Callable

_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates; marks of direction turn nothing around, and Arabic texts need them."""

_WRITTEN_OUT = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of Unicode: control characters, C1 among them, lone surrogates, and separators of lines."""

_TAGS = range(0xE0000, 0xE0080)
"""Characters that nobody sees."""

_COMMAND = re.compile(r"^\s*:(?=:)|#(?=#(?:\[|vso\[|teamcity\[))", re.MULTILINE)
"""GitHub obeys ``::error …`` at the start of a line, after spaces too, and, as Azure and TeamCity do, ``##[…]``
anywhere (actions/runner, ActionCommand.cs)."""


def visible(text: str) -> str:
    r"""Return a text with each character that is obeyed, and not shown, written as Python writes it; on one line.

    >>> visible("a\x1b[2Jb\n\u202etxt.wav")
    'a\\x1b[2Jb\\n\\u202etxt.wav'
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    is_obeyed = unicodedata.category(char) in _WRITTEN_OUT or char in _BIDIRECTIONAL or ord(char) in _TAGS
    return char.encode("unicode_escape").decode() if is_obeyed else char


def printable(text: str) -> str:
    r"""Return one line of a terminal that may hold texts of others: `visible`, and no command of a CI service.

    >>> printable("::error file=a.py::no")
    ':\\:error file=a.py::no'
    """
    return without_commands(visible(text))


def without_commands(text: str) -> str:
    """Return lines, which may be coloured, none of which is a command of a CI service: a backslash parts its signs."""
    return _COMMAND.sub(lambda found: f"{found[0]}\\", text)


_SECONDS_BETWEEN_UPDATES = 0.1


def paced(rewrite: Callable[[str, bool], object]) -> Callable[[str, int, int], None]:
    """Return what is told of progress (stage, how much is done, how much there is) and has a line of it rewritten.

    ``rewrite`` gets the line, ten times a second at most, and whether its stage is over.
    """
    last, shown = "", 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal last, shown
        is_over = total > 0 and done >= total
        if not is_over and stage == last and time.monotonic() - shown < _SECONDS_BETWEEN_UPDATES:
            return
        last, shown = stage, time.monotonic()
        rewrite(printable(f"{stage} {f'{done}/{total}' if total else '…'}"), is_over)

    return show
