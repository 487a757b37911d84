"""From what a user typed after ``--whisperq-corpus`` to a `Corpus`."""

from pathlib import Path

from pytest_whisperq.speech.corpus import manifest, tables
from pytest_whisperq.speech.corpus.manifest import OnError
from pytest_whisperq.speech.corpus.rows import resolved_folder
from pytest_whisperq.speech.corpus.types import Corpus, Utterance
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.files import user_path

NO_UTTERANCE = "holds no utterance"
"""What is wrong with a corpus, or what is left of it, in which there is nothing to judge."""

EMBEDDED = "embedded"
"""The name of the corpus that ships with the package."""


def load_corpus(
    location: str | Path = EMBEDDED, option: str = "--whisperq-corpus", on_error: OnError = manifest.refuse
) -> Corpus:
    """Read a corpus from an audiofolder, a manifest, parquet, a datasets directory or a hub id.

    ``location`` may end in ``@SPLIT`` for data sets with splits. No audio is decoded yet. Raises `CorpusError` naming
    file and line for anything that cannot be used, and when there is no utterance at all; ``option`` is where a bad
    location is blamed on. Rows of manifests that are told to ``on_error`` are left out.
    """
    name = str(location)
    resolved_folder.cache_clear()
    utterances = _read(name, option, on_error)
    if not utterances:
        raise CorpusError(
            f"{NO_UTTERANCE}; a gate over nothing cannot pass", where=name, remedy="add recordings or name another"
        )
    return Corpus(name=name, utterances=tuple(utterances))


def _read(name: str, option: str, on_error: OnError) -> list[Utterance]:
    if name == EMBEDDED:
        return _read_directory(package_data.corpus_directory(), None, option, on_error)
    path, split = user_path(name, option), None
    if not path.exists() and "@" in name:
        stem, _, split = name.rpartition("@")
        path = user_path(stem, option)
    if path.is_dir():
        return _read_directory(path, split, option, on_error)
    if path.is_file():
        if split is not None:
            raise CorpusError(f"{path} is one file and has no splits", where=option, remedy=f"drop @{split}")
        return _read_file(path, option, on_error)
    plain = name.partition("@")[0]
    if plain.count("/") == 1 and not plain.startswith((".", "/", "~")) and not plain.endswith(_readable()):
        return tables.read_hub(plain, split, option)
    raise CorpusError(
        f"{name!r} does not exist",
        where=option,
        remedy=(
            f"give a folder of recordings, a manifest ({', '.join(_readable())}), or a hub id "
            "(OWNER/NAME[:CONFIG][@SPLIT])"
        ),
    )


def _readable() -> tuple[str, ...]:
    return (*manifest.MANIFEST_SUFFIXES, ".parquet")


def _read_file(path: Path, option: str, on_error: OnError) -> list[Utterance]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return tables.read_parquet(path)
    if suffix in manifest.MANIFEST_SUFFIXES:
        return manifest.read_manifest(path, on_error)
    raise CorpusError(f"cannot read {path}", where=option, remedy=f"a manifest ends in {', '.join(_readable())}")


def _read_directory(directory: Path, split: str | None, option: str, on_error: OnError) -> list[Utterance]:
    if tables.is_dataset_directory(directory):
        return tables.read_dataset_directory(directory, split)
    if split is not None:
        parquet = [] if (directory / split).is_dir() else tables.shards(directory, split)
        return tables.read_parquet(*parquet) if parquet else _read_directory(directory / split, None, option, on_error)
    if not directory.is_dir():
        raise CorpusError(f"{directory} does not exist", where=option)
    listed = [directory / name for name in manifest.METADATA_NAMES if (directory / name).is_file()]
    if len(listed) > 1:
        raise CorpusError(
            f"has both {' and '.join(p.name for p in listed)}", where=str(directory), remedy="keep one of them"
        )
    if listed:
        return manifest.read_manifest(listed[0], on_error)
    if parquet := tables.shards(directory, None):
        return tables.read_parquet(*parquet)
    if nested := sorted(p.parent.name for name in manifest.METADATA_NAMES for p in directory.glob(f"*/{name}")):
        raise CorpusError(
            f"holds several corpora ({', '.join(nested)})",
            where=str(directory),
            remedy=f"name one, e.g. {directory / nested[0]}",
        )
    return manifest.read_sidecars(directory, on_error)
