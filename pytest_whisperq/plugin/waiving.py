"""Compares the waivers with the finished run: one that excused nothing turns it red. Registered where there are any."""

from typing import Any

import pytest

from pytest_whisperq.judging.verdict import Judgement
from pytest_whisperq.judging.waivers import Settlement, settle
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.reporting import judgements_of, say

_PARTIAL = "whisperq_partial"
"""What an xdist worker, which alone sees deselected tests, tells the controller."""


class WaiverCheck:
    """A plugin of one run. In an xdist worker it only watches whether tests were left out."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._judged: dict[tuple[str, Judgement], None] = {}  # in order; what a rerun repeats counts once
        # With --last-failed whole files go without a word.
        self._is_partial = bool(config.getoption("lf", False)) or any("::" in argument for argument in config.args)
        self._settlement: Settlement | None = None

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that tests were left out."""
        self._is_partial |= bool(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that tests could not be collected."""
        self._is_partial |= report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Note what an xdist worker has left out; one that crashed has not said."""
        self._is_partial |= getattr(node, "workeroutput", {}).get(_PARTIAL, True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was judged."""
        demanded = (judgement for judgement in judgements_of(report) if judgement.checks)
        self._judged.update(dict.fromkeys((report.nodeid, judgement) for judgement in demanded))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Settle every waiver; a run that is green so far and has one too many fails."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_PARTIAL] = self._is_partial
            return
        candidates = {str(one) for one in state.gate_config(self._config).candidates if not one.missing}
        is_over = exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)
        if is_over or not candidates or self._config.getoption("collectonly"):
            return
        is_cut = session.shouldstop or session.shouldfail or exitstatus == pytest.ExitCode.INTERRUPTED
        self._settlement = settle(
            state.waivers(self._config), self._judged, candidates, is_whole=not (is_cut or self._is_partial)
        )
        if self._settlement.errors and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)  # below the table of the judgements
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name every waiver: what it excused, or what is wrong with it."""
        settlement = self._settlement
        if settlement is None:
            return
        terminalreporter.section("whisperq waivers", red=bool(settlement.errors), yellow=not settlement.errors)
        for line in (*settlement.used, *settlement.idle):
            say(terminalreporter, line)
        for line in settlement.errors:
            say(terminalreporter, f"ERROR {line}", red=True)
