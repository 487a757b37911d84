"""``qat``: train a checkpoint for a precision (`models.qat`), and say how to gate what was trained."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_whisperq.backends import Grid, RoundsToGrid, _whisper, get_backend, names
from pytest_whisperq.commands import add, add_options, given, named, progress, say, typed
from pytest_whisperq.config import values
from pytest_whisperq.config.candidates import Candidate, explicit_candidate
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.models.qat import STATE, Example, Lost, Plan, Training
from pytest_whisperq.models.source import RANDOM, SourceModel, source_in
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.system.errors import ConfigError, QuantizationError
from pytest_whisperq.system.files import output_error, publish_folder, replace_text, user_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Matrices: TypeAlias = "Mapping[str, NDArray[np.float32]]"

CARD = "qat.json"
"""The file that says what a checkpoint was trained for, beside its weights."""

_OPTIONS = named("model", "max-utterances", "threads", "decode-batch", "seed", "cache-dir")
_KEPT_EVERY, _SHOWN = 60.0, 20
"""Seconds after which a run is kept, and how many of the last steps its loss is the mean of."""


def register(commands: Any) -> None:
    """Add the command."""
    text = "train a checkpoint so that a low precision loses less, with the checkpoint itself as the teacher"
    parser = add(commands, "qat", text, _run)
    parser.add_argument(
        "--candidate",
        metavar="BACKEND:PRECISION",
        required=True,
        help="what to train for, such as openvino:int3-sym",
    )
    parser.add_argument(
        "--corpus",
        metavar="PATH",
        required=True,
        help="recordings to train on, in any form that --whisperq-corpus takes; none that the model is gated on",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="where the trained checkpoint goes: a new folder, or one to go on in",
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=typed(values.whole(1, "a whole number, 1 or more")),
        default=1000,
        help="steps of the whole run (1000), each of three quarters of a minute of sound",
    )
    parser.add_argument(
        "--minutes",
        metavar="N",
        type=typed(values.Range(0, 1e6, "minutes above 0", never=0)),
        help="stop after so many minutes of training; the same command goes on from there (default: go to the end)",
    )
    add_options(parser, _OPTIONS)


def _run(options: argparse.Namespace) -> int:
    candidate = explicit_candidate(options.candidate, "--candidate")
    grid = _grid(candidate)
    if (options.whisperq_model or "").startswith(RANDOM):
        raise ConfigError("random weights have nothing to teach", where="--model", remedy="name a trained checkpoint")
    asked = {**given(options, _OPTIONS), "whisperq_corpus": options.corpus, "whisperq_candidate": options.candidate}
    directory = _folder(user_path(options.out, "--out"))
    session = Session(resolve(asked), progress())
    session.read()
    examples, corpus = _examples(session)
    plan = Plan(
        candidate=str(candidate),
        model=session.source.identity,
        corpus=corpus,
        steps=options.steps,
        seed=session.config.seed,
    )
    say(f"{len(examples)} clips, {sum(one.seconds for one in examples) / 60:.0f} minutes of {options.corpus}")
    with _whisper.quiet_libraries():
        training = Training(session.source.directory, grid, examples, plan, session.config.threads)
    if (directory / STATE).exists():
        training.resume(directory / STATE)
        say(f"going on behind step {training.step}")
    first, last, is_over = _train(training, directory, options.minutes, session)
    if first and last:
        say(f"lost to the teacher, of the next token: {first.tokens:.3f} nats at first, {last.tokens:.3f} in the end")
    if not is_over:
        say(f"stopped behind step {training.step} of {plan.steps}: the same command goes on")
        return 0
    checkpoint, written = _publish(training, directory, {**asdict(plan), "teacher": session.source.name})
    count = _check(session, candidate, checkpoint, written)
    say(f"{directory}: a build of {candidate} has the very weights that were trained, {count} matrices")
    say(f"gate it: {_command(options, directory)}")
    return 0


def _grid(candidate: Candidate) -> Grid:
    backend = get_backend(candidate.backend)
    if isinstance(backend, RoundsToGrid) and candidate.precision in backend.grids:
        return backend.grids[candidate.precision]
    able = [
        f"{name}:{precision}"
        for name, one in ((name, get_backend(name)) for name in names())
        if isinstance(one, RoundsToGrid)
        for precision in one.grids
    ]
    raise ConfigError(
        f"nobody can be trained for {candidate}: how it rounds weights is not known beforehand",
        where="--candidate",
        remedy=f"one of {', '.join(able)}",
    )


def _folder(directory: Path) -> Path:
    """Return the folder to write to; raise `ConfigError` where something else is in it, or a run that has ended."""
    if not directory.exists():
        return directory
    if not directory.is_dir():
        raise ConfigError(f"{directory} is no folder", where="--out", remedy="name a new folder")
    there = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    if CARD in there:
        raise ConfigError(f"{directory} holds a run that has ended", where="--out", remedy="name a new folder")
    if other := [name for name in there if name != STATE]:
        raise ConfigError(
            f"{directory} holds something else ({other[0]})", where="--out", remedy="name a new or an empty folder"
        )
    return directory


def _examples(session: Session) -> tuple[list[Example], str]:
    """Return what is trained on, and a digest of it: each clip with what the teacher says about it."""
    front_end = _whisper.FrontEnd(session.source.directory)
    said = session.transcripts(session.baseline_spec)
    end = int(front_end.tokenizer.eos_token_id)
    examples, digest = [], hashlib.sha256()
    for item, clip, text, language in zip(
        session.corpus.utterances, said.clips, said.texts, said.languages, strict=True
    ):
        prompt = front_end.prompt(item.language or language)
        words = front_end.spell(text) if text.strip() else []
        tokens = (*prompt, *words[: _whisper.MAX_NEW_TOKENS], end)
        seconds = session.recordings.facts[item.id].seconds
        examples.append(Example(load=partial(audio.load, item.audio), seconds=seconds, tokens=tokens))
        digest.update(f"{clip} {tokens}\n".encode())
    return examples, digest.hexdigest()


def _train(
    training: Training, directory: Path, minutes: float | None, session: Session
) -> tuple[Lost | None, Lost | None, bool]:
    """Train until the end, or until the time is over; return the first and the last losses, and whether it ended.

    What was trained is kept every minute, and when something stops it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    losses, began = list[Lost](), time.monotonic()
    kept, steps = began, training.plan.steps
    try:
        while training.step < steps and (minutes is None or time.monotonic() - began < 60 * minutes):
            losses.append(training.learn())
            session.progress(f"training, {_mean(losses[-_SHOWN:]).tokens:.3f} nats", training.step, steps)
            if time.monotonic() - kept > _KEPT_EVERY:
                kept = time.monotonic()
                _keep(training, directory)
    finally:
        if losses:
            _keep(training, directory)
    ends = (_mean(losses[:_SHOWN]), _mean(losses[-_SHOWN:])) if losses else (None, None)
    return *ends, training.step >= steps


def _keep(training: Training, directory: Path) -> None:
    try:
        training.keep(directory / STATE)
    except OSError as error:
        raise output_error(directory / STATE, "--out", error) from error


def _mean(losses: list[Lost]) -> Lost:
    count = len(losses)
    return Lost(tokens=sum(one.tokens for one in losses) / count, sound=sum(one.sound for one in losses) / count)


def _publish(training: Training, directory: Path, card: Mapping[str, object]) -> tuple[SourceModel, Matrices]:
    """Put the checkpoint in the place of the state that it was trained from; return it with its rounded matrices."""
    with publish_folder(directory) as folder, _whisper.quiet_libraries():
        written = training.save(folder)
        replace_text(folder / CARD, f"{json.dumps(card, indent=1)}\n", "--out")
    return source_in(directory, str(directory), "--out"), written


def _check(session: Session, candidate: Candidate, checkpoint: SourceModel, wanted: Matrices) -> int:
    """Build the candidate of the checkpoint; return how many matrices it has, each as it was trained.

    Raises `QuantizationError` where one differs: the gate would judge another model.
    """
    backend = get_backend(candidate.backend)
    built = session.built(replace(session.spec(candidate), source=checkpoint))
    assert isinstance(backend, RoundsToGrid)
    stored = backend.rounded(candidate.precision, built.directory)
    if other := [name for name in sorted({*wanted, *stored}) if not _same(wanted.get(name), stored.get(name))]:
        raise QuantizationError(
            f"{len(other)} matrices of {candidate} are not as they were trained, {other[0]} the first",
            where=str(built.directory),
            remedy="report it, with the versions of whisperq doctor",
        )
    return len(wanted)


def _same(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one.shape == other.shape and bool((one == other).all())


def _command(options: argparse.Namespace, directory: Path) -> str:
    """Return the pytest command that gates what was trained against the model that taught it."""
    model = getattr(options, "whisperq_model", None) or "whisperq-micro"
    return shlex.join(
        [
            *("pytest", "--pyargs", "pytest_whisperq.suites"),
            *("--whisperq-model", str(directory), "--whisperq-baseline", f"transformers:float32@{model}"),
            *("--whisperq-candidate", options.candidate),
        ]
    )
