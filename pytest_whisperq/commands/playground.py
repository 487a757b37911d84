"""``playground``: hear the original and a candidate in a browser, whole and streamed, and look through a saved run."""

import argparse
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import (
    READ_AS,
    add,
    add_options,
    given,
    named,
    progress,
    say,
    tell_repairs,
    typed,
    warn_of_memory,
)
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.config.values import whole
from pytest_whisperq.history.document import read
from pytest_whisperq.playground import server
from pytest_whisperq.playground.models import Models
from pytest_whisperq.playground.review import Review
from pytest_whisperq.session import Session
from pytest_whisperq.speech.clip_index import AudioIndex
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import ConfigError

_OPTIONS = named(
    *("candidate", "model", "baseline", "corpus", *READ_AS, "calibration", "merge-profile", "threads", "cache-dir")
)


def register(commands: Any) -> None:
    """Add the command."""
    text = "hear a candidate beside its original in a browser: whole recordings, a live microphone, a saved run"
    parser = add(commands, "playground", text, _run)
    add_options(parser, _OPTIONS)
    parser.add_argument(
        "--run", dest="saved", metavar="FILE", type=Path, help="a saved run or report.json to look through"
    )
    marked = "where marked utterances are exported to (marked-utterances)"
    parser.add_argument("--marked", metavar="DIR", type=Path, default=Path("marked-utterances"), help=marked)
    port = typed(whole(0, "a whole number, 0 or more"))
    parser.add_argument("--port", metavar="N", type=port, default=7860, help="of 127.0.0.1; 0: any that is free (7860)")


def _run(options: argparse.Namespace) -> int:
    asked = given(options, _OPTIONS)
    if not asked["whisperq_candidate"]:
        raise ConfigError("which model? For example --candidate openvino:int8-ptq", where="--candidate")
    server.check_gradio()
    session = Session(resolve(asked), progress())
    review = _review(session, options.saved, options.marked) if options.saved else None
    with server.listening(options.port) as one:
        warn_of_memory(session)
        models = Models(session, against_baseline=asked["whisperq_baseline"] is not None)
        tell_repairs(session)
        with server.playground(models, review) as app:
            say(f"the playground is at {server.address(one)}; Ctrl+C ends it")
            try:
                server.server(app).run(sockets=[one])
            except KeyboardInterrupt:
                say("ended")
    return 0


def _review(session: Session, saved: Path, marked: Path) -> Review:
    """Return a saved run with the recordings of the corpus of the options."""
    run = read(saved, "--run")
    corpus = load_corpus(session.config.corpus, choices=session.config.corpus_choices)
    index = AudioIndex(session.config.cache_dir, session.repairs.append)
    facts = index.probe(corpus, lambda done, total: session.progress("reading audio", done, total))
    return Review(run, corpus, {name: fact.digest for name, fact in facts.items()}, marked)
