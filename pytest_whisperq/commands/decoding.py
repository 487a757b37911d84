"""``sweep``, ``chunking`` and ``stream``: what one tries out with a model before gating it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from pytest_whisperq.commands import add, add_options, given, named, typed
from pytest_whisperq.config import values
from pytest_whisperq.speech.audio import WINDOW_SECONDS
from pytest_whisperq.system.errors import ConfigError

_SWEPT_WITH = named(
    *("model", "baseline", "corpus", "calibration", "max-utterances", "normalizer", "metric", "threads", "cache-dir")
)
_COMPARED_WITH = named("model", "long-form", "normalizer", "metric", "threads", "cache-dir")
_STREAMED_WITH = named(
    *("candidate", "model", "long-form", "merge-profile", "normalizer", "metric", "threads", "cache-dir")
)
_ALPHAS = ((0.5, 0.95), (0.5, 0.5), (0.95, 0.95))


def register(commands: Any) -> None:
    """Add the commands."""
    parser = add(commands, "sweep", "build int8-ptq with several calibrations, and print which loses least", _sweep)
    add_options(parser, _SWEPT_WITH)
    parser.add_argument(
        "--samples",
        metavar="N[,N]",
        type=typed(_counts),
        default=(16, 32, 48),
        help="calibration utterances (16,32,48)",
    )
    parser.add_argument(
        "--smooth-quant",
        metavar="ENCODER,DECODER",
        type=typed(values.two_alphas),
        action="append",
        help="SmoothQuant strengths, again for each pair to try (default: 0.5,0.95 0.5,0.5 and 0.95,0.95)",
    )
    text = "decode long recordings in overlapping chunks and window after window, and compare words and time"
    parser = add(commands, "chunking", text, _chunking)
    add_options(parser, _COMPARED_WITH)
    seconds = typed(values.number(1, 30, "a number of seconds from 1 to 30"))
    parser.add_argument(
        "--chunk-seconds", metavar="S", type=seconds, default=WINDOW_SECONDS, help="length of a chunk (30)"
    )
    size = typed(values.whole(1, "a whole number, 1 or more"))
    parser.add_argument("--batch-size", metavar="N", type=size, default=8, help="chunks decoded at once (8)")
    text = "stream long recordings through a model: what that costs, what its windows are like, and a picture"
    parser = add(commands, "stream", text, _stream)
    add_options(parser, _STREAMED_WITH)
    parser.add_argument("--save-profile", metavar="FILE", type=Path, help="write the measured profile of merges (JSON)")
    parser.add_argument("--plot", metavar="DIR", type=Path, help="write a timeline of each recording (SVG)")


def _counts(text: str) -> tuple[int, ...]:
    problem = "whole numbers, 1 or more, such as 16,32"
    count = values.whole(1, problem)
    return tuple(count(part) for part in text.split(","))


def _sweep(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands import sweep

    alphas = options.smooth_quant or _ALPHAS
    trials = []
    for trial in sweep.sweep(given(options, _SWEPT_WITH), options.samples, alphas):
        trials.append(trial)
        print(f"tried {trial.setting}", file=sys.stderr)
    sweep.report(trials, print)
    return 0


def _chunking(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands import chunking

    asked = given(options, _COMPARED_WITH)
    found = chunking.compare(asked, chunk_seconds=options.chunk_seconds, batch_size=options.batch_size)
    chunking.report(list(found), print)
    return 0


def _stream(options: argparse.Namespace) -> int:
    from pytest_whisperq.commands import stream

    asked = given(options, _STREAMED_WITH)
    if not asked["whisperq_candidate"]:
        raise ConfigError("which model? For example --candidate ctranslate2:int8", where="--candidate")
    stream.show(asked, print, profile_to=options.save_profile, plots=options.plot)
    return 0
