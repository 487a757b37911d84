"""What the plugin prints: progress while it works on a terminal, and the table at the end."""

import contextlib
import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_whisperq.decode import Progress
    from pytest_whisperq.verdict import Judgement

PROPERTY = "whisperq"
"""Key of the one user property a gate leaves on its test's report; travels through xdist and into JUnit files."""

_SECONDS_BETWEEN_UPDATES = 0.1


def progress_for(config: pytest.Config) -> "Progress":
    """Return a progress callback: one line that rewrites itself on a terminal, nothing at all elsewhere."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or not reporter.isatty or reporter.verbosity < 0:
        from pytest_whisperq.workbench import silent

        return silent
    capture = config.pluginmanager.getplugin("capturemanager")
    last, shown = "", 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal last, shown
        finished = total > 0 and done >= total
        if not finished and stage == last and time.monotonic() - shown < _SECONDS_BETWEEN_UPDATES:
            return
        last, shown = stage, time.monotonic()
        # Gates work inside tests, whose output pytest captures.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            reporter.ensure_newline()
            reporter.rewrite("" if finished else f"whisperq: {stage} {f'{done}/{total}' if total else '…'}", erase=True)
            if finished:
                reporter.write("\r")

    return show


def summarize(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one table of all judgements; say so when candidates were named but nothing was gated."""
    tests, judgements = _judgements(reporter)
    if not judgements:
        if any(config.getoption(name) for name in ("whisperq_backend", "whisperq_candidate")):
            reporter.section("whisperq gates", yellow=True)
            reporter.write_line(
                "no gate reached a verdict: none was collected, or every one was skipped or broke off above"
            )
        return
    from pytest_whisperq.report.text import doubt, summary_table

    width, colour = reporter._tw.fullwidth, reporter._tw.hasmarkup  # what pytest itself renders with
    reporter.section("whisperq gates")
    reporter.write_line(summary_table(judgements, tests=tests, width=width, colour=colour))
    compared = sorted((one for one in judgements if one.baseline), key=lambda one: (not one.normalizer, -one.words))
    for first in compared[:1]:
        heard = f"; corpus {first.corpus}, {first.words} words; {first.normalizer}" if first.normalizer else ""
        reporter.write_line(f"against {first.baseline}{heard}")
    _, skipped = _judgements(reporter, "skipped")
    for one in skipped:
        reporter.write_line(f"not certified, and green by --whisperq-on-inconclusive=skip: {doubt(one)}")


def _judgements(reporter: pytest.TerminalReporter, outcome: str = "") -> "tuple[list[str], list[Judgement]]":
    """Return the name of the test and the judgement of every gate that was judged, from the reports of one outcome."""
    found = [
        (report.location[2].partition("[")[0], value)
        for name, reports in reporter.stats.items()
        if outcome in ("", name)
        for report in reports
        if getattr(report, "when", None) == "call"
        for key, value in report.user_properties
        if key == PROPERTY
    ]
    if not found:
        return [], []
    from pytest_whisperq.verdict import Judgement

    return [test for test, _ in found], [Judgement.from_dict(json.loads(value)) for _, value in found]
