"""Before the first gate: refuse what cannot be used, and say which limits the corpus can certify."""

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.forecast import calibration_lines, forecast, power_of, ready_made_lines
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.gates.saved_runs import SavedRuns
from pytest_whisperq.history.shards import Merged
from pytest_whisperq.judging.waivers import refuse_expired, today
from pytest_whisperq.measuring.metric import mixture
from pytest_whisperq.measuring.sequential import AccuracyLimit
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.errors import usage_errors
from pytest_whisperq.plugin.markers import candidate_of, gate_markers
from pytest_whisperq.plugin.reporting import say
from pytest_whisperq.plugin.sharding import share_line
from pytest_whisperq.system.errors import CorpusError, WhisperqError
from pytest_whisperq.system.files import refuse_special
from pytest_whisperq.system.redaction import shareable

NOT_BINDING = frozenset({"skip", "skipif", "xfail"})
"""Marks of tests whose failure, or whose verdict at all, is not certain to show."""

_FORECAST = pytest.StashKey[bool]()

_FORESEEN = pytest.StashKey[list[Callable[[], list[str]]]]()
"""What the gates of a run say of the corpus before anything is decoded."""


def check(config: pytest.Config) -> None:
    """Read the whole corpus and find both models; what cannot be used ends the run before any gate (exit code 4).

    So does a waiver that has expired: only here, for a run without gates may do without it.
    """
    refuse_passed_over(config)
    session = state.session(config)
    redacted = (CorpusError,) if session.config.redact else ()  # others quote what was typed
    with usage_errors(*redacted):
        if session.config.save:
            refuse_special(session.config.save, "--whisperq-save")
        refuse_expired(state.waivers(config), today())
        session.read()
        if session.config.shard:
            session.recordings.share(*session.config.shard)
        if session.config.merge:
            session.once(Merged)
        session.once(SavedRuns)  # read when they are made
        session.once(EarlyStopping).limit(get_gate("accuracy").limits(session.config, {}))  # bounds may not suit it


def refuse_passed_over(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for what is named beside a folder that it lies in, where pytest collects one of both.

    pytest 9 passes over a file whose name is not that of a test module, as most suites that are asked for by name;
    earlier ones over the rest of the folder. Neither says so, and a gate that is passed over is a gate that is green.
    """
    is_new = pytest.version_tuple >= (9,)
    if is_new and config.getoption("keepduplicates"):
        return
    named = [(argument, _named(argument, config)) for argument in config.args]
    for argument, path in named:
        for other, folder in named:
            if folder in path.parents and not (is_new and _is_collected(path, folder, config)):
                raise pytest.UsageError(
                    f"{argument} lies in {other}, and pytest collects only one of them when both are named: give each "
                    "a run of its own"
                )


def _named(argument: str, config: pytest.Config) -> Path:
    """Return the file or folder of an argument."""
    name = argument.partition("::")[0]
    path = Path(os.path.abspath(config.invocation_params.dir / name))  # as pytest does: links stay
    if config.getoption("pyargs") and not path.exists():
        with contextlib.suppress(ImportError, ValueError):
            spec = find_spec(name)
            if spec and spec.origin:
                return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    return path


def _is_collected(path: Path, folder: Path, config: pytest.Config) -> bool:
    """Whether pytest finds a file or folder by itself when it collects a ``folder`` around it."""
    *around, last = path.relative_to(folder).parts
    folders = [*around, last] if path.is_dir() else around
    if any(fnmatch(part, pattern) for part in folders for pattern in config.getini("norecursedirs")):
        return False
    return path.is_dir() or any(_matches(path, pattern) for pattern in config.getini("python_files"))


def _matches(path: Path, pattern: str) -> bool:
    """Whether a file is called as a pattern says, which is that of its path where it has folders."""
    return fnmatch(path.as_posix(), f"*/{pattern}") if "/" in pattern else fnmatch(path.name, pattern)


def declare(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Tell the run which accuracy gates it will judge: a candidate that fails all of them is decoded no further.

    One that may be skipped, is expected to fail or is waived does not keep the others from their verdict.
    """
    runner, waivers = state.runner(config), state.waivers(config)
    for item in items:
        candidate = candidate_of(item)
        if not candidate or any(mark.name in NOT_BINDING for mark in item.iter_markers()):
            continue
        if any(waiver.covers(f"accuracy/{candidate}", item.nodeid) for waiver in waivers):
            continue
        with contextlib.suppress(WhisperqError, OSError):  # told by `check`, or by the gate itself
            for name, keywords in gate_markers(item):
                gate = get_gate(name)
                if name == "accuracy":
                    runner.declare_accuracy(candidate, **keywords)
                if gate.foresee:
                    limits = gate.limits(runner.config, keywords)
                    foreseen = config.stash.setdefault(_FORESEEN, [])
                    foreseen.append(partial(gate.foresee, runner.session, candidate, limits))


def forecast_gates(config: pytest.Config) -> None:
    """Say what the corpus is like and what is calibrated on, and forecast the gates that are declared.

    A gate that cannot use what it is given, such as a file of terms, ends the run here.
    """
    _show_basis(config)
    if state.gate_config(config).shard:
        return
    _show(config, state.session(config).once(EarlyStopping).declared)
    with usage_errors():
        lines = [line for foresee in config.stash.get(_FORESEEN, []) for line in foresee()]
    _say(config, dict.fromkeys(lines))


def forecast_limit(config: pytest.Config) -> None:
    """Forecast the configured limits, once a run: under xdist only the workers know the markers.

    Those of terms, if a file of them is configured; one that cannot be used ends the run here.
    """
    if config.stash.get(_FORECAST, False):
        return
    config.stash[_FORECAST] = True
    _show_basis(config)
    if state.gate_config(config).shard:
        return
    limits = get_gate("accuracy").limits(state.gate_config(config), {})
    limit = state.session(config).once(EarlyStopping).limit(limits)
    candidates = [one for one in state.gate_config(config).candidates if not one.missing]
    _show(config, {one: [limit] for one in candidates})
    terms = get_gate("terms")
    if state.gate_config(config).terms and terms.foresee:
        with usage_errors():
            limits = terms.limits(state.gate_config(config), {})
            _say(config, terms.foresee(state.session(config), candidates[0], limits))


def _show_basis(config: pytest.Config) -> None:
    """Say what a run stands on: how a mixture of languages is judged, what of corpus and cache is not as it should be.

    And what is gated as it lies in a folder, what is calibrated on, and which build may not fit into memory.
    """
    if _is_quiet(config):
        return
    session = state.session(config)
    mixed = mixture(session.recordings.whole_corpus) if session.config.metric is None else ""
    lines = (
        *session.recordings.doubts,
        *ready_made_lines(session),
        *calibration_lines(session),
        *session.repairs,
        *session.shortages,
    )
    share = [share_line(session)] if session.config.shard else []
    merged = session.once(Merged).lines if session.config.merge else []
    _say(config, (*filter(None, [mixed]), *lines, *share, *merged))


def _say(config: pytest.Config, lines: Iterable[str]) -> None:
    if _is_quiet(config):
        return
    reporter = config.pluginmanager.getplugin("terminalreporter")
    for line in lines:
        say(reporter, f"whisperq: {shareable(line, config.invocation_params.dir)}")


def _is_quiet(config: pytest.Config) -> bool:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    return reporter is None or reporter.verbosity < 0


def _show(config: pytest.Config, limits: Mapping[Candidate, Iterable[AccuracyLimit]]) -> None:
    if _is_quiet(config):
        return
    session = state.session(config)
    aside = len(session.recordings.set_aside.speech) if session.recordings.set_aside else 0
    alike: dict[tuple[str, ...], list[str]] = {}
    for candidate, asked in limits.items():
        drops: dict[Metric, list[float]] = {}
        for limit in asked:
            if limit.drop_type == "absolute":
                drops.setdefault(limit.metric, []).append(limit.max_drop)
        for metric, certified in drops.items():
            power = power_of(session, candidate, metric)
            alike.setdefault(tuple(forecast(power, certified, aside)), []).append(str(candidate))
    for lines, names in alike.items():
        of = f" of {', '.join(names)}" if len(alike) > 1 else ""
        for line in lines:
            say(config.pluginmanager.getplugin("terminalreporter"), f"whisperq{of}: {line}")
