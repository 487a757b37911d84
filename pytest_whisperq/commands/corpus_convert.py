"""``corpus convert``: any corpus that can be read, written as an audiofolder or as parquet."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_whisperq.commands import READ_AS, add, add_options, given, named, say
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.speech.corpus import Corpus, load_corpus
from pytest_whisperq.speech.corpus.convert import write_audiofolder, write_parquet
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import output_error

TARGET = "a folder that is made, or a name with .parquet"
_OPTIONS = named(*READ_AS)
_WHERE = "corpus convert"


def register(actions: Any) -> None:
    """Add the action."""
    parser = add(actions, "convert", "write a corpus as an audiofolder, or as parquet with its recordings in it", _run)
    parser.add_argument("source", metavar="SRC", help="in any form that --whisperq-corpus takes")
    parser.add_argument("target", metavar="DST", type=Path, help=TARGET)
    add_options(parser, _OPTIONS)


def _run(options: argparse.Namespace) -> int:
    config = resolve({**given(options, _OPTIONS), "whisperq_corpus": options.source})
    corpus = load_corpus(config.corpus, "SRC", choices=config.corpus_choices)
    convert(corpus, options.target)
    for note in corpus.notes:
        say(f"note: {note}")
    say(f"{len(corpus.utterances)} utterances written to {options.target}")
    return 0


def convert(corpus: Corpus, target: Path) -> None:
    """Write a corpus to a place where nothing is; all of it, or nothing.

    Raises `ConfigError` where something is there already, `CorpusError` for a recording that cannot be read.
    """
    if os.path.lexists(target):
        raise ConfigError(f"{target} is there already", where=_WHERE, remedy="name another, or remove it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
            made = Path(beside) / target.name
            if target.suffix.lower() == ".parquet":
                write_parquet(corpus, made)
            else:
                made.mkdir()
                write_audiofolder(corpus, made)
            made.rename(target)
    except OSError as error:
        raise output_error(target, _WHERE, error) from error
