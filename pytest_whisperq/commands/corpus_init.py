"""``corpus init``: from a folder of recordings to a corpus that can be gated on, with its test."""

import argparse
import csv
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_whisperq.backends import check_installed, get_backend
from pytest_whisperq.commands import add, add_options, given, named, progress, say
from pytest_whisperq.commands.corpus_draft import draft
from pytest_whisperq.speech.corpus.files import read_text, recordings_in
from pytest_whisperq.speech.corpus.manifest import METADATA_NAMES
from pytest_whisperq.system.errors import ConfigError, CorpusError, MissingDependency
from pytest_whisperq.system.files import replace_text

_TESTS = '''"""What a release of the quantized model has to keep."""

import pytest


@pytest.mark.whisperq_parity
@pytest.mark.whisperq_catastrophe
@pytest.mark.whisperq_accuracy
def test_release() -> None:
    """The candidate transcribes these recordings as well as the original."""
'''
_INI = """[pytest]
# Without the plugin markers do nothing, and the test would pass.
required_plugins = pytest-whisperq
# Every option: pytest --help. A path is relative to this file.
whisperq_backend = {backend}
whisperq_model = whisperq-micro
whisperq_corpus = metadata.csv
"""
_BACKENDS = ("openvino", "ctranslate2", "faster-whisper", "transformers")
"""What a starter gates, the first that is installed."""

_OPTION = "corpus init"
_OPTIONS = named("model", "language", "threads", "decode-batch", "cache-dir")


def register(actions: Any) -> None:
    """Add the action."""
    parser = add(actions, "init", "make a corpus, a test and a pytest.ini of a folder of recordings", _run)
    parser.add_argument("directory", metavar="DIR", type=Path, help="the folder; no file in it is replaced")
    what = "fill in what the model hears where metadata.csv has no transcript, marked as drafts that a run refuses"
    parser.add_argument("--draft", action="store_true", help=what)
    parser.add_argument("--backend", metavar="NAME", help="--draft: what runs the model (default: transformers)")
    add_options(parser, _OPTIONS)


def _run(options: argparse.Namespace) -> int:
    table = options.directory / METADATA_NAMES[0]
    if not options.draft and (options.backend or any(given(options, _OPTIONS).values())):
        raise ConfigError("names what makes drafts, and none are asked for", where=_OPTION, remedy="add --draft")
    if not (options.draft and table.is_file()):
        for line in start(options.directory):
            say(line)
    if options.draft:
        for line in draft(table, given(options, _OPTIONS), options.backend, progress()):
            say(line)
    return 0


def start(directory: Path) -> list[str]:
    """Write ``metadata.csv``, ``test_release.py`` and ``pytest.ini`` beside recordings; return what to do next.

    The text of a recording is that of the ``.txt`` beside it, or left to be filled in. No file is ever replaced. Raises
    `CorpusError` for a folder without recordings, or with a manifest.
    """
    if not directory.is_dir():
        raise CorpusError(f"{directory} is no folder", where=_OPTION, remedy="name one that holds recordings")
    for name in METADATA_NAMES:
        if (directory / name).exists():
            raise CorpusError(
                f"{directory / name} is there already", where=_OPTION, remedy=f"check it with corpus lint {directory}"
            )
    recordings = recordings_in(directory)
    if not recordings:
        raise CorpusError(
            f"{directory} holds no recordings (wav, flac, ogg, mp3 …)", where=_OPTION, remedy="put some there first"
        )
    table, empty = io.StringIO(), 0
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file_name", "text", "language", "kind"])
    for path in recordings:
        sidecar = path.with_suffix(".txt")
        text = " ".join(read_text(sidecar).split()) if sidecar.is_file() else ""
        empty += not text
        writer.writerow([path.relative_to(directory).as_posix(), text, "", ""])
    replace_text(directory / METADATA_NAMES[0], table.getvalue(), _OPTION)
    written = [METADATA_NAMES[0]]
    for name, content in (("test_release.py", _TESTS), ("pytest.ini", _INI.format(backend=_backend()))):
        if not (directory / name).exists():
            replace_text(directory / name, content, _OPTION)
            written.append(name)
    lines = [f"{directory}: {len(recordings)} recordings; wrote {', '.join(written)}"]
    if empty:
        lines.append(f"fill in the text of {empty} recordings (or kind=nonspeech), and the language, such as en")
    lines.append(f"check it: whisperq corpus lint {directory}")
    lines.append(f"name your model in pytest.ini, then gate it: pytest {directory}")
    return lines


def _backend() -> str:
    for name in _BACKENDS:
        with suppress(MissingDependency):
            check_installed(get_backend(name))
            return name
    return "ctranslate2"  # as the documentation installs
