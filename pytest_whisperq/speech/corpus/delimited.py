"""Tables in text: which character parts the columns is found out here, and nowhere else."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.speech.corpus.files import lines_of
from pytest_whisperq.speech.corpus.reading import Unusable
from pytest_whisperq.speech.corpus.rows import canonical, is_known
from pytest_whisperq.system.errors import CorpusError

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_DECLARED = "sep="


class Dialect(NamedTuple):
    """How a table is written: what parts its columns, whether quotes mean anything, and lines before its header."""

    delimiter: str
    is_quoted: bool
    skip: int


def read_table(path: Path, named: tuple[str | None, ...] = ()) -> Iterator[tuple[int, dict[str, Any] | Unusable]]:
    """Yield each row with its line, or what is wrong with it; columns of known names are called by these.

    ``named`` are columns that the user names. Raises `CorpusError` where what follows cannot be read either.
    """
    dialect = sniff(lines_of(path), named)
    reader = csv.reader(
        (f"{line}\n" for line in islice(lines_of(path), dialect.skip, None)),
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.is_quoted else csv.QUOTE_NONE,
        strict=True,
    )
    header: list[str] | None = None
    try:
        for fields in reader:
            if not fields:
                continue
            if header is None:
                header = _header(fields, f"{path}:{reader.line_num + dialect.skip}")
            elif len(fields) == len(header):
                yield reader.line_num + dialect.skip, dict(zip(header, fields, strict=True))
            else:
                yield reader.line_num + dialect.skip, _uneven(fields, header, dialect)
    except csv.Error as error:
        line = reader.line_num + dialect.skip
        raise CorpusError(f"is not valid CSV ({error})", where=f"{path}:{line}") from error


def sniff(lines: Iterable[str], named: tuple[str | None, ...] = ()) -> Dialect:
    """Return how a table of lines is written, by its header: the character that parts most columns of known names.

    A first line ``sep=;``, as spreadsheets write it, says so itself. Quotes between tabs mean something only where
    every line can be read so: Common Voice writes none, and its sentences begin with some.

    >>> sniff(["Path;Sentence"]).delimiter
    ';'
    """
    rest = iter(lines)
    first, skip = next(rest, ""), 0
    if first.lower().startswith(_DECLARED) and len(first) == len(_DECLARED) + 1:
        delimiter, skip = first[-1], 1
    else:
        rest = chain([first], rest)

        def known(delimiter: str) -> tuple[int, int]:
            names = [name.strip().strip('"') for name in first.split(delimiter)]
            return sum(is_known(name) or name in named for name in names), len(names)

        delimiter = max(_DELIMITERS, key=known)
    return Dialect(delimiter, delimiter != "\t" or _has_quotes(rest), skip)


def _has_quotes(lines: Iterable[str]) -> bool:
    """Whether every quote in a table with tabs stands where a writer of CSV puts it, line by line."""
    try:
        for line in lines:
            if line.count('"') % 2:
                return False
            for _ in csv.reader([line] if '"' in line else (), delimiter="\t", strict=True):
                pass
    except csv.Error:
        return False
    return True


def _header(fields: list[str], where: str) -> list[str]:
    names = [canonical(name) for name in fields]
    if len(set(names)) != len(names):
        raise CorpusError(
            f"the header names a column twice: {', '.join(names)}", where=where, remedy="rename or remove one"
        )
    return names


def _uneven(fields: list[str], header: list[str], dialect: Dialect) -> Unusable:
    many = f"has {'more' if len(fields) > len(header) else 'fewer'} fields than the header's {len(header)}"
    mark = _DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
    return Unusable(f"{many} ({', '.join(header)})", f"put text that contains a {mark} in double quotes")
