"""``normalize``: what becomes of a text before it is compared, step by step."""

import argparse
from typing import Any

from pytest_whisperq.commands import add, add_options, given, named, say
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.speech.substitutions import read_substitutions

_OPTIONS = named("normalizer", "substitutions")


def register(commands: Any) -> None:
    """Add the command."""
    parser = add(commands, "normalize", "show each step of what becomes of a text before it is compared", _run)
    parser.add_argument("texts", metavar="TEXT", nargs="+", help="a transcript, or what a model says")
    parser.add_argument("--language", metavar="CODE", help="the language of the text, such as en (default: not stated)")
    add_options(parser, _OPTIONS)


def _run(options: argparse.Namespace) -> int:
    config = resolve(given(options, _OPTIONS))
    substitutions = read_substitutions(config.substitutions) if config.substitutions else None
    name = normalizers.choose(config.normalizer, _corpus_of(options.texts, options.language))
    normalizer = normalizers.get(name, substitutions)
    say(str(normalizer))
    for text in options.texts:
        steps = [("as given", text), *normalizer.steps(text, options.language)]
        width = max(len(step) for step, _ in steps)
        for step, result in steps:
            say(f"  {step:{width}}  {result}")
    return 0


def _corpus_of(texts: list[str], language: str | None) -> Corpus:
    """Return a corpus of these texts, for which a normalizer is chosen as for any other."""
    rows = (
        Utterance(id=text, where="", audio=AudioSource(label=""), reference=text, language=language) for text in texts
    )
    return Corpus(name="texts", utterances=tuple(rows))
