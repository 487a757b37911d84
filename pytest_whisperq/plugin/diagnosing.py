"""``--whisperq-diagnose``: what is wrong with each candidate that was gated, once the gates are through."""

from __future__ import annotations

import pytest

from pytest_whisperq.config.candidates import is_by_block
from pytest_whisperq.gates.diagnosis import Diagnoses, diagnose, passed
from pytest_whisperq.judging.verdict import Judgement
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.reporting import judgements_of, say
from pytest_whisperq.reporting.diagnosis import table
from pytest_whisperq.system.errors import WhisperqError
from pytest_whisperq.system.files import system_error

_OVER = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


class Diagnosing:
    """A plugin of one run; it does nothing in an xdist worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._judged: dict[str, list[Judgement]] = {}
        self._errors: list[str] = []
        self._skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was judged; the last attempt at a test replaces those before."""
        if judged := judgements_of(report):
            self._judged[report.nodeid] = judged

    @pytest.hookimpl(tryfirst=True)  # before the reports are written
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Diagnose; what cannot be diagnosed turns the run red."""
        config = self._config
        if hasattr(config, "workerinput") or config.getoption("collectonly") or not self._judged:
            return
        if session.exitstatus in _OVER or session.shouldstop:
            self._skipped.append("the run was stopped")
            return
        runner = state.runner(config)
        judged = [one for several in self._judged.values() for one in several]
        gated = {one.candidate for one in judged}
        for candidate in runner.config.candidates:
            if str(candidate) not in gated:
                continue
            if not is_by_block(candidate):
                self._skipped.append(f"{candidate} is not quantized here block by block")
                continue
            try:
                found = diagnose(runner, candidate, passed=passed(judged, candidate))
            except (WhisperqError, OSError) as error:
                known = system_error(error) if isinstance(error, OSError) else error
                self._errors.append(f"{candidate} is not diagnosed: {known}")
            else:
                runner.session.once(Diagnoses).made.append(found)
        if self._errors and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)  # below the table of the judgements
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the blocks of each candidate, and what a repair comes to."""
        if hasattr(self._config, "workerinput") or not self._judged:
            return
        made = state.session(self._config).once(Diagnoses).made
        if not (made or self._errors or self._skipped):
            return
        terminalreporter.section("whisperq diagnosis")
        for found in made:
            for line in table(state.scrub(self._config)(found.to_dict())):
                say(terminalreporter, line)
        for line in self._skipped:
            say(terminalreporter, f"not diagnosed: {line}")
        for line in self._errors:
            say(terminalreporter, f"whisperq: {line}", red=True)
