"""What the plugin prints: progress while it works on a terminal, and the table at the end."""

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import all_gates
from pytest_whisperq.system.printing import paced, printable

if TYPE_CHECKING:
    from pytest_whisperq.decoding.decoder import Progress
    from pytest_whisperq.judging.verdict import Judgement
    from pytest_whisperq.judging.waivers import Waiver

PROPERTY = "whisperq"
"""Key of the one user property a gate leaves on its test's report; travels through xdist and into JUnit files."""

_DEMANDS = ("max-", "min-", "limit", "terms")
"""What the name of an option begins with that demands something of a candidate."""

EARLIER = "whisperq_earlier"
"""Key of the user property that says what earlier attempts at a test concluded, a JSON list; none for a first one."""


def progress_for(config: pytest.Config) -> "Progress":
    """Return a progress callback: one line that rewrites itself on a terminal, nothing at all elsewhere."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or not reporter.isatty or reporter.verbosity < 0:
        from pytest_whisperq.session import silent

        return silent
    capture = config.pluginmanager.getplugin("capturemanager")

    def rewrite(line: str, is_over: bool) -> None:
        # Gates work inside tests, whose output pytest captures.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            reporter.ensure_newline()
            reporter.rewrite("" if is_over else f"whisperq: {line}", erase=True)
            if is_over:
                reporter.write("\r")

    return paced(rewrite)


def say(reporter: pytest.TerminalReporter, line: str, **markup: bool) -> None:
    """Print a line that may hold texts of others; all that the plugin prints but its tables goes through here."""
    reporter.write_line(printable(line), **markup)


def summarize(reporter: pytest.TerminalReporter, config: pytest.Config, waivers: "Sequence[Waiver]") -> None:
    """Print one table of all judgements, and what excuses one; say so when candidates were named but none was gated."""
    judged = _judged(reporter)
    judgements = [judgement for _, judgement in judged]
    if not judged:
        is_shard = config.pluginmanager.hasplugin("whisperq-sharding")
        if not is_shard and any(config.getoption(name) for name in ("whisperq_backend", "whisperq_candidate")):
            reporter.section("whisperq gates", yellow=True)
            say(reporter, "no gate reached a verdict: none was collected, or every one was skipped or broke off above")
            _write_reruns(reporter)
        return
    from pytest_whisperq.judging.verdict import Verdict
    from pytest_whisperq.judging.waivers import covering
    from pytest_whisperq.reporting.overview import overview, overview_table
    from pytest_whisperq.reporting.terminal import dependence, doubt, summary_table, weakness

    excuses = [covering(waivers, judgement, report.nodeid) for report, judgement in judged]
    tests = [report.location[2].partition("[")[0] for report, _ in judged]
    until = [str(waiver.expires) if waiver else "" for waiver in excuses]
    width, colour = reporter._tw.fullwidth, reporter._tw.hasmarkup  # what pytest itself renders with
    reporter.section("whisperq gates")
    is_quiet = reporter.verbosity < 0
    if not is_quiet:
        reporter.write_line(summary_table(judgements, tests=tests, waived=until, width=width, colour=colour))
    if is_quiet or len({judgement.candidate for judgement in judgements}) > 1:
        reporter.write_line(overview_table(overview(judgements, until), width=width, colour=colour))
    # A speedup has a baseline of its own, which its note names.
    compared = sorted(
        (one for one in judgements if one.baseline and one.gate != "speedup"),
        key=lambda one: (not one.normalizer, -one.words),
    )
    for first in compared[:1]:
        basis = f"; corpus {first.corpus}, {first.counted}; {first.normalizer}" if first.normalizer else ""
        say(reporter, f"against {first.baseline}{basis}")
    # Lines of the summary and not Python warnings: they come from xdist's workers too, and -W error fails no test.
    named = (
        (f"{one.gate} gate of {one.candidate}", note) for one in judgements for note in (dependence(one), weakness(one))
    )
    for line in dict.fromkeys(f"warning: {gate}: {note}" for gate, note in named if note):
        say(reporter, line, yellow=True)
    _write_reruns(reporter)
    for (report, judgement), waiver in zip(judged, excuses, strict=True):
        is_skipped = report.skipped and not hasattr(report, "wasxfail")
        if is_skipped and judgement.checks and judgement.verdict is Verdict.INCONCLUSIVE and not waiver:
            say(reporter, f"not certified, and green by --whisperq-on-inconclusive=skip: {doubt(judgement)}")
        if report.passed and judgement.checks and judgement.verdict is not Verdict.PASS:
            line = (
                f"warning: {report.nodeid} passed, and its {judgement.gate} gate did not: something caught the failure"
            )
            say(reporter, line, yellow=True)


def warn_of_idle_limits(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name limits that were typed for a whole run, and of which no gate was judged: they hold for nothing."""
    judged = {judgement.gate for _, judgement in _judged(reporter) if judgement.checks}
    selected = (config.getoption(name, None) for name in ("keyword", "markexpr", "lf", "deselect"))
    if not judged or any(selected) or any("::" in argument for argument in config.args):
        return
    for option in OPTIONS:
        if config.getoption(option.ini) is None or not option.name.startswith(_DEMANDS):
            continue
        takes = [one.name for one in all_gates() if any(key.option == option.field for key in one.keywords.values())]
        if takes and not judged.intersection(takes):
            line = f"warning: {option.flag} holds for nothing here: no test asks for a gate on {' or '.join(takes)}"
            say(reporter, line, yellow=True)


def _write_reruns(reporter: pytest.TerminalReporter) -> None:
    """Name the tests that were run again, and what each earlier attempt concluded."""
    reruns = {report.nodeid: earlier for report in _reports(reporter) if (earlier := earlier_attempts(report))}
    if reruns:
        from pytest_whisperq.reporting.overview import rerun_line

        for test, earlier in reruns.items():
            say(reporter, rerun_line(test, earlier), yellow=True)


def is_repeated(report: pytest.TestReport) -> bool:
    """Whether a report is of an attempt that is made again, as pytest-rerunfailures makes it."""
    return str(report.outcome) == "rerun"


def judgements_of(report: pytest.TestReport) -> "list[Judgement]":
    """Return what the gates of a test judged, from its report; empty for setup, teardown, and what is made again."""
    is_judged = report.when == "call" and not is_repeated(report)
    values = [value for key, value in report.user_properties if key == PROPERTY] if is_judged else []
    if not values:
        return []
    from pytest_whisperq.judging.verdict import Judgement

    return [Judgement.from_dict(json.loads(str(value))) for value in values]


def earlier_attempts(report: pytest.TestReport) -> list[str]:
    """Return what each earlier attempt at a test concluded; empty for one that was run once, or is made again."""
    if is_repeated(report):
        return []
    return next((json.loads(str(value)) for key, value in report.user_properties if key == EARLIER), [])


def _reports(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """Return the reports of tests. Those of their subtests, a class of its own, repeat what was judged until then."""
    return [one for reports in reporter.stats.values() for one in reports if type(one) is pytest.TestReport]


def _judged(reporter: pytest.TerminalReporter) -> "list[tuple[pytest.TestReport, Judgement]]":
    """Return every judgement of the run with its test's report."""
    return [(report, judgement) for report in _reports(reporter) for judgement in judgements_of(report)]
