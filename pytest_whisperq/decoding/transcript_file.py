"""One file of transcripts, ``transcripts/KEY.jsonl``, to which several processes may append, on several machines.

The first line says what executed; without it nobody could say what the others are. Each further line is a clip. The
file is locked while lines are added, and not while a model decodes them: the shards of a run that share a folder write
side by side. It is opened anew under the lock, as network file systems want it.
"""

import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from sys import intern
from typing import Any, BinaryIO

from pytest_whisperq.decoding.transcript_places import LEAST, Places, Placing, places
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.files import replace_text
from pytest_whisperq.system.keys import Names
from pytest_whisperq.system.on_disk import AS_IT_IS, keep_by_name
from pytest_whisperq.system.sealed import SealedFile, damage, seal, sealed, unseal, unseal_line

Said = tuple[str, str | None]
"""What a model says in a clip: the text, and the language it detects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a file of transcripts holds: what executed, and what was said in which clip.

    Without a sound first line there are no texts: nobody could say what executed. ``damage`` says how many of how many
    lines are damaged, "" for none; ``is_cut`` says that the last line has no end.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, Said] = field(default_factory=dict)
    damage: str = ""
    is_cut: bool = False


def read(path: Path, wanted: Names | None = None) -> Stored:
    """Return what a file of transcripts holds, of some clips where they are ``wanted``; nothing where there is none.

    Of a large file only the lines of these are read, if it is known where they are (`transcript_places`). More than a
    few texts are on the disk (`on_disk.keep_by_name`).
    """
    known = places(path) if wanted is not None else None
    found = _read_placed(path, known, wanted) if known and wanted is not None else None
    return found or _read_through(path, wanted)


def _read_through(path: Path, wanted: Names | None) -> Stored:
    """Read all lines; note where they are if that was worth it."""
    lines, placing = SealedFile(path), Placing()
    records = iter(lines)
    header = next(records, {})
    if "compute_type" not in header:
        for _ in records:  # which tells of damage
            pass
        return Stored(damage=_damage(lines), is_cut=lines.is_cut)
    texts = keep_by_name(_texts(records, lines, placing, wanted), AS_IT_IS, may_repeat=True)
    if placing.count >= LEAST and not (lines.damaged or lines.is_cut):
        placing.write(path, lines)
    return Stored(header=header, texts=texts, damage=_damage(lines), is_cut=lines.is_cut)


class _UnsoundError(Exception):
    """A line is not what was noted of it."""


def _read_placed(path: Path, known: Places, wanted: Names) -> Stored | None:
    """Read the first line, those of the clips that are wanted, and what was added since; None if any is not sound."""
    lines, placing = SealedFile(path, known.end), Placing(known)
    try:
        with path.open("rb") as file:
            if not known.hold(file):
                return None
            header = _at(0, file, path)
            there = _placed(file, path, known, wanted)
            texts = keep_by_name(chain(there, _texts(iter(lines), lines, placing, wanted)), AS_IT_IS, may_repeat=True)
    except (OSError, _UnsoundError):
        return None  # reading through says what is wrong
    if lines.damaged or lines.is_cut:
        return None  # the file is written anew then, and who reads through says of how many lines are lost
    if placing.count >= LEAST:
        placing.write(path, lines)
    return Stored(header=header, texts=texts)


def _placed(file: BinaryIO, path: Path, known: Places, wanted: Names) -> Iterator[tuple[str, Said]]:
    for start in known.of(wanted):
        row = _at(start, file, path)
        if row["clip"] in wanted:
            yield row["clip"], _said(row)


def _at(start: int, file: BinaryIO, path: Path) -> Mapping[str, Any]:
    file.seek(start)
    row = unseal_line(file.readline().removesuffix(b"\n"), path.name)
    if row is None:
        raise _UnsoundError
    return row


def _texts(
    records: Iterator[Mapping[str, Any]], lines: SealedFile, placing: Placing, wanted: Names | None
) -> Iterator[tuple[str, Said]]:
    for row in records:
        placing.add(row["clip"], lines.start)
        if wanted is None or row["clip"] in wanted:
            yield row["clip"], _said(row)


def _damage(lines: SealedFile) -> str:
    return damage(lines.damaged, lines.count) if lines.damaged else ""


def _said(row: Mapping[str, Any]) -> Said:
    language = row["language"]
    return row["text"], language and intern(language)  # a few, in a million rows


def read_clips(path: Path, clips: Container[str]) -> dict[str, Mapping[str, Any]]:
    """Return all that a file of transcripts holds of some clips, tokens too."""
    return {row["clip"]: row for row in SealedFile(path) if row.get("clip") in clips}


class TranscriptFile:
    """A file of transcripts to be added to; ``header`` is its first line.

    ``on_damage`` is told how much of the file was damaged, and is gone.
    """

    def __init__(
        self, layout: CacheLayout, path: Path, header: Mapping[str, Any], on_damage: Callable[[str], None]
    ) -> None:
        self._layout = layout
        self._path = path
        self._header = header
        self._on_damage = on_damage
        self._end = (0, 0, 0)
        """The state of the file when it was read last, to its end."""
        self._wanted: Names | None = None

    def begin(self, wanted: Names | None = None) -> Mapping[str, Said]:
        """Make the file, or what is wrong with it anew; return what it says of clips, of all unless some are wanted."""
        self._wanted = wanted
        with self._layout.locked(self._path):
            return self._begin()

    def news(self) -> Mapping[str, Said]:
        """Return what other processes have added since the file was last looked at; mostly nothing."""
        if state_of(self._path) == self._end:
            return {}
        with self._layout.locked(self._path):
            added = self._news()
            self._look()
        return added

    def add(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Said]:
        """Add clips; return what other processes have added since the file was last looked at."""
        with self._layout.locked(self._path):
            added = self._news()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(sealed([row for row in records if row["clip"] not in added], self._path.name))
            self._look()
        return added

    def _begin(self) -> Mapping[str, Said]:
        stored, kept = read(self._path, self._wanted), iter(SealedFile(self._path))
        if stored.damage:
            self._on_damage(stored.damage)
        if stored.header.get("compute_type") != self._header["compute_type"]:  # the runtime may be told otherwise
            stored, kept = Stored(), iter([dict(self._header)])
        if not stored.header or stored.damage or stored.is_cut:
            replace_text(self._path, (seal(row, self._path.name) for row in kept))
        self._look()
        return stored.texts

    def _news(self) -> Mapping[str, Said]:
        """Return what was added to the file since; all of it where it is another one, or not as it was left."""
        number, end, _ = self._end
        try:
            state = self._path.stat()
            if state.st_ino == number and state.st_size >= end:
                with self._path.open("rb") as file:
                    file.seek(end)
                    lines = unseal(file.read(), self._path.name)
                if not (lines.damaged or lines.is_cut):
                    return {row["clip"]: _said(row) for row in lines.records}
        except FileNotFoundError:
            pass
        return self._begin()

    def _look(self) -> None:
        self._end = state_of(self._path)


def state_of(path: Path) -> tuple[int, int, int]:
    """Return what changes when somebody adds to a file: its number, size and time; zeros for one that is not there.

    It is opened for that: a network file system may tell of a file by its name what was so a minute ago.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
    except OSError:
        return 0, 0, 0
    return state.st_ino, state.st_size, state.st_mtime_ns
