"""What a run leaves behind: reports, a stored run, exported models. Registered where any of them is asked for."""

from __future__ import annotations

import re

import pytest

from pytest_whisperq.judging.verdict import Judgement
from pytest_whisperq.judging.waivers import covering
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.ending import Ending, ending_of
from pytest_whisperq.plugin.reporting import earlier_attempts, is_repeated, judgements_of, say
from pytest_whisperq.reporting.build_document import Broken, Collector, Gated
from pytest_whisperq.reporting.write_outputs import Publisher
from pytest_whisperq.system.errors import WhisperqError
from pytest_whisperq.system.files import system_error

_PREFIX = re.compile(r"^([\w.]+\.)?(Failed|Skipped|XFailed): ")
"""What pytest puts before a reason."""


class Publishing:
    """A plugin of one run; it does nothing in an xdist worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._gated: dict[str, list[Gated]] = {}
        self._broken: dict[str, Broken] = {}
        self._reruns: dict[str, list[str]] = {}
        self._uncollected: list[Broken] = []
        self._running: dict[str, Broken] = {}
        self._lines: list[str] = []
        self._errors: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected; a run may go on without it, as every run under xdist does."""
        if report.failed:
            broken = Broken(test=report.nodeid, candidate="", outcome="not collected", message="see the terminal")
            self._uncollected.append(broken)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remember what runs: of a test in which the run is stopped no report comes."""
        if candidate := self._candidate(nodeid):
            message = "the run was stopped in it"
            self._running[nodeid] = Broken(test=nodeid, candidate=candidate, outcome="interrupted", message=message)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note that a test is over."""
        self._running.pop(nodeid, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was judged. Only the last attempt at a test counts."""
        test = report.nodeid
        if is_repeated(report):
            return
        if report.when == "setup":
            self._gated.pop(test, None)
            self._broken.pop(test, None)
        if earlier := earlier_attempts(report):
            self._reruns[test] = earlier
        outcome = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        if judgements := judgements_of(report):
            waivers = (covering(state.waivers(self._config), judgement, test) for judgement in judgements)
            self._gated[test] = [
                Gated(
                    test=test, outcome=outcome, judgement=judgement, waived_until=str(waiver.expires) if waiver else ""
                )
                for judgement, waiver in zip(judgements, waivers, strict=True)
            ]
        candidate = self._candidate(test)
        if candidate and not report.passed and not self._is_explained(report, judgements):
            message = self._message(report)
            self._broken[test] = Broken(test=test, candidate=candidate, outcome=outcome, message=message)
        elif report.when == "call":
            self._broken.pop(test, None)

    def _candidate(self, test: str) -> str:
        """Return the candidate that a test runs for, by its id; "" for one of none. Ids may begin like others."""
        parameters = test.partition("[")[2]
        candidates = [one for one in state.gate_config(self._config).candidates if one.id in parameters]
        return str(max(candidates, key=lambda one: len(one.id))) if candidates else ""

    def _is_explained(self, report: pytest.TestReport, judged: list[Judgement]) -> bool:
        """Whether a test that did not pass did not because of a verdict, and not of an error or of its own body.

        Where gates only reported, or none applies, nothing was demanded, and a skip says so.
        """
        ending = ending_of(report)
        if ending is Ending.UNTIMED:  # whatever else was judged in the same test
            return False
        if report.skipped and not any(judgement.checks for judgement in judged):
            return bool(judged) or ending is Ending.INAPPLICABLE
        return bool(judged) and ending in (Ending.VERDICT, Ending.WAIVED)

    def _message(self, report: pytest.TestReport) -> str:
        """Return the first line of why a test ended without a verdict; it may quote what was said."""
        return "see the terminal" if state.gate_config(self._config).redact else self._first_line(report)

    @staticmethod
    def _first_line(report: pytest.TestReport) -> str:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
        crash = getattr(getattr(report.longrepr, "reprcrash", None), "message", text)
        line = (str(crash).strip().splitlines() or [""])[0]
        return _PREFIX.sub("", line)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write everything; what cannot be written turns the run red."""
        config = self._config
        is_over = session.exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)
        if hasattr(config, "workerinput") or is_over or config.getoption("collectonly"):
            return
        gated = [one for gates in self._gated.values() for one in gates]
        broken = [*self._uncollected, *{**self._running, **self._broken}.values()]  # a worker may have crashed in one
        if not gated and all(one.outcome == "skipped" for one in broken):
            # Nothing was judged, and nothing broke off: what an earlier run left behind stays.
            self._lines = ["nothing is written or compared: every gate was skipped"] if self._broken else []
            return
        try:
            runner = state.runner(config)
            is_stopped = session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail
            is_cut = bool(is_stopped or self._uncollected)
            collector = Collector(runner, gated, broken, is_cut=is_cut, reruns=self._reruns)
            self._lines, self._errors = Publisher(collector).publish()
        except (WhisperqError, OSError) as error:
            self._errors = [str(system_error(error) if isinstance(error, OSError) else error)]
        if self._errors and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)  # below the table of the judgements
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written where."""
        for error in self._errors:
            say(terminalreporter, f"whisperq: {error}", red=True)
        for line in self._lines:
            say(terminalreporter, f"whisperq: {line}")
