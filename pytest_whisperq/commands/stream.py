"""``stream``: stream long recordings through one model: figures, what its windows are like, and plots."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, add_options, given, named, progress, refuse_directory, say, warn_of_memory
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.baselines import unquantized
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.streams import Streams
from pytest_whisperq.reporting import timeline
from pytest_whisperq.reporting.terminal import summary_table
from pytest_whisperq.session import silent
from pytest_whisperq.streaming.overlap import save_profile, widened
from pytest_whisperq.system.errors import ConfigError, StreamError

_OPTIONS = named(*("candidate", "model", "long-form", "merge-profile", "normalizer", "metric", "threads", "cache-dir"))


def register(commands: Any) -> None:
    """Add the command."""
    text = "stream long recordings through a model: what that costs, what its windows are like, and a picture"
    parser = add(commands, "stream", text, _run)
    add_options(parser, _OPTIONS)
    parser.add_argument("--save-profile", metavar="FILE", type=Path, help="write the measured profile of merges (JSON)")
    parser.add_argument("--plot", metavar="DIR", type=Path, help="write a timeline of each recording (SVG)")


def _run(options: argparse.Namespace) -> int:
    asked = given(options, _OPTIONS)
    if not asked["whisperq_candidate"]:
        raise ConfigError("which model? For example --candidate ctranslate2:int8", where="--candidate")
    show(asked, say, profile_to=options.save_profile, plots=options.plot, progress=progress())
    return 0


def show(
    options: Mapping[str, str | None],
    write: Callable[[str], object],
    *,
    profile_to: Path | None = None,
    plots: Path | None = None,
    progress: Progress = silent,
) -> None:
    """Write what the candidate of ``options`` (those of a gate run) loses by streaming, and its merge profile.

    ``profile_to`` is the file for that profile, which is measured of the same model at float32; ``plots`` a folder for
    one SVG a recording. Raises `StreamError` for what cannot be written and
    `ConfigError` for options that cannot be meant, before anything is decoded.
    """
    if plots:
        timeline.check_matplotlib()
    for folder in filter(None, (plots, profile_to.parent if profile_to else None)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StreamError(f"nothing can be written there ({error.strerror or error})", where=str(folder)) from error
    if profile_to:
        refuse_directory(profile_to, "--save-profile", "profile.json")
    runner = GateRunner(resolve(options), progress)
    session, streams = runner.session, runner.session.once(Streams)
    warn_of_memory(session)
    if profile_to and len({candidate.backend for candidate in runner.config.candidates}) > 1:
        raise ConfigError("one file holds one profile", where="--save-profile", remedy="name candidates of one backend")
    for candidate in runner.config.candidates:
        spec = session.spec(candidate)
        baseline = unquantized(spec, "streaming")
        measured = widened(streams.measured(baseline))
        write(f"measured of {baseline}: " + ", ".join(f"{name} {value}" for name, value in asdict(measured).items()))
        if profile_to:
            save_profile(measured, profile_to)
            write(f"written to {profile_to}; use it with --whisperq-merge-profile {profile_to}")
        outcome = runner.judge(
            "streaming", candidate
        )  # after the profile, which is the way out if windows are too short
        for line in summary_table([outcome.judgement.reported()], width=100, colour=False).splitlines():
            write(line)
        if plots:
            streamed = streams.streamed(spec, streams.profile(baseline))
            for number, (recording, events) in enumerate(zip(streams.recordings, streamed.events, strict=True)):
                path = plots / f"{candidate.id}-{number + 1}-{Path(recording.audio.label).stem}.svg"
                timeline.draw(f"{spec}, {recording.audio.label}", events, path)
                write(f"drawn: {path}")
