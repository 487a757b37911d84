"""What the plugin keeps for the length of a run: the configuration and the `GateRun`, both in pytest's stash."""

import contextlib

import pytest

from pytest_whisperq.backends import register
from pytest_whisperq.config import GateConfig, resolve
from pytest_whisperq.errors import WhisperqError
from pytest_whisperq.options import OPTIONS
from pytest_whisperq.pipeline import GateRun
from pytest_whisperq.plugin.markers import candidate_of, gate_markers
from pytest_whisperq.plugin.reporting import progress_for

NOT_BINDING = frozenset({"skip", "skipif", "xfail"})
"""Marks of tests whose failure, or whose verdict at all, is not certain to show."""

_CONFIG = pytest.StashKey[GateConfig]()
_RUN = pytest.StashKey[GateRun]()


def typed_options(config: pytest.Config) -> dict[str, str | None]:
    """Return what was typed on the command line, by ini key."""
    return {option.ini: config.getoption(option.ini) for option in OPTIONS}


def gate_config(config: pytest.Config) -> GateConfig:
    """Resolve the options once; unusable ones are a usage error (exit code 4)."""
    if _CONFIG not in config.stash:
        try:
            config.add_cleanup(register(config.hook.pytest_whisperq_backends()))  # pytest may run within pytest
            config.stash[_CONFIG] = resolve(typed_options(config), _ini_values(config))
        except WhisperqError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[_CONFIG]


def _ini_values(config: pytest.Config) -> dict[str, str | None]:
    """Return the ini values as text; a path in them is relative to the file it stands in, as in every ini file."""
    values: dict[str, str | None] = {}
    for option in OPTIONS:
        value = config.getini(option.ini)  # TOML knows lists
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        if text and option.is_path and config.inipath:
            beside = config.inipath.parent / text
            # The name of the embedded model or a hub id is no path: only what is there, or the cache, can be one.
            text = str(beside) if beside.exists() or option.ini == "whisperq_cache_dir" else text
        values[option.ini] = text
    return values


def gate_run(config: pytest.Config) -> GateRun:
    """Return the run every gate and fixture shares."""
    if _RUN not in config.stash:
        config.stash[_RUN] = GateRun(gate_config(config), progress_for(config))
    return config.stash[_RUN]


def declare(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell the run which accuracy gates it will judge: a candidate that fails all of them is decoded no further.

    One that may be skipped, or is expected to fail, does not keep the others from their verdict.
    """
    run = gate_run(config)
    for item in items:
        candidate = candidate_of(item)
        if not candidate or candidate.missing or any(mark.name in NOT_BINDING for mark in item.iter_markers()):
            continue
        with contextlib.suppress(WhisperqError):  # unusable markers: the gate itself reports them
            for marker, keywords in gate_markers(item):
                if marker.gate == "accuracy":
                    run.early.declare(candidate, **keywords)


def preflight(config: pytest.Config) -> None:
    """Read the whole corpus and find both models; what cannot be used ends the run before any gate (exit code 4)."""
    run = gate_run(config)
    try:
        _ = run.corpus, run.source, run.baseline_source, run.normalizer, run.facts
        if run.calibrates:
            _ = run.calibration
    except WhisperqError as error:
        raise pytest.UsageError(str(error)) from error


def header(config: pytest.Config) -> list[str]:
    """Return the lines at the top of a run that gates something."""
    resolved = gate_config(config)
    if not resolved.candidates:
        return []
    baseline = str(resolved.baseline)
    if resolved.baseline_model != resolved.model:
        baseline += f"@{resolved.baseline_model}"
    first = (
        f"whisperq: {', '.join(map(str, resolved.candidates))} of {resolved.model} against {baseline}; "
        f"corpus {resolved.corpus}; bounds at {resolved.confidence:g}, seed {resolved.seed}, {resolved.threads} threads"
    )
    return [first] + [f"whisperq: left out {reason}" for reason in resolved.left_out]
