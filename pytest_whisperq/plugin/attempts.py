"""Tests that are run again: only the last attempt counts. Registered where a run gates anything."""

import pytest

from pytest_whisperq.plugin.reporting import EARLIER, PROPERTY, is_repeated


class Attempts:
    """Takes what an attempt that is made again says of gates off the report of its teardown, which JUnit is made of."""

    def __init__(self) -> None:
        self._repeated: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Watch which attempts are made again, before others look at their reports."""
        if report.when == "setup":  # of the next attempt: some releases report no teardown before it
            self._repeated.discard(report.nodeid)
        if is_repeated(report):
            self._repeated.add(report.nodeid)
        elif report.when == "teardown" and report.nodeid in self._repeated:
            self._repeated.discard(report.nodeid)
            report.user_properties[:] = [pair for pair in report.user_properties if pair[0] not in (PROPERTY, EARLIER)]
