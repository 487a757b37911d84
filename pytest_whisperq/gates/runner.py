"""One run's gates, each run by its name; and the whole product without pytest: options in, judgements out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.registry import Gate, get_gate
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session, silent
from pytest_whisperq.system.errors import ConfigError

ON_THIS_MACHINE = "measured on this machine, not on the cluster of --whisperq-engine"
"""What a run whose corpus is decoded on a cluster notes of gates that need more than what is said about it."""


def place_of(parts: Iterable[Gate], engine: str) -> list[str]:
    """Return a note of gates that are not measured where a run's ``engine`` decodes the corpus; none for the others."""
    is_there = all(part.judges_transcripts or part.judges_translations for part in parts)
    return [] if engine == "process" or is_there else [ON_THIS_MACHINE]


class GateRunner:
    """Runs gates by name, on the session of a run or, where the corpus is extended, on larger and larger ones."""

    def __init__(self, config: GateConfig, progress: Progress = silent) -> None:
        self.config = config
        self.session = Session(config, progress)

    def judge(self, name: str, candidate: Candidate, **given: Any) -> Outcome:
        """Run a gate; what is not ``given`` is as configured. With ``on_inconclusive="extend"``: on more and more.

        Every look may err, so that each gets an equal part of the error that ``confidence`` allows (Bonferroni). What
        of the cache was damaged until then, and has been made again, is noted in the judgement.

        Raises `ConfigError` for a gate or keyword that does not exist, or that cannot judge these models.
        """
        gate = get_gate(name)
        limits = gate.limits(self.config, given)
        parts = self._parts(gate, limits)
        is_extended = self.config.on_inconclusive == "extend" and any(part.extendable for part in parts)
        for session in self._looks if is_extended else (self.session,):
            outcome = gate.run(session, candidate, limits)
            if outcome.judgement.verdict is not Verdict.INCONCLUSIVE:
                break
            if any(part.needs_whole_corpus for part in parts) and session.once(EarlyStopping).broken(candidate):
                break
        notes = (*outcome.judgement.notes, *place_of(parts, self.config.engine), *dict.fromkeys(self.session.repairs))
        return replace(outcome, judgement=replace(outcome.judgement, notes=notes))

    def decode_share(self, name: str, candidate: Candidate, **given: Any) -> tuple[ModelSpec, ...]:
        """Decode this run's shard of the corpus for a gate, with both models; return them.

        None of them for a gate that needs something else than transcripts of the corpus. Raises as `judge` does.
        """
        gate = get_gate(name)
        if not any(part.judges_transcripts for part in self._parts(gate, gate.limits(self.config, given))):
            return ()
        session = self.session
        models = (session.baseline_spec, session.spec(candidate))
        session.built(models[1])  # one that quantization broke is told before the baseline is decoded
        for spec in models:
            session.decode_share(spec)
        return models

    def _parts(self, gate: Gate, limits: Mapping[str, Any]) -> tuple[Gate, ...]:
        """Return the gates that a gate is made of; raise `ConfigError` where they would judge random weights."""
        parts = gate.made_of(limits)
        if any(part.hears_speech for part in parts) and self.session.source.is_random:
            raise ConfigError(
                f"{self.session.source.name} says nothing that could be judged, its weights are random",
                where=gate.marker,
                remedy="gate its speed, size and memory, or name a trained model",
            )
        return parts

    def declare_accuracy(self, candidate: Candidate, **given: Any) -> None:
        """Say that this run gates a candidate's accuracy; once all such gates have failed, no gate decodes the rest."""
        early = self.session.once(EarlyStopping)
        early.declare(candidate, get_gate("accuracy").limits(self.config, given))

    @cached_property
    def _looks(self) -> tuple[Session, ...]:
        """The run on ``max_utterances``, on twice as many, and so on to the whole corpus."""
        whole = len(self.session.recordings.whole_corpus.utterances)
        sizes = [min(self.config.max_utterances or whole, whole)]
        while sizes[-1] < whole:
            sizes.append(min(2 * sizes[-1], whole))
        confidence = 1 - (1 - self.config.confidence) / len(sizes)
        looks = tuple(
            Session(
                replace(self.config, max_utterances=size, confidence=confidence),
                self.session.progress,
                repairs=self.session.repairs,
            )
            for size in sizes
        )
        for look in looks:
            look.once(EarlyStopping).declared = self.session.once(EarlyStopping).declared
        return looks

    def look_at(self, utterances: int) -> Session:
        """Return the look of a run that extends in which so many utterances of speech were judged; else its session."""
        if self.config.on_inconclusive != "extend":
            return self.session
        return next((look for look in self._looks if len(look.corpus.speech) >= utterances), self._looks[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run concluded, one judgement for each gate and candidate, and which candidates it left out and why."""

    judgements: tuple[Judgement, ...]
    left_out: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the run."""
        return Verdict.worst([judgement.verdict for judgement in self.judgements])


def run_gates(config: GateConfig, progress: Progress = silent) -> Report:
    """Run the gates of quality (parity, accuracy) for every candidate that is installed; the others are left out."""
    runner = GateRunner(config, progress)
    for candidate in config.candidates:
        runner.declare_accuracy(candidate)
    return Report(
        judgements=tuple(
            runner.judge(gate, candidate).judgement
            for candidate in config.candidates
            if not candidate.missing
            for gate in ("parity", "accuracy")
        ),
        left_out=(*config.left_out, *(f"{c}: {c.missing}" for c in config.candidates if c.missing)),
    )
