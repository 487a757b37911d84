"""``corpus card``: what is in a corpus, and what it can certify."""

import argparse
from collections import Counter
from collections.abc import Sequence
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
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.history.document import corpus_digest
from pytest_whisperq.measuring.power import plan
from pytest_whisperq.reporting.markdown import escape, markdown_table
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, categories
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
    corpus, facts = session.corpus, session.facts
    speech = corpus.speech
    words = [len(session.normalizer(item.reference, item.language).split()) for item in speech]
    power = plan(words, [session.cluster(item) for item in speech], confidence=session.config.confidence)
    seconds = [facts[item.id].seconds for item in corpus.utterances]
    rates = Counter(audio.native_rate(item.audio) for item in corpus.utterances)
    rows = [
        ("utterances", f"{len(corpus.utterances)}, {len(corpus.utterances) - len(speech)} without speech"),
        ("length", f"{sum(seconds) / 60:.1f} minutes; {_spread(seconds)} s each"),
        ("words", f"{sum(words)} ({session.normalizer})"),
        ("independent groups", "; ".join([f"{power.clusters}", *session.only_these])),
        (
            "samples a second",
            ", ".join(f"{rate or 'other'}: {count}" for rate, count in sorted(rates.items(), key=str)),
        ),
        ("certifies", "; ".join(forecast(power, [session.config.max_drop]))),
        ("digest", corpus_digest(corpus, facts)[:16]),
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
    return [(value or "(none)", f"{len(durations)}", f"{sum(durations) / 60:.1f}") for value, durations in ranked]
