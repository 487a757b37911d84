"""``corpus sample``: the smallest part of a corpus that certifies a limit, written as ``corpus convert`` writes."""

import argparse
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import READ_AS, add, add_options, given, named, progress, say, tell_repairs, typed
from pytest_whisperq.commands.corpus_convert import TARGET, convert
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.config.values import Range
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.gates.sample import smallest
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.speech.corpus.drafts import refuse_drafts

_OPTIONS = named(*READ_AS, "normalizer", "confidence", "seed", "cache-dir")


def register(actions: Any) -> None:
    """Add the action."""
    parser = add(actions, "sample", "write the smallest part of a corpus that can certify a limit", _run)
    parser.add_argument("source", metavar="SRC", help="in any form that --whisperq-corpus takes")
    parser.add_argument("target", metavar="DST", type=Path, help=TARGET)
    points = Range(0, 100, "points of word accuracy, above 0 and up to 100", never=0)
    what = "the drop, in points, that the part has to certify: max_drop of an accuracy gate"
    parser.add_argument("--power", metavar="POINTS", type=typed(points), required=True, help=what)
    add_options(parser, _OPTIONS)


def _run(options: argparse.Namespace) -> int:
    config = resolve({**given(options, _OPTIONS), "whisperq_corpus": options.source})
    session = Session(config, progress(), part=_reviewed)
    sample = smallest(session, options.power)
    tell_repairs(session)
    convert(sample.corpus, options.target)
    items, whole = sample.corpus.utterances, len(session.corpus.utterances)
    clusters = f"{sample.clusters} of {sample.of_clusters} independent groups"
    say(f"{len(items)} of {whole} utterances, in {clusters}, written to {options.target} (seed {config.seed})")
    for line in (*forecast(sample.power, [options.power]), *session.recordings.only_these):
        say(line)
    return 0


def _reviewed(corpus: Corpus) -> Corpus:
    """Return all of a corpus, whatever a model can hear; drafts tell nothing of what they certify."""
    refuse_drafts(corpus)
    return corpus
