"""``corpus card``: what is in a corpus, and what it can certify."""

import argparse
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from pytest_whisperq.commands import (
    READ_AS,
    add,
    add_options,
    given,
    locate,
    named,
    refuse_directory,
    say,
    tell_repairs,
)
from pytest_whisperq.config.choices import COUNTED
from pytest_whisperq.config.settings import GateConfig, resolve
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.history.document import corpus_digest
from pytest_whisperq.measuring.formatting import MARKS
from pytest_whisperq.measuring.power import plan
from pytest_whisperq.measuring.scores import lengths_of
from pytest_whisperq.reporting.markdown import escape, markdown_table
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import EMBEDDED, Corpus, Utterance, categories
from pytest_whisperq.speech.numbers import READ, SMALL, written_numbers
from pytest_whisperq.speech.writing import scripts_of
from pytest_whisperq.system.files import replace_text

_OPTIONS = named(*READ_AS, "normalizer", "max-drop", "confidence", "cache-dir")


def register(actions: Any) -> None:
    """Add the action."""
    parser = add(actions, "card", "print what is in a corpus, and what it can certify, as Markdown", _run)
    locate(parser)
    add_options(parser, _OPTIONS)
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there")


def _run(options: argparse.Namespace) -> int:
    if options.output:
        refuse_directory(options.output, "--output", "CARD.md")
    config = resolve({**given(options, _OPTIONS), "whisperq_corpus": options.corpus})
    session = Session(config, part=lambda corpus: corpus)  # described, whatever the model can hear
    text = card(session)
    tell_repairs(session)
    if options.output:
        replace_text(options.output, text, "--output")
        say(f"written to {options.output}")
    else:
        print(text, end="")  # noqa: T201 - Markdown, escaped as such
    return 0


def card(session: Session) -> str:
    """Return the data card of the corpus of a run as Markdown: what there is, what it certifies, what nobody knows yet.

    Raises `CorpusError` for a corpus that a run would refuse.
    """
    corpus, facts = session.corpus, session.recordings.facts
    speech = corpus.speech
    lengths, counted = lengths_of(speech, session.normalizer, session.metric), COUNTED[session.metric]
    clusters = [session.recordings.cluster(item) for item in speech]
    power = plan(lengths, clusters, confidence=session.config.confidence, counted=counted)
    seconds = [facts[item.id].seconds for item in corpus.utterances]
    rates = Counter(audio.native_rate(item.audio) for item in corpus.utterances)
    rows = [
        ("utterances", f"{len(corpus.utterances)}, {_unspoken(corpus)}"),
        ("recordings", _recordings(corpus, session.config)),
        ("length", f"{sum(seconds) / 60:.1f} minutes; {_spread(seconds)} s each"),
        (counted, f"{sum(lengths)} ({session.normalizer})"),
        *_writing(speech),
        ("independent groups", "; ".join([f"{power.clusters}", _clusters(speech), *session.recordings.only_these])),
        (
            "samples a second",
            ", ".join(f"{rate or 'other'}: {count}" for rate, count in sorted(rates.items(), key=str)),
        ),
        ("certifies", "; ".join(forecast(power, [session.config.max_drop]))),
        ("digest", corpus_digest(corpus, facts)[:16]),
        *_drafts(corpus),
        *(("note", note) for note in corpus.notes),
    ]
    lines = [f"# {escape(Path(corpus.name).name)}", "", *markdown_table(("", ""), rows)]
    for column in sorted(categories(corpus.utterances)):
        lines += [
            "",
            f"## By {escape(column)}",
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


def _unspoken(corpus: Corpus) -> str:
    silent = [item for item in corpus.utterances if not item.is_speech]
    wordless = sum(bool(item.reference) for item in silent)
    return f"{len(silent)} without speech" + (
        f", {wordless} of them with a transcript without words" if wordless else ""
    )


def _drafts(corpus: Corpus) -> list[tuple[str, str]]:
    count = sum(item.is_draft for item in corpus.utterances)
    return [("drafts", f"{count} transcripts are what a model heard, and no run takes them")] if count else []


def _recordings(corpus: Corpus, config: GateConfig) -> str:
    """Say in how many files the utterances are, and how many of these lie elsewhere: behind links, or in a root."""
    sources = [item.audio for item in corpus.utterances]
    paths = {Path(source.file) for source in sources if source.file}
    inside = sum(source.file is None for source in sources)
    parts = [f"{len(paths)} files" if paths else f"{inside} in a table"]
    if paths and inside:
        parts.append(f"{inside} in a table")
    if spans := sum(not source.is_whole for source in sources):
        parts.append(f"{spans} utterances are parts of them")
    place = Path(config.corpus.rpartition("@")[0] if not Path(config.corpus).exists() else config.corpus).resolve()
    folder = place if place.is_dir() else place.parent
    if config.corpus != EMBEDDED and (far := sum(not path.is_relative_to(folder) for path in paths)):
        parts.append(f"{far} lie elsewhere, in {config.corpus_root.name}" if config.corpus_root else f"{far} elsewhere")
    return "; ".join(parts)


def _clusters(speech: Sequence[Utterance]) -> str:
    sizes = Counter(item.cluster for item in speech if item.cluster)
    if not sizes:
        return "no clusters are named: each recording counts as independent"
    alone = len(speech) - sizes.total()
    named = f"clusters of {_range(sizes.values())} utterances"
    return f"{named}; {alone} utterances are in none" if alone else named


def _range(counts: Collection[int]) -> str:
    few, many = min(counts), max(counts)
    return f"{few}" if few == many else f"{few} to {many}"


def _writing(speech: Sequence[Utterance]) -> list[tuple[str, str]]:
    """Say how transcripts are written: what a normalizer, or a gate on case and marks, has to do with."""
    languages = Counter(item.language or "none stated" for item in speech)
    scripts = Counter(script for item in speech for script, _ in scripts_of(item.reference).most_common(1))
    cases = Counter(_case(item.reference) for item in speech)
    marked = sum(any(char in MARKS for char in item.reference) for item in speech)
    styles = [{is_word for _, is_word in written_numbers(item.reference, item.language)} for item in speech]
    read = sum(item.language in READ for item in speech)
    digits = sum(any(map(str.isdecimal, item.reference)) for item in speech)
    words = f"{sum(True in style for style in styles)} have numbers from {SMALL} on in words" if read else ""
    unread = f"number words of {len(speech) - read} are not read" if read < len(speech) else ""
    return [
        ("languages", _counted(languages)),
        ("scripts", _counted(scripts)),
        ("case of transcripts", _counted(cases)),
        ("punctuation", f"marks in {marked} of {len(speech)} transcripts"),
        ("numbers", "; ".join(filter(None, [f"{digits} transcripts have digits", words, unread]))),
    ]


def _case(text: str) -> str:
    cased = "".join(char for char in text if char.lower() != char.upper())
    if not cased:
        return "no case"
    return "capitals" if cased.isupper() else "small letters" if cased.islower() else "both"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.most_common()) or "none"


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return f"{seconds[0]:.1f}"
    low, *_, high = quantiles(seconds, n=20, method="inclusive")
    return f"{median(seconds):.1f} in the median, 90 % from {low:.1f} to {high:.1f}"


def _by(column: str, corpus: Corpus, facts: Mapping[str, ClipFacts]) -> list[tuple[str, ...]]:
    seconds: dict[str, list[float]] = {}
    for item in corpus.utterances:
        seconds.setdefault(dict(item.slices).get(column, ""), []).append(facts[item.id].seconds)
    ranked = sorted(seconds.items(), key=lambda row: (-len(row[1]), row[0]))
    return [(value or "(none)", f"{len(durations)}", f"{sum(durations) / 60:.1f}") for value, durations in ranked]
