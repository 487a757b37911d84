"""How a corpus is read: what the user chose, what becomes of a row that cannot be used, and rows → utterances."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.speech.corpus.rows import utterance
from pytest_whisperq.speech.corpus.types import AS_NAMED, Choices, OnError, Utterance, refuse
from pytest_whisperq.system.errors import CorpusError


class Unusable(NamedTuple):
    """What is wrong with a line, and what to do about it."""

    what: str
    remedy: str = ""


class Row(NamedTuple):
    """What a layout says of one utterance, in the keys of `rows`; ``where`` is the file and line that say it."""

    where: str
    values: Mapping[str, Any] | Unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a corpus. ``note`` is told what was found and belongs to no utterance."""

    note: Callable[[str], None]
    on_error: OnError = refuse
    choices: Choices = AS_NAMED


def collect(
    rows: Iterable[Row], folder: Path, reading: Reading, *, is_table: bool = False, takes_text: bool = False
) -> list[Utterance]:
    """Return the utterances of rows whose paths are relative to ``folder``.

    The rows of a table have columns that a user may name. A layout with keys of its own has none, but may take the
    name of a text itself. A bad row, or a span that is listed twice, raises `CorpusError` or is told to
    ``reading.on_error``.
    """
    choices = reading.choices if is_table else _without_columns(folder, reading.choices, takes_text)
    root = folder.resolve()
    utterances: list[Utterance] = []
    first_seen: dict[object, str] = {}
    for where, values in rows:
        try:
            if isinstance(values, Unusable):
                raise CorpusError(values.what, where=where, remedy=values.remedy)
            item = utterance(values, where=where, root=root, choices=choices)
            sound = (item.audio.file or item.id, item.audio.offset, item.audio.seconds)
            if sound in first_seen:
                raise CorpusError(
                    f"{item.id} is listed twice, first at {first_seen[sound]}", where=where, remedy="remove one line"
                )
        except CorpusError as error:
            reading.on_error(error)
            continue
        first_seen[sound] = where
        if item.id in first_seen:  # another span from the same start
            item = replace(item, id=f"{item.id}+{item.audio.seconds or 0:.12g}")
        first_seen[item.id] = where
        utterances.append(item)
    return utterances


def _without_columns(folder: Path, choices: Choices, takes_text: bool) -> Choices:
    """Return what is chosen for a layout without columns; refuse names of some."""
    named = {"audio": choices.audio_column, "text": None if takes_text else choices.text_column}
    for option, column in {**named, "language": choices.language_column}.items():
        if column is not None:
            raise CorpusError(
                f"is in a layout without columns, so {column!r} names none",
                where=str(folder),
                remedy=f"drop --whisperq-{option}-column",
            )
    return Choices(root=choices.root)
