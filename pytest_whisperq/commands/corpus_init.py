"""From a folder of recordings to a corpus that can be gated on, and from a corpus to its data card."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles

from pytest_whisperq.backends import check_installed, get_backend
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.history.document import corpus_digest
from pytest_whisperq.measuring.power import plan
from pytest_whisperq.reporting.markdown import markdown_table
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, categories
from pytest_whisperq.speech.corpus.manifest import METADATA_NAMES, read_text, recordings_in
from pytest_whisperq.system.errors import CorpusError, MissingDependency
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
# Every option: pytest --help. A path is relative to this file.
whisperq_backend = {backend}
whisperq_model = whisperq-micro
whisperq_corpus = metadata.csv
"""
_BACKENDS = ("openvino", "ctranslate2", "faster-whisper", "transformers")
"""What a starter gates, the first that is installed."""

_OPTION = "corpus init"


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


def card(config: GateConfig) -> str:
    """Return the data card of the corpus of a run as Markdown: what there is, what it certifies, what nobody knows yet.

    Raises `CorpusError` for a corpus that a run would refuse.
    """
    session = Session(config, part=lambda corpus: corpus)  # described, whatever the model can hear
    corpus, facts = session.corpus, session.facts
    speech = corpus.speech
    words = [len(session.normalizer(item.reference, item.language).split()) for item in speech]
    power = plan(words, [session.cluster(item) for item in speech], confidence=config.confidence)
    seconds = [facts[item.id].seconds for item in corpus.utterances]
    rates = Counter(audio.native_rate(item.audio) for item in corpus.utterances)
    rows = [
        ("utterances", f"{len(corpus.utterances)}, {len(corpus.utterances) - len(speech)} without speech"),
        ("length", f"{sum(seconds) / 60:.1f} minutes; {_spread(seconds)} s each"),
        ("words", f"{sum(words)} ({session.normalizer})"),
        ("independent groups", f"{power.clusters}"),
        (
            "samples a second",
            ", ".join(f"{rate or 'other'}: {count}" for rate, count in sorted(rates.items(), key=str)),
        ),
        ("certifies", "; ".join(forecast(power, [config.max_drop]))),
        ("digest", corpus_digest(corpus, facts)[:16]),
    ]
    lines = [f"# {Path(corpus.name).name}", "", *markdown_table(("", ""), rows)]
    for column in sorted(categories(corpus.utterances)):
        lines += [
            "",
            f"## By {column}",
            "",
            *markdown_table((column, "utterances", "minutes"), _by(column, corpus, facts)),
        ]
    for heading, question in (
        ("Origin", "Who speaks, where and when was it recorded, and how were the transcripts made?"),
        ("Consent and licence", "May it be kept, shared, and used to decide on releases?"),
        ("Not covered", "Which of your users, lines and situations are missing?"),
    ):
        lines += ["", f"## {heading}", "", f"*{question}*"]
    return "\n".join(lines) + "\n"


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return f"{seconds[0]:.1f}"
    low, *_, high = quantiles(seconds, n=20, method="inclusive")
    return f"{median(seconds):.1f} in the median, 90 % from {low:.1f} to {high:.1f}"


def _by(column: str, corpus: Corpus, facts: dict[str, ClipFacts]) -> list[tuple[str, ...]]:
    seconds: dict[str, list[float]] = {}
    for item in corpus.utterances:
        seconds.setdefault(dict(item.slices).get(column, ""), []).append(facts[item.id].seconds)
    ranked = sorted(seconds.items(), key=lambda row: (-len(row[1]), row[0]))
    return [(value or "(none)", f"{len(own)}", f"{sum(own) / 60:.1f}") for value, own in ranked]
