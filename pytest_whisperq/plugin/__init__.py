"""The pytest plugin: hooks only. Whatever a hook needs beyond pytest is imported when a gate is really asked for."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates import registry
from pytest_whisperq.plugin import hookspecs, spelling
from pytest_whisperq.plugin.errors import plain_errors, usage_errors
from pytest_whisperq.plugin.fixtures import (
    whisperq_baseline,
    whisperq_build,
    whisperq_candidate,
    whisperq_config,
    whisperq_corpus,
    whisperq_gate,
)
from pytest_whisperq.plugin.markers import MERGE_CONTRACT, candidate_of, gate_markers, is_gated
from pytest_whisperq.system.errors import LeftToJudgingError

if TYPE_CHECKING:
    from pytest_whisperq.config.candidates import Candidate

__all__ = [
    "whisperq_baseline",
    "whisperq_build",
    "whisperq_candidate",
    "whisperq_config",
    "whisperq_corpus",
    "whisperq_gate",
]


_NO_CANDIDATE = "no gate runs without --whisperq-backend or --whisperq-candidate"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare every option of the table as a flag and as an ini key."""
    group = parser.getgroup("whisperq", "release gates for quantized Whisper models")
    for option in OPTIONS:
        text = option.help if option.default is None else f"{option.help} (default: {option.default})"
        text = text.replace("%", "%%")
        value = {"action": "store_const", "const": "true"} if option.is_switch else {"metavar": option.metavar}
        group.addoption(option.flag, dest=option.ini, default=None, help=text, **value)
        parser.addini(option.ini, text.replace("%%", "%"), default="")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that others may implement."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and refuse bad options before anything is collected."""
    with usage_errors():
        spelling.refuse_ini_keys(config)
        config.add_cleanup(registry.register(config.hook.pytest_whisperq_gates()))  # pytest may run within pytest
        names = registry.names()
        # What they take is told where it is asked for: until a test has one, no gate is imported.
        usages = [gate.usage for gate in registry.all_gates()] if config.getoption("markers") else []
    for usage in usages or [f"{registry.PREFIX}{name}: a gate; pytest --markers says what it takes" for name in names]:
        config.addinivalue_line("markers", usage)
    summary = "a streaming merge keeps every invariant up to its level (docs/own-merge.md)"
    config.addinivalue_line("markers", f"{MERGE_CONTRACT}(merger=, level=): {summary}")
    if _is_configured(config):
        from pytest_whisperq.plugin import lacking, redacting, state
        from pytest_whisperq.plugin.attempts import Attempts

        if state.gate_config(config).redact:
            redacting.quieten(config)
        config.pluginmanager.register(Attempts(), "whisperq-attempts")
        if lacking.is_any(config):
            config.pluginmanager.register(lacking.NothingRuns(config), "whisperq-lacking")
        if state.gate_config(config).shard:
            from pytest_whisperq.plugin.sharding import Sharding

            config.pluginmanager.register(Sharding(config), "whisperq-sharding")
            return
        if state.waivers(config):
            from pytest_whisperq.plugin.waiving import WaiverCheck

            config.pluginmanager.register(WaiverCheck(config), "whisperq-waivers")
        if state.gate_config(config).diagnose:
            from pytest_whisperq.plugin.diagnosing import Diagnosing

            config.pluginmanager.register(Diagnosing(config), "whisperq-diagnosing")
        if state.leaves_something(config):
            from pytest_whisperq.plugin.publishing import Publishing

            config.pluginmanager.register(Publishing(config), "whisperq-publishing")


def _is_configured(config: pytest.Config) -> bool:
    """Whether any option was given: until then nothing of the package but this module and its tables is imported."""
    return any(config.getoption(option.ini) or config.getini(option.ini) for option in OPTIONS)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what will be gated, and which pairs were left out and why."""
    if not _is_configured(config):
        return []
    from pytest_whisperq.plugin import redacting, state

    return [*state.header(config), *redacting.header(config)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every gated test once for each candidate, and every contract once for each check."""
    if metafunc.definition.get_closest_marker(MERGE_CONTRACT) is not None:
        from pytest_whisperq.plugin import merging

        merging.parametrize(metafunc)
    if "whisperq_candidate" not in metafunc.fixturenames:
        if not is_gated(metafunc.definition):
            return
        # Parametrized without being a fixture of the test: its gates run after the body and read the parameter.
        metafunc.fixturenames.append("whisperq_candidate")
    from pytest_whisperq.plugin import state

    config = state.gate_config(metafunc.config)
    nothing = pytest.param(None, id="no-candidate", marks=pytest.mark.skip(reason=_NO_CANDIDATE))
    params = [_param(candidate) for candidate in config.candidates] or [nothing]
    metafunc.parametrize("whisperq_candidate", params, indirect=True, scope="session")


def _param(candidate: "Candidate") -> object:
    marks = [pytest.mark.skip(reason=candidate.missing)] if candidate.missing else []
    return pytest.param(candidate, id=candidate.id, marks=marks)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse markers that are no gates and keywords that do not exist: a limit that is misspelt does not hold."""
    if hasattr(config, "workerinput"):  # a worker cannot end the run; each test reports it there
        return
    with usage_errors():
        spelling.refuse_markers(config, items)
        for item in items:
            if is_gated(item):
                gate_markers(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before the first gate: read the corpus and find the models, so that bad input ends the run with one error."""
    config = session.config
    if config.getoption("collectonly"):
        return
    gated = [item for item in session.items if (candidate := candidate_of(item)) and not candidate.missing]
    if gated:
        from pytest_whisperq.plugin import preflight

        preflight.declare(config, gated)
        if not hasattr(config, "workerinput"):  # the controller has done it
            preflight.check(config)
            preflight.forecast_gates(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: object, ids: list[str]) -> None:
    """Do under xdist, once and in the controller, what `pytest_collection_finish` does without it."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]  # xdist's WorkerController
    if not _is_configured(config):
        return
    from pytest_whisperq.plugin import preflight, state

    live = [candidate.id for candidate in state.gate_config(config).candidates if not candidate.missing]
    if any(name in identifier.partition("[")[2] for identifier in ids for name in live):
        preflight.check(config)
        preflight.forecast_limit(config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin a test of a candidate anew; it may be a rerun. In a worker, fail one whose marker is misspelt."""
    if hasattr(item.config, "workerinput"):
        with plain_errors():
            spelling.refuse_markers(item.config, [item])
    if _may_gate(item):
        from pytest_whisperq.plugin import gating

        gating.begin(item)


def _may_gate(item: pytest.Item) -> bool:
    return is_gated(item) or "whisperq_candidate" in getattr(item, "fixturenames", ())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run the gates of the test's markers after its body; then see whether what failed in either is waived."""
    result = yield from _body(item)
    if item.get_closest_marker(MERGE_CONTRACT) is not None:
        from pytest_whisperq.plugin import merging

        merging.run(item)
    has_markers = is_gated(item)
    if _may_gate(item):
        from pytest_whisperq.plugin import gating

        if has_markers:
            gating.run_markers(item)
        gating.excuse(item)
    return result


def _body(item: pytest.Item) -> Generator[None, object, object]:
    """Run the body of a test; one of a shard that asks for what only the judging run has ends there."""
    try:
        return (yield)
    except LeftToJudgingError as error:
        from pytest_whisperq.plugin import gating

        gating.leave_to_judging(item, error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say on a report why a gate ended the test, where one did; redact it, where a run is to be."""
    report = yield
    if call.excinfo and (_may_gate(item) or _has_fixture(item)):
        from pytest_whisperq.plugin import ending, redacting, state

        ending.note(report, call)
        if state.gate_config(item.config).redact:
            redacting.redact(report, call, item.config.invocation_params.dir)
    return report


def _has_fixture(item: pytest.Item) -> bool:
    return any(name.startswith("whisperq_") for name in getattr(item, "fixturenames", ()))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: pytest.ExitCode, config: pytest.Config
) -> None:
    """Show every judgement of the run in one table. Where no candidate is named, say that nothing is gated."""
    if exitstatus == pytest.ExitCode.USAGE_ERROR or config.getoption("collectonly"):
        return
    reports = terminalreporter.stats.get("skipped", ())
    if skipped := sum(_NO_CANDIDATE in str(report.longrepr) for report in reports):
        from pytest_whisperq.plugin import reporting

        tests = "a test" if skipped == 1 else f"{skipped} tests"
        line = f"whisperq: {tests} skipped, and nothing gated: {_NO_CANDIDATE}"
        reporting.say(terminalreporter, line, yellow=True)
    if _is_configured(config):
        from pytest_whisperq.plugin import reporting, state

        reporting.summarize(terminalreporter, config, state.waivers(config))
        if exitstatus == pytest.ExitCode.OK:
            reporting.warn_of_idle_limits(terminalreporter, config)
