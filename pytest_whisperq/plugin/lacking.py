"""A run that gates nothing, for its machine lacks what candidates need: with every gate skipped it would be green."""

import pytest

from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.reporting import say


def is_any(config: pytest.Config) -> bool:
    """Whether this machine lacks something for a candidate."""
    return any(candidate.missing for candidate in state.gate_config(config).candidates)


class NothingRuns:
    """Fails a run in which tests were skipped for what is lacking, and no test of another candidate ran.

    Other tests alone need no candidate, and a selection (``-k``) may leave none that runs.
    """

    def __init__(self, config: pytest.Config) -> None:
        candidates = state.gate_config(config).candidates
        self._lacking = {candidate.missing for candidate in candidates if candidate.missing}
        self._live = [candidate.id for candidate in candidates if not candidate.missing]
        self._reasons: dict[str, None] = {}
        self._skipped: set[str] = set()
        self._has_run = False

    @property
    def _is_empty(self) -> bool:
        return bool(self._reasons) and not self._has_run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what was skipped for what is lacking, and whether a test of any other candidate began."""
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason in self._lacking:
                self._reasons[reason] = None
                self._skipped.add(report.nodeid)
        if report.nodeid not in self._skipped:  # whose name may hold that of another candidate: int8-ptq, int8
            self._has_run |= any(name in report.nodeid.partition("[")[2] for name in self._live)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that is green so far."""
        is_worker = hasattr(session.config, "workerinput")
        if self._is_empty and not is_worker and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        if not self._is_empty:
            return
        terminalreporter.section("whisperq candidates", red=True)
        reasons = "; ".join(self._reasons)
        say(terminalreporter, f"ERROR no candidate ran, so that nothing was gated: {reasons}", red=True)
        say(terminalreporter, "Install what is missing, or name a backend and device that this machine has.")
