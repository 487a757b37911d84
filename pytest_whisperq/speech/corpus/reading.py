"""How a corpus is read: what the user chose, what becomes of a row that cannot be used, and rows → utterances."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pytest_whisperq.speech.corpus.rows import utterance
from pytest_whisperq.speech.corpus.types import AS_NAMED, Choices, OnError, Utterance, keep_utterances, refuse
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.keys import Keys, key_of


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
) -> Sequence[Utterance]:
    """Return the utterances of rows whose paths are relative to ``folder``.

    The rows of a table have columns that a user may name. A layout with keys of its own has none, but may take the
    name of a text itself. A bad row, or else a span that is listed twice, raises `CorpusError` or is told to
    ``reading.on_error``.
    """
    choices = reading.choices if is_table else _without_columns(folder, reading.choices, takes_text)
    root = folder.resolve()
    sounds, names = Keys(), Keys()

    def usable() -> Iterator[Utterance]:
        for where, values in rows:
            try:
                if isinstance(values, Unusable):
                    raise CorpusError(values.what, where=where, remedy=values.remedy)
                item = utterance(values, where=where, root=root, choices=choices)
            except CorpusError as error:
                reading.on_error(error)
                continue
            sounds.add(key_of(_sound(item)))
            names.add(key_of(item.id))
            yield item

    items = keep_utterances(usable())
    doubtful = sounds.repeated(), names.repeated()
    if not any(doubtful):
        return items
    return keep_utterances(_each_once(items, *doubtful, reading))


def _each_once(
    items: Iterable[Utterance], sounds: frozenset[int], names: frozenset[int], reading: Reading
) -> Iterator[Utterance]:
    """Yield utterances without those whose sound was there already, and each with a name of its own.

    ``sounds`` and ``names`` are the keys of those that may be there twice.
    """
    first_seen: dict[str, str] = {}
    for item in items:
        sound, name = _sound(item), item.id
        if key_of(sound) in sounds:
            if sound in first_seen:
                first = first_seen[sound]
                reading.on_error(
                    CorpusError(f"{name} is listed twice, first at {first}", where=item.where, remedy="remove one line")
                )
                continue
            first_seen[sound] = item.where
        if key_of(name) in names:
            if name in first_seen:  # another span from the same start
                item = item._replace(id=f"{name}+{item.audio.seconds or 0:.12g}")
            first_seen[name] = item.where
        yield item


def _sound(item: Utterance) -> str:
    """Return which span of which recording is heard. It is the name of no utterance."""
    return f"{item.audio.file or item.id}\0{item.audio.offset}\0{item.audio.seconds}"


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
