"""Before the first gate: refuse what cannot be used, and say which limits the corpus can certify."""

import contextlib
from collections.abc import Iterable, Mapping

import pytest

from pytest_whisperq.candidates import Candidate
from pytest_whisperq.errors import WhisperqError
from pytest_whisperq.measure.pairs import refuse_wordless
from pytest_whisperq.measure.sequential import AccuracyLimit
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.markers import candidate_of, gate_markers
from pytest_whisperq.preflight import forecast, power_of
from pytest_whisperq.privacy import without_tokens
from pytest_whisperq.waivers import refuse_expired, today

NOT_BINDING = frozenset({"skip", "skipif", "xfail"})
"""Marks of tests whose failure, or whose verdict at all, is not certain to show."""

_FORECAST = pytest.StashKey[bool]()


def check(config: pytest.Config) -> None:
    """Read the whole corpus and find both models; what cannot be used ends the run before any gate (exit code 4).

    So does a waiver that has expired: only here, for a run without gates may do without it.
    """
    run = state.gate_run(config)
    try:
        refuse_expired(state.waivers(config), today())
        _ = run.corpus, run.source, run.baseline_source, run.normalizer, run.facts, run.history.stored
        if run.calibrates:
            _ = run.calibration
        refuse_wordless(run.whole_corpus, run.normalizer)
    except WhisperqError as error:
        raise pytest.UsageError(without_tokens(str(error))) from error


def declare(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Tell the run which accuracy gates it will judge: a candidate that fails all of them is decoded no further.

    One that may be skipped, or is expected to fail, does not keep the others from their verdict.
    """
    run = state.gate_run(config)
    for item in items:
        candidate = candidate_of(item)
        if not candidate or any(mark.name in NOT_BINDING for mark in item.iter_markers()):
            continue
        with contextlib.suppress(WhisperqError):  # unusable markers: the gate itself reports them
            for marker, keywords in gate_markers(item):
                if marker.gate == "accuracy":
                    run.early.declare(candidate, **keywords)


def forecast_gates(config: pytest.Config) -> None:
    """Forecast the accuracy gates that are declared."""
    _show(config, state.gate_run(config).early.declared)


def forecast_limit(config: pytest.Config) -> None:
    """Forecast the configured limit, once a run: under xdist only the workers know the markers."""
    if config.stash.get(_FORECAST, False):
        return
    config.stash[_FORECAST] = True
    with contextlib.suppress(WhisperqError):  # a mixture of languages: the gate itself reports it
        limit = state.gate_run(config).early.limit()
        _show(config, {one: [limit] for one in state.gate_config(config).candidates if not one.missing})


def _show(config: pytest.Config, limits: Mapping[Candidate, Iterable[AccuracyLimit]]) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or reporter.verbosity < 0:
        return
    run = state.gate_run(config)
    alike: dict[tuple[str, ...], list[str]] = {}
    for candidate, asked in limits.items():
        own = [limit.max_drop for limit in asked if (limit.drop_type, limit.metric) == ("absolute", "wer")]
        if own:
            alike.setdefault(tuple(forecast(power_of(run, candidate), own)), []).append(str(candidate))
    for lines, names in alike.items():
        of = f" of {', '.join(names)}" if len(alike) > 1 else ""
        for line in lines:
            reporter.write_line(f"whisperq{of}: {line}")
