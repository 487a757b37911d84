"""``--whisperq-shard``: a run that decodes its part of a corpus and judges nothing. Registered where it is asked."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.history.shards import save_shard
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.ending import Ending, because
from pytest_whisperq.plugin.reporting import is_repeated, say
from pytest_whisperq.session import Model, Session
from pytest_whisperq.system.errors import LeftToJudgingError, WhisperqError
from pytest_whisperq.system.files import system_error
from pytest_whisperq.system.redaction import shareable, without_tokens

PROPERTY = "whisperq_shard"
"""Key of the user property that names the models with which a test has decoded its shard, a JSON list."""

_OF_A_SHARD = frozenset({"shard", "save"})
"""Options that the run which judges all shards does not have."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Stands for the `Outcome` of a gate that a shard does not judge: who asks for figures ends the test as skipped."""

    reason: str

    @property
    def judgement(self) -> NoReturn:
        """There is no figure to go on with."""
        __tracebackhide__ = True
        raise because(Ending.SHARD, pytest.skip.Exception(self.reason))

    worst = counted = judgement


def decode(item: pytest.Item, candidate: Model, gates: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Decode the shard for the gates of a test, note it on the test's report, and say why none of them is judged."""
    runner, decoded, left = state.runner(item.config), list[ModelSpec](), list[str]()
    for name, keywords in gates:
        get_gate(name).check(keywords, f"whisperq_gate.{name}")
        models = runner.decode_share(name, candidate.candidate, **keywords)
        decoded += models
        left += [] if models else [name]
    if decoded:
        names = sorted({str(candidate.candidate), *(["baseline"] if decoded else [])})
        item.user_properties.append((PROPERTY, json.dumps(names)))
    told = [f"{_shard(item.config)} is decoded, and not judged; next: {next_command(item.config)}"] if decoded else []
    if left:
        told.append(f"{' and '.join(left)} is left to the run that judges all shards, on one machine")
    return f"whisperq: {'; '.join(told)}"


def left_to_judging(error: LeftToJudgingError) -> BaseException:
    """Return what ends a test as skipped whose body asked for what a shard does not have."""
    return because(Ending.SHARD, pytest.skip.Exception(f"whisperq: {error}", _use_item_location=True))


def _shard(config: pytest.Config) -> str:
    return "shard {} of {}".format(*state.gate_config(config).shard or (1, 1))


def judging_arguments(config: pytest.Config) -> list[str]:
    """Return the arguments of this run less those of a shard."""
    flags = [option.flag for option in OPTIONS if option.name in _OF_A_SHARD]
    kept: list[str] = []
    typed = iter(map(str, config.invocation_params.args))
    for argument in typed:
        if argument in flags:
            next(typed, None)
        elif argument.partition("=")[0] not in flags:
            kept.append(without_tokens(argument))
    return kept


def next_command(config: pytest.Config) -> str:
    """Return the command that judges all shards, once they are decoded."""
    resolved, arguments = state.gate_config(config), shlex.join(judging_arguments(config))
    if resolved.save is None or resolved.shard is None:
        command = f"pytest {arguments}"
    else:
        alike = re.sub(rf"(?<!\d){resolved.shard[0]}(?!\d)", "*", resolved.save.name)
        name = str(resolved.save.with_name(alike)) if "*" in alike else "FILES"
        command = f"whisperq merge {'*'.join(map(_quoted, name.split('*')))} -- {arguments}"
    return shareable(command, config.invocation_params.dir)


def _quoted(part: str) -> str:
    return shlex.quote(part) if part else ""


def share_line(session: Session) -> str:
    """Return in a line what of the corpus a shard has."""
    shard, shards = session.config.shard or (1, 1)
    share = session.recordings.share(shard, shards).utterances
    seconds = sum(session.recordings.facts[item.id].seconds for item in share)
    whole = sum(fact.seconds for fact in session.recordings.facts.values())
    return (
        f"shard {shard} of {shards}: {len(share)} of {len(session.corpus.utterances)} utterances, "
        f"{seconds / 60:.1f} of {whole / 60:.1f} minutes"
    )


class Sharding:
    """A plugin of one run; it does nothing in an xdist worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._decoded: dict[str, list[str]] = {}
        self._failed: set[str] = set()
        self._lines: list[str] = []
        self._errors: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected: its gates may want transcripts, too."""
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was decoded, and what failed; the last attempt at a test counts."""
        if is_repeated(report):
            return
        if report.when == "setup":
            self._failed.discard(report.nodeid)
        if report.failed:
            self._failed.add(report.nodeid)
        for key, value in report.user_properties:
            if key == PROPERTY:
                self._decoded[report.nodeid] = json.loads(str(value))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Save the shard; one that cannot be saved, or is not whole, turns the run red."""
        config = self._config
        is_over = session.exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)
        if hasattr(config, "workerinput") or is_over or config.getoption("collectonly"):
            return
        resolved = state.gate_config(config)
        names = {name for several in self._decoded.values() for name in several}
        is_stopped = session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail
        if resolved.save is None or not resolved.candidates:
            self._lines = [f"{_shard(config)}: transcribed by {', '.join(sorted(names))}"] if names else []
            return
        if self._failed or is_stopped:
            why = "the run was stopped" if is_stopped else f"{len(self._failed)} tests failed"
            self._errors = [f"{_shard(config)} is not saved: {why}; what is transcribed is kept in the cache"]
        elif not names:
            self._errors = [f"{_shard(config)} is not saved: no test asked for a gate that judges transcripts"]
        else:
            try:
                self._save(names)
            except (WhisperqError, OSError) as error:
                self._errors = [str(system_error(error) if isinstance(error, OSError) else error)]
        if self._errors and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _save(self, names: set[str]) -> None:
        session, save = state.session(self._config), state.gate_config(self._config).save
        if save is None:
            return
        candidates = [one for one in session.config.candidates if str(one) in names]
        specs = list(dict.fromkeys([session.baseline_spec, *map(session.spec, candidates)]))
        save_shard(session, specs, judging_arguments(self._config), save)
        self._lines = [
            f"saved {save}: {_shard(self._config)}, transcribed by {', '.join(map(str, specs))}",
            f"when all are saved: {next_command(self._config)}",
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was saved where, and what comes next."""
        for error in self._errors:
            say(terminalreporter, f"whisperq: {error}", red=True)
        for line in self._lines:
            say(terminalreporter, f"whisperq: {line}")
