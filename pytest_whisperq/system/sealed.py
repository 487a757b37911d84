"""Lines of JSON that show damage: each ends with a digest of itself and of the name of what it belongs to.

A killed writer leaves a last line without its end. That line is unfinished, and says nothing about the others.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_whisperq.system.errors import StoreError

_SEAL = ', "sha256": "'
SEAL_BYTES = len(_SEAL) + 64 + len('"}')
"""How long the end of a line is that holds its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedLines:
    """What a file of sealed lines holds: the records that are as they were written, in order.

    ``damaged`` counts lines that are not. ``is_cut`` says that the last line has no end.
    """

    records: tuple[dict[str, Any], ...] = ()
    damaged: int = 0
    is_cut: bool = False

    @property
    def damage(self) -> str:
        """How many lines of how many are damaged: ``1 of 301 lines``."""
        return damage(self.damaged, len(self.records) + self.damaged)


def damage(damaged: int, count: int) -> str:
    """Return how many lines of how many are damaged: ``1 of 301 lines``."""
    return f"{damaged} of {count} line{'s' if count > 1 else ''}"


def seal(record: Mapping[str, Any], name: str) -> str:
    """Return a record, which is not empty, as a line of JSON whose last key is its digest.

    ``name`` is what the line belongs to: a line that gets into another file is damage there.
    """
    body = json.dumps(record)[:-1]
    return f"{body}{_seal_of(body.encode(), name)}\n"


def unseal(lines: bytes, name: str) -> SealedLines:
    """Return what the lines of ``name`` hold. Nothing of a line is read before its digest is checked."""
    *whole, rest = lines.split(b"\n")
    records = [unseal_line(line, name) for line in whole]
    sound = tuple(record for record in records if record is not None)
    return SealedLines(records=sound, damaged=len(records) - len(sound), is_cut=bool(rest))


def read_sealed(path: Path) -> SealedLines:
    """Return what a file of the cache holds, nothing where there is none; raise `StoreError` for one not readable."""
    try:
        return unseal(path.read_bytes(), path.name)
    except (FileNotFoundError, NotADirectoryError):
        return SealedLines()
    except OSError as error:
        raise _unreadable(path, error) from error


class SealedFile:
    """The lines of a file of the cache, read one by one: what a file of millions holds need not be held.

    Iterating yields the records that are as they were written, from the byte ``first`` on; ``start`` says where the
    line of the last one begins. When it is over, ``end`` says where the last line ends that has an end, ``seal`` with
    what digest, ``count`` how many have, ``damaged`` how many of them are damaged, and ``is_cut`` whether there is one
    without.

    Raises `StoreError` for a file that cannot be read; one that is not there has no lines.
    """

    def __init__(self, path: Path, first: int = 0) -> None:
        self._path = path
        self.start = self.end = first
        self.count = self.damaged = 0
        self.seal = b""
        self.is_cut = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self.end)
                for line in file:
                    if not line.endswith(b"\n"):
                        self.is_cut = True
                        return
                    self.count += 1
                    self.start, self.end, self.seal = self.end, self.end + len(line), line[-SEAL_BYTES - 1 : -1]
                    record = unseal_line(line[:-1], self._path.name)
                    if record is None:
                        self.damaged += 1
                    else:
                        yield record
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _unreadable(self._path, error) from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot be read: {error.strerror or error}", where=str(path), remedy="delete it, or make it readable"
    )


def sealed(records: Iterable[Mapping[str, Any]], name: str) -> str:
    """Return several records as lines."""
    return "".join(seal(record, name) for record in records)


def unseal_line(line: bytes, name: str) -> dict[str, Any] | None:
    """Return what a line of ``name`` holds, less its end; None for one that is damaged."""
    body, end = line[:-SEAL_BYTES], line[-SEAL_BYTES:]
    if not line.isascii() or end != _seal_of(body, name).encode():
        return None
    record: dict[str, Any] = json.loads(f"{body.decode()}}}")
    return record


def _seal_of(body: bytes, name: str) -> str:
    """Return how the line ends whose JSON is ``body``, less its last brace."""
    return f'{_SEAL}{_digest(body, name)}"}}'


def _digest(body: bytes, name: str) -> str:
    return hashlib.sha256(b"%b\n%b}" % (name.encode(), body)).hexdigest()
