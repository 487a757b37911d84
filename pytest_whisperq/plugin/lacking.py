"""A run of whose candidates none can run on this machine: with every gate skipped it would be green."""

import pytest

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.reporting import say


def is_all(config: pytest.Config) -> bool:
    """Whether there are candidates, and this machine lacks something for each."""
    candidates = state.gate_config(config).candidates
    return bool(candidates) and all(candidate.missing for candidate in candidates)


class NothingRuns:
    """Fails such a run once a test of a candidate was skipped; other tests alone need no candidate."""

    def __init__(self, config: pytest.Config) -> None:
        self._candidates: tuple[Candidate, ...] = tuple(state.gate_config(config).candidates)
        self._reasons = list(dict.fromkeys(candidate.missing for candidate in self._candidates))
        self._skipped = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what was skipped for that reason."""
        if report.skipped and isinstance(report.longrepr, tuple):
            self._skipped += report.longrepr[2].removeprefix("Skipped: ") in self._reasons

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that is green so far."""
        is_worker = hasattr(session.config, "workerinput")
        if self._skipped and not is_worker and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        if not self._skipped:
            return
        terminalreporter.section("whisperq candidates", red=True)
        several = f"none of {len(self._candidates)} candidates runs" if len(self._candidates) > 1 else "it does not run"
        say(terminalreporter, f"ERROR {several} here, so that nothing was gated: {'; '.join(self._reasons)}", red=True)
        say(terminalreporter, "Install what is missing, or name a backend and device that this machine has.")
