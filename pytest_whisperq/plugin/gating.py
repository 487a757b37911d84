"""Run a gate inside a test: measure, judge, record on the test's report, and fail with everything one needs to know."""

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, cast

import pytest

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates import registry
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.judging.waivers import Waiver, covering
from pytest_whisperq.plugin import sharding, state
from pytest_whisperq.plugin.ending import Ending, because
from pytest_whisperq.plugin.errors import plain_errors
from pytest_whisperq.plugin.markers import candidate_of, gate_markers
from pytest_whisperq.plugin.reporting import EARLIER, PROPERTY
from pytest_whisperq.plugin.timing import Untimed, company, untimed
from pytest_whisperq.reporting.terminal import doubt, explain
from pytest_whisperq.session import Model
from pytest_whisperq.system.errors import LeftToJudgingError, unknown
from pytest_whisperq.system.printing import printable
from pytest_whisperq.system.redaction import shareable

_WAIVED = pytest.StashKey[dict[str, str]]()
"""What is excused in a test: one line a gate, and all that the gate has to say."""

_DOUBTS = pytest.StashKey[list[tuple[Ending, str]]]()
"""Why a test ends as skipped, should all the rest of it hold."""

_IS_OVER = pytest.StashKey[bool]()
"""Whether body and markers have been through, so that only fixtures are left."""

_UNCALLED = pytest.StashKey[dict[str, None]]()
"""Gates that a body names, ``whisperq_gate.accuracy``, and has not called."""

_EARLIER = pytest.StashKey[list[str]]()
"""What each earlier attempt at a test concluded."""


_OF_THE_WHOLE_RUN = frozenset({"report", "report-audio", "save", "export", "diagnose"})
"""Options of which nothing is left when one gate is run again: it would replace the run's report by its own."""


class GateFixture:
    """What the fixture ``whisperq_gate`` is: a method for each gate, of one test and one candidate.

    ``whisperq_gate.accuracy(max_drop=0.5)`` measures, judges, records the judgement and fails the test unless it
    passes; it takes the keywords of the marker ``whisperq_accuracy`` and returns an `Outcome`.
    """

    def __init__(self, item: pytest.Item, candidate: Model) -> None:
        self._item = item
        self._candidate = candidate
        self._runner = state.runner(item.config)
        self._config = self._runner.config

    def __getattr__(self, name: str) -> Callable[..., Outcome]:
        """Return the gate of that name, to be called."""
        if name not in registry.names():
            raise AttributeError(str(unknown("unknown gate", name, registry.names(), where="whisperq_gate")))
        self._item.stash.setdefault(_UNCALLED, {})[name] = None
        return partial(self._single, name)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *registry.names()])

    @property
    def is_named(self) -> bool:
        """Whether the candidate was asked for by name, and not as one of ``--whisperq-backend all``."""
        config = self._item.config
        asked = config.getoption("whisperq_backend") or config.getini("whisperq_backend")
        names = [word.strip() for word in (asked.split(",") if isinstance(asked, str) else asked)]
        return "all" not in names or self._candidate.spec.backend in names

    def _single(self, gate: str, /, *given: Any, **keywords: Any) -> Outcome:
        __tracebackhide__ = True
        self._item.stash.setdefault(_UNCALLED, {}).pop(gate, None)
        with plain_errors(redact=self._config.redact):
            limits = get_gate(gate).named(given, keywords, f"whisperq_gate.{gate}")
        if self._config.shard:
            return self._decode_share([(gate, limits)])
        if self._is_timed(gate, limits) and (reason := untimed(self._item)):
            _defer(self._item, [(Ending.UNTIMED, reason)])
            return cast("Outcome", Untimed(reason))
        return self._settle([self.judge(gate, limits)])[0]

    def skip(self, gate: str, reason: str) -> NoReturn:
        """End the test as skipped: the gate does not apply to this candidate, for a reason that the report may show."""
        __tracebackhide__ = True
        skipped = pytest.skip.Exception(f"whisperq {gate} gate does not apply: {reason}")
        raise because(Ending.INAPPLICABLE, skipped)

    def report(self, gate: str, **limits: Any) -> Outcome:
        """Measure as the gate of that name does, but demand nothing: its values are shown, without a verdict."""
        __tracebackhide__ = True
        if self._config.shard:
            return self._decode_share([(gate, limits)])
        if gate in registry.names() and self._is_timed(gate, limits) and (reason := untimed(self._item)):
            name = str(self._candidate.spec)
            self._record(Judgement(gate=gate, candidate=name, baseline="", checks=(), notes=(reason,)))
            return cast("Outcome", Untimed(reason))
        return self.judge(gate, limits, demand=False)

    def run(self, gates: list[tuple[str, dict[str, Any]]]) -> None:
        """Run several gates and fail once, with the reasons of all that did not pass; speed where it can be timed."""
        __tracebackhide__ = True
        if self._config.shard:
            self._decode_share(gates)
            return
        apart = [pair for pair in gates if self._is_timed(*pair)] if company(self._item) else []
        self._settle([self.judge(gate, limits) for gate, limits in gates if (gate, limits) not in apart])
        for gate, limits in apart:
            self._single(gate, **limits)

    def _decode_share(self, gates: list[tuple[str, dict[str, Any]]]) -> Outcome:
        """Decode this run's shard of the corpus for these gates, and have the test end as skipped."""
        __tracebackhide__ = True
        with plain_errors(redact=self._config.redact):
            reason = sharding.decode(self._item, self._candidate, gates)
        _defer(self._item, [(Ending.SHARD, reason)])
        return cast("Outcome", sharding.Undecided(reason))

    def _is_timed(self, name: str, given: dict[str, Any]) -> bool:
        """Whether a gate times with these keywords; they are checked, for some gates tell only then."""
        __tracebackhide__ = True
        gate, where = get_gate(name), f"whisperq_gate.{name}"
        if gate.parts is None:
            return gate.is_timed
        with plain_errors(redact=self._config.redact):
            gate.check(given, where)
            return any(part.is_timed for part in gate.made_of(gate.limits(self._config, given)))

    def judge(self, gate: str, limits: dict[str, Any], *, demand: bool = True) -> Outcome:
        """Measure and judge one gate, and record the judgement on the test's report; ``demand`` a verdict of it."""
        __tracebackhide__ = True
        with plain_errors(redact=self._config.redact):
            get_gate(gate, "whisperq_gate.report").check(limits, f"whisperq_gate.{gate}")
            outcome = self._runner.judge(gate, self._candidate.candidate, **limits)
        if not demand:
            outcome = replace(outcome, judgement=outcome.judgement.reported())
        self._record(outcome.judgement)
        return outcome

    def _record(self, judgement: Judgement) -> None:
        judged = state.scrub(self._item.config)(judgement.to_dict())
        self._item.user_properties.append((PROPERTY, json.dumps(judged)))

    def _settle(self, outcomes: list[Outcome]) -> list[Outcome]:
        __tracebackhide__ = True
        bad = [(one, self._waiver(one)) for one in outcomes if one.judgement.verdict is not Verdict.PASS]
        if not bad:
            return outcomes
        held = [one.judgement for one, waiver in bad if not waiver]
        is_skipped = self._config.on_inconclusive == "skip" and not any(
            judgement.verdict is Verdict.FAIL for judgement in held
        )
        replay = replay_command(self._item)
        shown = [(self._redacted(one), waiver) for one, waiver in bad]
        here = self._item.config.invocation_params.dir
        texts = [shareable(explain(one, replay, waiver.terms if waiver else ""), here) for one, waiver in shown]
        if held and not is_skipped:
            raise because(Ending.VERDICT, pytest.fail.Exception("\n\n".join(texts), pytrace=False))
        # The test goes on: what comes after a gate that is waived, or skipped, has to hold all the same.
        _defer(self._item, [(Ending.VERDICT, doubt(judgement)) for judgement in held])
        excused = self._item.stash.setdefault(_WAIVED, {})
        for (one, waiver), text in zip(bad, texts, strict=True):
            if waiver:
                excused[printable(waiver.excuse(one.judgement))] = text
        return outcomes

    def _redacted(self, outcome: Outcome) -> Outcome:
        if not self._config.redact:
            return outcome
        return replace(outcome, worst=tuple(replace(evidence, rows=()) for evidence in outcome.worst))

    def _waiver(self, outcome: Outcome) -> Waiver | None:
        return covering(state.waivers(self._item.config), outcome.judgement, self._item.nodeid)


def run_markers(item: pytest.Item) -> None:
    """Run the gates that a test's markers ask for."""
    __tracebackhide__ = True
    candidate = candidate_of(item)
    if candidate is None:
        reason = "a gate marker belongs on a test function, its class or module, not on a parameter or a unittest case"
        pytest.fail(f"whisperq: {reason}", pytrace=False)
    with plain_errors():
        gates = gate_markers(item)
    GateFixture(item, state.session(item.config).model(candidate)).run(gates)


def leave_to_judging(item: pytest.Item, error: LeftToJudgingError) -> NoReturn:
    """End a test of a shard as skipped whose body asked for all transcripts: it gets them in the run that judges.

    They are those of the shards, so that the shard of both models is decoded, and what the test's markers ask for.
    """
    __tracebackhide__ = True
    if candidate := candidate_of(item):
        with plain_errors():
            gates = [("parity", dict[str, Any]()), *gate_markers(item)]
        GateFixture(item, state.session(item.config).model(candidate)).run(gates)
    raise sharding.left_to_judging(error) from None


def begin(item: pytest.Item) -> None:
    """Forget what an earlier attempt at a test left behind: a rerun has the same item, and only the last one counts.

    What it concluded is told beside what the last one does.
    """
    if _EARLIER in item.stash:
        judged = [Judgement.from_dict(json.loads(str(value))) for key, value in item.user_properties if key == PROPERTY]
        concluded = ", ".join(f"{one.gate} {one.verdict.value}" for one in judged if one.checks)
        item.stash[_EARLIER].append(concluded or "no verdict")
    earlier = item.stash.setdefault(_EARLIER, [])
    of_gates = (PROPERTY, EARLIER, sharding.PROPERTY)
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] not in of_gates]
    if earlier:
        item.user_properties.append((EARLIER, json.dumps(earlier)))
    keys: tuple[pytest.StashKey[Any], ...] = (_DOUBTS, _WAIVED, _IS_OVER, _UNCALLED)
    for key in keys:
        if key in item.stash:
            del item.stash[key]


def _defer(item: pytest.Item, doubts: list[tuple[Ending, str]]) -> None:
    """Have a test end as skipped, for these reasons, should the rest of it hold; at once where it is over already."""
    __tracebackhide__ = True
    if item.stash.get(_IS_OVER, False) and doubts:  # a fixture that gates when it is torn down
        raise _skipped(doubts)
    item.stash.setdefault(_DOUBTS, []).extend(doubts)


def _skipped(doubts: list[tuple[Ending, str]]) -> BaseException:
    """Return what ends a test as skipped; what was not timed was not judged, whatever else was in the same test."""
    endings = [ending for ending, _ in doubts]
    ending = Ending.UNTIMED if Ending.UNTIMED in endings else endings[0]
    reasons = "; ".join(dict.fromkeys(reason for _, reason in doubts))
    return because(ending, pytest.skip.Exception(reasons, _use_item_location=True))


def excuse(item: pytest.Item) -> None:
    """End a test that did not fail, but for gates that are skipped or waived, as skipped or as an expected failure.

    One that names a gate and does not call it fails: nothing was judged, and nobody would see it.
    """
    __tracebackhide__ = True
    item.stash[_IS_OVER] = True
    if names := item.stash.get(_UNCALLED, {}):
        calls = " and ".join(f"whisperq_gate.{name}()" for name in names)
        text = f"whisperq: the test names a gate and does not call it, so that nothing is judged: write {calls}"
        raise because(Ending.ERROR, pytest.fail.Exception(text, pytrace=False))
    waived = item.stash.get(_WAIVED, {})
    for text in waived.values():
        item.add_report_section("call", "whisperq", text)
    if doubts := item.stash.get(_DOUBTS, []):
        raise _skipped(doubts)
    if waived:
        raise because(Ending.WAIVED, pytest.xfail.Exception("; ".join(waived), pytrace=False))


def replay_command(item: pytest.Item) -> str:
    """Return the command that runs this one gate again, with the options this run was given."""
    config = item.config
    _, separator, rest = item.nodeid.partition("::")
    node = os.path.relpath(item.path, config.invocation_params.dir) + separator + rest
    typed = state.typed_options(config)
    options = [
        part
        for option in OPTIONS
        if (value := typed[option.ini]) and option.name not in _OF_THE_WHOLE_RUN
        for part in ((option.flag,) if option.is_switch else (option.flag, value))
    ]
    return shlex.join(["pytest", node, *options])
