"""``python -m pytest_whisperq``: what one does with the product outside a test run."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_whisperq import _typed, cache
from pytest_whisperq._typed import Option
from pytest_whisperq.config import cache_directory
from pytest_whisperq.errors import ConfigError, WhisperqError
from pytest_whisperq.options import OPTIONS

_MEGABYTE = 1e6
_SWEPT_WITH = tuple(
    option
    for option in OPTIONS
    if option.name
    in ("model", "baseline", "corpus", "calibration", "max-utterances", "normalizer", "metric", "threads", "cache-dir")
)
"""The options of a gate run that a sweep takes too."""
_COMPARED_WITH = tuple(
    option
    for option in OPTIONS
    if option.name in ("model", "long-form", "normalizer", "metric", "threads", "cache-dir")
)
"""Those that a comparison of chunked and sequential decoding takes."""
_STREAMED_WITH = tuple(
    option
    for option in OPTIONS
    if option.name
    in ("candidate", "model", "long-form", "merge-profile", "normalizer", "metric", "threads", "cache-dir")
)
"""Those that streaming takes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 1 when ``cache verify`` found damage, 2 for something that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except WhisperqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pytest_whisperq", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    kept = commands.add_parser(
        "cache", help="built models and transcripts: list them, check them, remove what is of no use"
    )
    actions = kept.add_subparsers(required=True, metavar="ACTION")
    for name, run, text in (
        ("list", _list, "print every built model and file of transcripts with its size and age"),
        ("verify", _verify, "check every file against the digest it was published with; exit code 1 for damage"),
        (
            "prune",
            _prune,
            "remove what is unfinished, damaged or outdated here, and transcripts of models that are gone",
        ),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument(
            "--cache-dir",
            metavar="DIR",
            help="where it is (default: the platform's cache directory; what an ini file says is not read)",
        )
        action.set_defaults(run=run)
        if name == "prune":
            action.add_argument(
                "--older-than", metavar="DAYS", type=_days, help="also what has not changed for so long"
            )
    _add_sweep(commands)
    _add_chunking(commands)
    _add_stream(commands)
    return parser


def _add_sweep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "build int8-ptq with several calibrations, and print which loses least"
    parser = commands.add_parser("sweep", help=text, description=text)
    _add_options(parser, _SWEPT_WITH)
    parser.add_argument(
        "--samples", metavar="N[,N]", type=_counts, default=(16, 32, 48), help="calibration utterances (16,32,48)"
    )
    parser.add_argument(
        "--smooth-quant",
        metavar="ENCODER,DECODER",
        type=_alphas,
        action="append",
        help="SmoothQuant strengths, again for each pair to try (default: 0.5,0.95 0.5,0.5 and 0.95,0.95)",
    )
    parser.set_defaults(run=_sweep)


def _add_chunking(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "decode long recordings in overlapping chunks and window after window, and compare words and time"
    parser = commands.add_parser("chunking", help=text, description=text)
    _add_options(parser, _COMPARED_WITH)
    parser.add_argument("--chunk-seconds", metavar="S", type=_chunk, default=30.0, help="length of a chunk (30)")
    parser.add_argument("--batch-size", metavar="N", type=_size, default=8, help="chunks decoded at once (8)")
    parser.set_defaults(run=_chunking)


def _add_stream(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "stream long recordings through a model: what that costs, what its windows are like, and a picture"
    parser = commands.add_parser("stream", help=text, description=text)
    _add_options(parser, _STREAMED_WITH)
    parser.add_argument("--save-profile", metavar="FILE", type=Path, help="write the measured profile of merges (JSON)")
    parser.add_argument("--plot", metavar="DIR", type=Path, help="write a timeline of each recording (SVG)")
    parser.set_defaults(run=_stream)


def _add_options(parser: argparse.ArgumentParser, options: Sequence[Option]) -> None:
    for option in options:
        default = f" (default: {option.default})" if option.default else ""
        text = f"{option.help}{default}".replace("%", "%%")
        parser.add_argument(f"--{option.name}", dest=option.ini, metavar=option.metavar, help=text)


def _chunk(text: str) -> float:
    try:
        return _typed.number(1, 30, "a number of seconds from 1 to 30")(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {error} (got {text!r})") from None


def _size(text: str) -> int:
    try:
        return _typed.whole(1, "a whole number, 1 or more")(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {error} (got {text!r})") from None


def _counts(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError(f"must be whole numbers, 1 or more, such as 16,32 (got {text!r})")
    return counts


def _alphas(text: str) -> tuple[float, float]:
    try:
        return _typed.two_alphas(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {error} (got {text!r})") from None


def _sweep(options: argparse.Namespace) -> int:
    from pytest_whisperq import sweep

    given = {option.ini: getattr(options, option.ini) for option in _SWEPT_WITH}
    alphas = options.smooth_quant or [(0.5, 0.95), (0.5, 0.5), (0.95, 0.95)]
    trials = []
    for trial in sweep.sweep(given, options.samples, alphas):
        trials.append(trial)
        print(f"tried {trial.setting}", file=sys.stderr)
    sweep.report(trials, print)
    return 0


def _chunking(options: argparse.Namespace) -> int:
    from pytest_whisperq import chunking

    given = {option.ini: getattr(options, option.ini) for option in _COMPARED_WITH}
    found = chunking.compare(given, chunk_seconds=options.chunk_seconds, batch_size=options.batch_size)
    chunking.report(list(found), print)
    return 0


def _stream(options: argparse.Namespace) -> int:
    from pytest_whisperq import streaming_report

    given = {option.ini: getattr(options, option.ini) for option in _STREAMED_WITH}
    if not given["whisperq_candidate"]:
        raise ConfigError("--candidate: which model? For example --candidate ctranslate2:int8")
    streaming_report.show(given, print, profile_to=options.save_profile, plots=options.plot)
    return 0


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not days >= 0:
        raise argparse.ArgumentTypeError(f"must be a number of days, 0 or more (got {text!r})")
    return days


def _root(options: argparse.Namespace) -> Path:
    """Return the cache directory; one that was typed must exist, and an empty one is a variable that is not set."""
    typed: str | None = options.cache_dir
    root = cache_directory(typed)
    if typed is not None and not (typed.strip() and root.is_dir()):
        raise ConfigError(f"--cache-dir: {typed!r} is no directory; leave it out for the platform's cache directory")
    return root


def _list(options: argparse.Namespace) -> int:
    root = _root(options)
    found = list(cache.entries(root))
    for entry in found:
        print(_line(entry))
    print(f"{len(found)} entries, {sum(entry.size for entry in found) / _MEGABYTE:.1f} MB in {root}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    root = _root(options)
    found = list(cache.entries(root, verify=True))
    bad = [entry for entry in found if entry.problem]
    for entry in bad:
        print(_line(entry))
    advice = "; run: python -m pytest_whisperq cache prune" if bad else ""
    print(f"{len(found) - len(bad)} of {len(found)} entries in {root} are sound and usable{advice}")
    return 1 if any(entry.problem.startswith("damaged") for entry in bad) else 0


def _prune(options: argparse.Namespace) -> int:
    root = _root(options)
    removed = list(cache.prune(root, older_than=options.older_than))
    for entry in removed:
        print(_line(entry))
    print(f"removed {len(removed)} entries, {sum(entry.size for entry in removed) / _MEGABYTE:.1f} MB, from {root}")
    return 0


def _line(entry: cache.Entry) -> str:
    days = (time.time() - entry.changed) / 86_400
    reason = f"  ({entry.problem})" if entry.problem else ""
    return f"{entry.path.name[:12]}  {entry.size / _MEGABYTE:8.1f} MB  {days:5.1f} days  {entry.name}{reason}"


if __name__ == "__main__":
    sys.exit(main())
