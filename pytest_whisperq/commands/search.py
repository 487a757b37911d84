"""``search``: the cheapest precision that keeps its limits (`gates.search`), and the pytest command that gates it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from pytest_whisperq.backends import get_backend
from pytest_whisperq.commands import add, add_options, given, named, progress, refuse_directory, remark, say, typed
from pytest_whisperq.config import conditions
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.search import Found, search
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.reporting import charts
from pytest_whisperq.reporting.charts import Point
from pytest_whisperq.reporting.numbers import rates
from pytest_whisperq.reporting.overview import Overview, overview, overview_table
from pytest_whisperq.reporting.templates import chart_file
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import replace_text

_OPTIONS = named(
    *("backend", "precision", "candidate", "model", "baseline", "corpus", "calibration", "calibration-samples"),
    *("smooth-quant", "long-form", "merge-profile", "max-utterances", "normalizer", "metric", "timing-budget"),
    *("bounds", "confidence", "threads", "decode-batch", "seed", "cache-dir"),
)
_SEARCHED = ("backend", "precision", "candidate", "confidence")
"""Options whose values are others where one candidate is gated."""

_WIDE = 120


def register(commands: Any) -> None:
    """Add the command."""
    text = "find the cheapest precision that keeps its limits, and the pytest command that gates it"
    parser = add(commands, "search", text, _run)
    parser.add_argument(
        "--limit",
        metavar="CONDITION",
        type=typed(conditions.checked),
        action="append",
        required=True,
        help=f"what is demanded, such as 'drop<1.0' or '{conditions.EXAMPLE}'; again for each that has to hold",
    )
    add_options(parser, [option for option in _OPTIONS if option.name != "precision"])
    (precision,) = named("precision")
    parser.add_argument(
        "--precision",
        dest=precision.ini,
        metavar=precision.metavar,
        help="precisions to walk through on each backend (default: all that this machine executes)",
    )
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw errors against bytes (SVG)")


def _run(options: argparse.Namespace) -> int:
    condition = conditions.join("and", [conditions.parse(text) for text in options.limit])
    asked = given(options, _OPTIONS)
    if options.plot:
        refuse_directory(options.plot, "--plot", "search.svg")
        if not any(one.quantity == "drop" for one in conditions.comparisons(condition)):
            raise ConfigError(
                "errors are drawn against bytes, and no limit measures them",
                where="--plot",
                remedy="add --limit 'drop<1.0'",
            )
    if not (asked["whisperq_candidate"] or asked["whisperq_backend"]):
        raise ConfigError("names none", where="--backend", remedy="name some, such as openvino,ctranslate2, or all")
    if not (asked["whisperq_candidate"] or asked["whisperq_precision"]):
        asked["whisperq_precision"] = "all"
    found = search(resolve(asked), condition, progress(), remark)
    report(found, say)
    if options.plot:
        draw(found, options.plot)
        say(f"drawn: {options.plot}")
    if found.winner:
        say(f"reproduce: {command(found, found.winner.candidate, asked)}")
    return 0 if found.winner else 1


def report(found: Found, write: Callable[[str], object]) -> None:
    """Write the table of all that were tried, the cheapest that passes, and what is not known of others."""
    for line in found.left_out:
        write(f"left out {line}")
    if (count := len(found.tried) + len(found.left)) > 1:
        write(f"{count} candidates share the error: each is judged at {100 * found.session.config.confidence:.6g} %")
    width = get_terminal_size((_WIDE, 0)).columns if sys.stdout.isatty() else _WIDE
    for line in overview_table(table(found), width=width, colour=False).splitlines():
        write(line)
    for one in found.tried:
        name = f"{one.candidate}{', which is cheaper,' if found.winner else ''}"
        if one.broken:
            write(f"{one.candidate}: {one.broken}")
        elif one.judgement and one.verdict is Verdict.INCONCLUSIVE:
            reasons = [check.reason for check in one.judgement.checks if check.verdict is Verdict.INCONCLUSIVE]
            write(f"{name} could not be told: {'; '.join(dict.fromkeys(reasons))}")
    if found.winner is None:
        write(f"none passes {found.condition}")
        return
    write(f"cheapest that passes {found.condition}: {found.winner.candidate}, {found.winner.size:,} bytes")
    if found.left:
        write(f"not tried, for they are no smaller: {', '.join(map(str, found.left))}")


def points(found: Found) -> list[Point]:
    """Return the error rate of each model that was heard, in %, against its megabytes; the baseline first."""
    heard = [(one.size, one.judgement) for one in found.tried if one.size and one.judgement and rates(one.judgement)]
    if not heard:
        return []
    _, most = max(heard, key=lambda row: row[1].utterances)
    models = [(most.baseline, found.session.baseline.artifact.size, most, 1)]
    models += [(judgement.candidate, size, judgement, 2) for size, judgement in heard]
    marks = []
    for name, size, judgement, which in models:
        known = rates(judgement) or ("", 0.0, 0.0)
        rate = float(known[which])
        text = f"{name}: {rate:.2f} % wrong, {size / 1e6:.1f} MB, {judgement.utterances} utterances"
        marks.append(Point(name=name, x=size / 1e6, rate=rate, text=text, is_baseline=which == 1))
    return marks


def table(found: Found) -> Overview:
    """Return the table of all that were tried, in that order; ``front``: nothing tried errs less for as few bytes."""
    shown = overview([one.judgement for one in found.tried if one.judgement])
    cells = {row[0]: row[1:] for row in shown.rows}
    best = {point.name for point in charts.on_front(points(found), more_is_better=False)}
    speech = len(found.session.corpus.speech)
    empty = ("",) * (len(shown.headings) - 2)
    rows = []
    for one in found.tried:
        name = str(one.candidate)
        *figures, verdict = cells.get(name, (*empty, "broken"))
        count = one.judgement.utterances if one.judgement else 0
        heard = f"{count} of {speech}" if count else ""
        rows.append((name, *figures, heard, "*" if name in best else "", verdict))
    *headings, verdict = shown.headings
    return Overview(headings=(*headings, "heard", "front", verdict), rows=tuple(rows))


def draw(found: Found, path: Path) -> None:
    """Draw errors against bytes; raise `StoreError` for a file that cannot be written."""
    chart = charts.pareto(points(found), more_is_better=False)
    if chart is None:
        raise ConfigError("no model was heard, so that there is nothing to draw", where="--plot", remedy="see above")
    names = ("Errors against size", "MB on disk", f"{found.session.metric.upper()}, %")
    replace_text(path, chart_file("pareto", chart, *names), "--plot")


def command(found: Found, winner: Candidate, options: Mapping[str, str | None]) -> str:
    """Return the pytest command that judges the winner as the search did; ``options`` are those of the search.

    Where clips of the corpus were set aside to calibrate a candidate on, one that is calibrated stands beside the
    winner, deselected: or the winner would be judged on those clips too.
    """
    session = found.session
    calibrated = [one for one in session.config.candidates if one.precision in get_backend(one.backend).calibrated]
    beside = calibrated[:1] if session.recordings.set_aside and winner not in calibrated else []
    *flags, suite = _suite()
    others = [(option.flag, options[option.ini]) for option in _OPTIONS if option.name not in _SEARCHED]
    typed_too = [part for flag, value in others if value for part in (flag, value)]
    return shlex.join(
        [
            *("pytest", *flags, f"{suite}::test_limit[{winner.id}]" if beside else suite),
            *("--whisperq-candidate", ",".join(map(_typed, (winner, *beside)))),
            *("--whisperq-limit", str(found.condition)),
            *("--whisperq-confidence", f"{session.config.confidence:.10g}"),
            *typed_too,
        ]
    )


def _suite() -> Sequence[str]:
    """Return what pytest is told to collect: the packaged suite, which is a file in a checkout."""
    if find_spec("pytest_whisperq.suites"):
        return ["--pyargs", "pytest_whisperq.suites.limit"]
    return [os.path.relpath(package_data.suites_directory() / "limit.py")]


def _typed(candidate: Candidate) -> str:
    """Return a candidate as ``--whisperq-candidate`` takes it."""
    precision = f":{candidate.precision}" if candidate.is_asked else ""
    return f"{candidate.backend}{precision}{f'@{candidate.location}' if candidate.location else ''}"
