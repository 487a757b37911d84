"""From what a user typed after ``--whisperq-corpus`` to a `Corpus`."""

from collections.abc import Sequence
from pathlib import Path

from pytest_whisperq.speech.corpus import manifest, tables
from pytest_whisperq.speech.corpus.files import listed, names_in
from pytest_whisperq.speech.corpus.languages import in_language
from pytest_whisperq.speech.corpus.layouts.common_voice import is_common_voice, lists_of, read_list
from pytest_whisperq.speech.corpus.layouts.named import refuse_named
from pytest_whisperq.speech.corpus.layouts.registry import DEEP, FLAT, LISTS, Layout
from pytest_whisperq.speech.corpus.layouts.sidecars import has_sidecars, read_sidecars
from pytest_whisperq.speech.corpus.layouts.unlisted import note_unlisted
from pytest_whisperq.speech.corpus.locations import forget_folders
from pytest_whisperq.speech.corpus.reading import Reading
from pytest_whisperq.speech.corpus.types import AS_NAMED, Choices, Corpus, OnError, Utterance, keep_utterances, refuse
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.files import user_path
from pytest_whisperq.system.garbage import no_search_for_garbage

NO_UTTERANCE = "holds no utterance"
"""What is wrong with a corpus, or what is left of it, in which there is nothing to judge."""

EMBEDDED = "embedded"
"""The name of the corpus that ships with the package."""

_SPLITS = frozenset({"train", "validation", "valid", "val", "dev", "test", "eval"})


def load_corpus(
    location: str | Path = EMBEDDED,
    option: str = "--whisperq-corpus",
    on_error: OnError = refuse,
    choices: Choices = AS_NAMED,
) -> Corpus:
    """Read a corpus from a folder or file in a layout that is known (docs/corpus-layouts.md), or from a hub id.

    ``location`` may end in ``@SPLIT`` for data sets with splits. No audio is decoded yet. Raises `CorpusError` naming
    file and line for anything that cannot be used, and when there is no utterance at all; ``option`` is where a bad
    location is blamed on. Rows of text that are told to ``on_error`` are left out. ``choices`` name columns, and where
    recordings may lie; the embedded corpus needs none. An utterance that states no language is in that of ``choices``.
    """
    name = str(location)
    forget_folders()
    names_in.cache_clear()
    notes: list[str] = []
    failed = False

    def tell(error: CorpusError) -> None:
        nonlocal failed
        failed = True
        on_error(error)

    reading = Reading(note=notes.append, on_error=tell, choices=AS_NAMED if name == EMBEDDED else choices)
    with no_search_for_garbage():
        utterances = _read(name, option, reading)
    if not utterances:
        raise CorpusError(
            f"{NO_UTTERANCE}; a gate over nothing cannot pass", where=name, remedy="add recordings or name another"
        )
    # What belongs to a row that could not be used is not unread.
    corpus = Corpus(name=name, utterances=keep_utterances(utterances), notes=() if failed else tuple(notes))
    return in_language(corpus, choices.language) if choices.language else corpus


def _read(name: str, option: str, reading: Reading) -> Sequence[Utterance]:
    if name == EMBEDDED:
        return _read_directory(package_data.corpus_directory(), None, option, reading)
    path, split = user_path(name, option), None
    if not path.exists() and "@" in name:
        stem, _, split = name.rpartition("@")
        path = user_path(stem, option)
    if path.is_dir():
        return _read_directory(path, split, option, reading)
    if path.is_file():
        if split is not None:
            raise CorpusError(f"{path} is one file and has no splits", where=option, remedy=f"drop @{split}")
        return _read_file(path, option, reading)
    plain = name.partition("@")[0]
    if plain.count("/") == 1 and not plain.startswith((".", "/", "~")) and not plain.endswith(_readable()):
        return tables.read_hub(plain, split, option, reading)
    raise CorpusError(
        f"{name!r} does not exist",
        where=option,
        remedy=(
            f"give a folder of recordings, a manifest ({', '.join(_readable())}), or a hub id "
            "(OWNER/NAME[:CONFIG][@SPLIT])"
        ),
    )


def _readable() -> tuple[str, ...]:
    return (*manifest.MANIFEST_SUFFIXES, ".parquet", ".stm", ".jsonl.gz")


def _read_file(path: Path, option: str, reading: Reading) -> Sequence[Utterance]:
    if path.suffix.lower() == ".parquet":
        return tables.read_parquet(path, choices=reading.choices)
    if layout := _recognized(path, LISTS):
        return layout.read(path, reading)
    if path.suffix.lower() in manifest.MANIFEST_SUFFIXES:
        return manifest.read_manifest(path, reading)
    refuse_named(path)
    raise CorpusError(f"cannot read {path}", where=option, remedy=f"a manifest ends in {', '.join(_readable())}")


def _recognized(path: Path, layouts: tuple[Layout, ...]) -> Layout | None:
    return next((layout for layout in layouts if layout.recognizes(path)), None)


def _read_directory(directory: Path, split: str | None, option: str, reading: Reading) -> Sequence[Utterance]:
    if tables.is_dataset_directory(directory):
        return tables.read_dataset_directory(directory, split, reading.choices)
    if split is not None and not (directory / split).is_dir():
        if is_common_voice(directory):
            return read_list(directory / f"{split}.tsv", reading)
        if parquet := tables.shards(directory, split):
            return tables.read_parquet(*parquet, choices=reading.choices)
    if split is not None:
        return _read_directory(directory / split, None, option, reading)
    if not directory.is_dir():
        raise CorpusError(f"{directory} does not exist", where=option)
    if (metadata := _metadata(directory)) and not _recognized(metadata, LISTS):
        return _read_listed(metadata, reading)
    if parquet := tables.shards(directory, None):
        return tables.read_parquet(*parquet, choices=reading.choices)
    if is_common_voice(directory):
        lists = lists_of(directory)
        return read_list(directory / f"{tables.chosen(None, lists, str(directory))}.tsv", reading)
    if layout := _recognized(directory, FLAT):
        return layout.read(directory, reading)
    if nested := sorted(path.name for path in directory.iterdir() if path.is_dir() and _is_flat(path)):
        if "test" in nested and _SPLITS.issuperset(nested):
            return _read_directory(directory / "test", None, option, reading)
        raise CorpusError(
            f"holds several corpora ({', '.join(nested)})",
            where=str(directory),
            remedy=f"name one, e.g. {directory / nested[0]}",
        )
    if layout := _recognized(directory, DEEP):
        return layout.read(directory, reading)
    if not has_sidecars(directory):
        _refuse_unread(directory, option)
    return read_sidecars(directory, reading)


def _is_flat(directory: Path) -> bool:
    """Whether a folder is a corpus, by the files in it."""
    return (
        any((directory / name).is_file() for name in manifest.METADATA_NAMES)
        or is_common_voice(directory)
        or _recognized(directory, FLAT) is not None
    )


def _metadata(directory: Path) -> Path | None:
    found = [directory / name for name in manifest.METADATA_NAMES if (directory / name).is_file()]
    if len(found) > 1:
        raise CorpusError(
            f"has both {' and '.join(p.name for p in found)}", where=str(directory), remedy="keep one of them"
        )
    return found[0] if found else None


def _read_listed(metadata: Path, reading: Reading) -> Sequence[Utterance]:
    """Read the list of an audiofolder, and note what it leaves out."""
    if metadata.suffix == ".parquet":
        utterances = tables.read_parquet(metadata, choices=reading.choices)
    else:
        utterances = manifest.read_manifest(metadata, reading)
    note_unlisted(metadata.parent, utterances, reading, metadata.name)
    return utterances


def _refuse_unread(directory: Path, option: str) -> None:
    """Refuse a folder in which no recording has a text beside it, where something else may hold what is said."""
    refuse_named(directory)
    manifests = sorted(path for path in directory.iterdir() if path.suffix.lower() in manifest.MANIFEST_SUFFIXES)
    if manifests:
        raise CorpusError(
            f"{directory} is in no layout that is known; it has {listed([path.name for path in manifests])}",
            where=option,
            remedy=f"name the file that lists the recordings, e.g. {manifests[0]}",
        )
