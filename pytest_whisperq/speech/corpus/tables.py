"""Tables that carry their audio: parquet files, directories saved by datasets, and hub data sets."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_whisperq.speech.corpus.reading import Reading
from pytest_whisperq.speech.corpus.rows import audio_column, canonical, utterance
from pytest_whisperq.speech.corpus.types import AS_NAMED, Choices, Utterance, keep_utterances
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.files import first_line
from pytest_whisperq.system.hub import hub_remedy
from pytest_whisperq.system.keys import Keys, Names, key_of

_AT_ONCE = 64
"""Rows of a parquet file that are read at once, with their recordings."""

_NO_SAMPLE = "no sample of the whole, and perhaps of few speakers"
_DATASET_MARKS = ("dataset_dict.json", "state.json")
_SHARD = re.compile(r"(.+?)-\d+-of-\d+(?:-[0-9a-f]{16})?|(train|validation|valid|val|dev|test|eval)(?:[-._ ]?\d+)?")


def is_dataset_directory(directory: Path) -> bool:
    """Whether ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote this directory."""
    return any((directory / mark).is_file() for mark in _DATASET_MARKS)


def read_parquet(*paths: Path, choices: Choices = AS_NAMED) -> Sequence[Utterance]:
    """Read the shards of a parquet table whose audio column holds ``{bytes, path}``, as the hub's data sets do.

    Raises `CorpusError` for a table that cannot be read, `MissingDependency` without pyarrow.
    """
    parquet = optional_imports.require("pyarrow.parquet", extra="data", purpose="read parquet")
    return _unique(item for path in paths for item in _in_parquet(parquet, path, choices))


def _in_parquet(parquet: Any, path: Path, choices: Choices) -> Iterator[Utterance]:
    """Yield what is in one file, which is read piece by piece."""

    def rows(file: Any) -> Iterator[dict[str, Any]]:
        with _unreadable(path):
            for batch in file.iter_batches(_AT_ONCE):
                yield from batch.to_pylist()

    with _unreadable(path):
        file = parquet.ParquetFile(path)
    with file:
        yield from _utterances(
            _with_names(rows(file), _classes_of(file.schema_arrow.metadata)), f"{path}", path.parent, choices
        )


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise CorpusError(f"is not a readable parquet file ({first_line(error)})", where=str(path)) from error


def shards(directory: Path, split: str | None) -> list[Path]:
    """Return the parquet files of a folder: of one split, where their names tell several, as in the hub's data sets.

    Raises `CorpusError` where the names of some tell one and those of others none, for these would go unheard.
    """
    by_split: dict[str, list[Path]] = {}
    for path in sorted(directory.glob("*.parquet")):
        named = _SHARD.fullmatch(path.stem)
        by_split.setdefault((named[1] or named[2]) if named else "", []).append(path)
    unnamed = by_split.pop("", [])
    if not by_split:
        return [] if split else unnamed
    if unnamed and split is None:
        files = ", ".join(path.name for path in unnamed)
        raise CorpusError(
            f"of some parquet files the names tell a split ({', '.join(by_split)}), of others they do not ({files})",
            where=str(directory),
            remedy=f"rename or move these, or choose a split with {directory}@SPLIT",
        )
    if split is None and len(by_split) == 1:
        return next(iter(by_split.values()))
    return by_split[chosen(split, list(by_split), str(directory))]


def read_dataset_directory(directory: Path, split: str | None, choices: Choices = AS_NAMED) -> Sequence[Utterance]:
    """Read a directory written by ``save_to_disk``; a dictionary of splits needs ``@SPLIT`` unless one is obvious.

    Raises `CorpusError` for one that cannot be read, `MissingDependency` without datasets.
    """
    datasets = optional_imports.require("datasets", extra="data", purpose="read a datasets directory")
    try:
        data = datasets.load_from_disk(str(directory))
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot be loaded as a datasets directory ({error})", where=str(directory)) from error
    rows = _rows(datasets, _split(data, split, str(directory)), str(directory), choices)
    return _unique(_utterances(rows, str(directory), directory, choices))


def read_hub(name: str, split: str | None, option: str, reading: Reading) -> Sequence[Utterance]:
    """Read ``OWNER/NAME[:CONFIG]`` from the hub, or from its local cache when offline.

    Where the choices name a number of rows, no more than those are fetched: the first of some shards, which the seed
    chooses. They are no sample of the whole, and that is noted. What the cache holds is read whole.

    Raises `CorpusError` where the hub does not provide it, `MissingDependency` without datasets.
    """
    purpose = f"read the hub data set {name!r} (there is no such file or directory here)"
    datasets = optional_imports.require("datasets", extra="data", purpose=purpose)
    repository, _, config = name.partition(":")
    choices = reading.choices
    is_streamed = choices.hub_rows is not None and not datasets.config.HF_HUB_OFFLINE
    try:
        data = _split(datasets.load_dataset(repository, config or None, streaming=is_streamed), split, name)
        if is_streamed:
            # A buffer of more than one row would be filled before the first is heard.
            data = data.shuffle(choices.hub_seed, buffer_size=1).take(choices.hub_rows)
            reading.note(
                f"of {name} no more than {choices.hub_rows} rows are heard, the first of some shards: {_NO_SAMPLE}"
            )
        rows = _rows(datasets, data, name, choices)
        rows = [_fetched(row, repository) for row in rows] if is_streamed else rows
    except CorpusError:
        raise
    except Exception as error:  # of datasets, of the hub, or of what carries its requests
        raise CorpusError(
            f"no file or directory {name!r}, and the hub could not provide it ({first_line(error)})",
            where=option,
            remedy=hub_remedy(error, f"datasets/{repository}"),
        ) from error
    # The hub's loader points into its own cache; nothing outside it is read.
    return _unique(_utterances(rows, name, Path(datasets.config.HF_CACHE_HOME), choices))


def _split(data: Any, split: str | None, name: str) -> Any:
    if not hasattr(data, "keys"):
        if split is not None:
            raise CorpusError(f"has no splits, so @{split} names nothing", where=name, remedy="drop it")
        return data
    return data[chosen(split, list(data.keys()), name)]


def chosen(split: str | None, splits: list[str], name: str) -> str:
    """Return the split that is named, or ``test``, or the only one; raise `CorpusError` that lists them."""
    chosen = split or ("test" if "test" in splits else splits[0] if len(splits) == 1 else None)
    if chosen not in splits:
        raise CorpusError(f"choose a split with {name}@SPLIT", where=name, remedy=f"it has: {', '.join(splits)}")
    return chosen


def _rows(datasets: Any, data: Any, name: str, choices: Choices) -> Iterable[dict[str, Any]]:
    """Return the rows of a data set as `utterance` takes them: recordings encoded, and classes by their names."""
    features = data.features or {}  # what is streamed may not know them before it is read
    by_name = {canonical(column): column for column in features or next(iter(data.take(1)), {})}
    try:
        column = by_name[audio_column(tuple(by_name), choices)]
    except CorpusError as error:
        raise error.within(name) from None
    if isinstance(features.get(column), datasets.Audio):
        # datasets decodes through torchcodec, whose wheels break a CPU torch; we decode the bytes ourselves.
        data = data.cast_column(column, datasets.Audio(decode=False))
    classes = {key: kind.names for key, kind in features.items() if isinstance(kind, datasets.ClassLabel)}
    return _with_names(data, classes)


def _fetched(row: dict[str, Any], repository: str) -> dict[str, Any]:
    """Return a row with the bytes of each recording that it names in its own ``repository``, as streamed rows may."""
    fsspec = optional_imports.require("fsspec", extra="data", purpose="fetch a recording")
    fetched = dict(row)
    for column, value in row.items():
        if isinstance(value, dict) and not value.get("bytes") and _is_of(str(value.get("path")), repository):
            with fsspec.open(value["path"], "rb") as file:
                fetched[column] = {**value, "bytes": file.read()}
    return fetched


def _is_of(address: str, repository: str) -> bool:
    """Whether an address of fsspec is that of a file in a data set of the hub, or in a zip archive there."""
    *archives, file = address.split("::")
    begin = f"hf://datasets/{repository}"
    rest = file[len(begin) :]
    is_there = (
        file.casefold().startswith(begin.casefold()) and rest.startswith(("/", "@")) and ".." not in rest.split("/")
    )
    return is_there and (not archives or (len(archives) == 1 and archives[0].startswith("zip://")))


def _classes_of(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Return the names of classes by column, which datasets writes into the schema of a parquet file."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {key: kind["names"] for key, kind in features.items() if "names" in kind}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _with_names(rows: Iterable[dict[str, Any]], classes: dict[str, list[str]]) -> Iterable[dict[str, Any]]:
    """Return rows with the names of classes instead of their numbers; -1 stands for none."""
    if not classes:
        return rows

    def named(key: str, value: Any) -> Any:
        if key not in classes or not isinstance(value, int):
            return value
        return classes[key][value] if 0 <= value < len(classes[key]) else None

    return ({key: named(key, value) for key, value in row.items()} for row in rows)


def _utterances(rows: Iterable[dict[str, Any]], name: str, root: Path, choices: Choices) -> Iterator[Utterance]:
    folder = root.resolve()
    for number, row in enumerate(rows):
        yield utterance(row, where=f"{name} row {number}", root=folder, choices=choices)


def _unique(utterances: Iterable[Utterance]) -> Sequence[Utterance]:
    """Number ids that repeat: paths inside tables are remnants of where the data was made, and shards repeat them."""
    items = keep_utterances(utterances)
    several = Keys.of(item.id for item in items).repeated()
    return keep_utterances(_numbered(items, several, Names(item.id for item in items))) if several else items


def _numbered(items: Iterable[Utterance], several: frozenset[int], taken: Names) -> Iterator[Utterance]:
    """Yield utterances with ids of their own; the first of several that share one keeps it."""
    seen = set[int]()
    for position, item in enumerate(items):
        name, key = item.id, key_of(item.id)
        while key in seen or (name != item.id and name in taken):
            name = f"{name}#{position}"
            key = key_of(name)
        if key in several or name != item.id:
            seen.add(key)
        yield item if name == item.id else item._replace(id=name)
