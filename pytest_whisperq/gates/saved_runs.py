"""A run held against runs that were saved before: the last accepted one, and an anchor that stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from math import exp, hypot, log

from pytest_whisperq import gates
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.decoding.transcript_cache import Known, TranscriptSet
from pytest_whisperq.history.document import BASELINE, CANDIDATE, StoredRun, corpus_digest, read_all, utterance_rows
from pytest_whisperq.judging.verdict import Check, Figure, Judgement
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.sequential import AccuracyLimit
from pytest_whisperq.session import Workbench
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.machine import cpu_features

OPTION = "--whisperq-compare"


class History:
    """The saved runs that a run is compared with."""

    def __init__(self, run: Workbench) -> None:
        self._run = run

    @cached_property
    def stored(self) -> tuple[StoredRun, ...]:
        """The saved runs; raises `ConfigError` for a file that is none, and for a run whose corpus is not fixed."""
        config = self._run.config
        if config.compare and config.on_inconclusive == "extend" and config.max_utterances:
            raise ConfigError(
                f"{OPTION}: a run that extends --whisperq-max-utterances has no corpus to be compared on; drop either"
            )
        return read_all(config.compare, OPTION)

    def accuracy(self, outcome: gates.Outcome, texts: PairedTexts, limit: AccuracyLimit) -> gates.Outcome:
        """Add to an accuracy gate a check for each saved run: what the candidate lost since then, in points.

        The limit is the gate's own where that is in points, else the configured one.
        """
        if not self.stored:
            return outcome
        max_drop = limit.max_drop if limit.drop_type == "absolute" else self._run.config.max_drop
        now = self._now(texts, limit.metric)
        for stored in self.stored:
            outcome = gates.judge_since(outcome, stored, now, max_drop=max_drop, confidence=self._run.config.confidence)
        return outcome

    def compared(self, stored: StoredRun, judgements: Iterable[Judgement]) -> set[str]:
        """Return which gates with these judgements were held against a saved run: of "accuracy" and "speedup".

        The former is, or has failed by itself; the latter where both runs timed the same on the same processor.
        """
        return {
            one.gate
            for one in judgements
            if (one.gate == "accuracy" and one.checks)
            or any(figure.name.endswith(_over(stored)) for figure in one.figures)
        }

    def _now(self, texts: PairedTexts, metric: Metric) -> StoredRun:
        """Return this run as far as it is compared: what two of its models say."""
        run = self._run
        name = str(texts.candidate.spec)
        known = {BASELINE: _known(texts.corpus, texts.baseline), name: _known(texts.corpus, texts.candidate)}
        rows = utterance_rows(texts.corpus, run.facts, texts.normalizer, metric, known, redact=True)
        return StoredRun(
            name="this run",
            document={
                "settings": {"normalizer": str(texts.normalizer), "metric": metric},
                "corpus": {"digest": corpus_digest(texts.corpus, run.facts)},
                "models": {BASELINE: {"role": BASELINE}, name: {"role": CANDIDATE}},
                "utterances": rows,
            },
        )

    def speed(self, outcome: gates.Outcome) -> gates.Outcome:
        """Add to a speed gate how its ratio compares with that of each saved run, on this processor only."""
        judgement, threads = outcome.judgement, self._run.config.threads
        figures, notes = [], []
        for stored in self.stored:
            before = _speedup(stored, judgement.candidate, judgement.baseline, judgement.checks[0].name)
            if before is None:
                continue
            machine = stored.document["environment"]
            if stored.checkpoint(judgement.candidate) != self._run.source.identity:
                notes.append(f"{stored.name} timed another checkpoint")
            if (machine["cpu"], machine["threads"]) != (cpu_features(), threads):
                notes.append(
                    f"not compared with {stored.name}: measured on {machine['cpu']}, {machine['threads']} threads"
                )
            elif ratio := _ratio(judgement.checks[0].name + _over(stored), judgement.checks[0], before):
                figures.append(ratio)
        judgement = replace(judgement, figures=(*judgement.figures, *figures), notes=(*judgement.notes, *notes))
        return replace(outcome, judgement=judgement)


def _known(corpus: Corpus, said: TranscriptSet) -> Known:
    ids = [item.id for item in corpus.utterances]
    return Known(texts=dict(zip(ids, said.texts, strict=True)), languages=dict(zip(ids, said.languages, strict=True)))


def _over(stored: StoredRun) -> str:
    """Return how the name of a ratio of speedups ends."""
    return f" over that of {stored.name}"


def _speedup(stored: StoredRun, candidate: str, baseline: str, name: str) -> Figure | None:
    for judgement in stored.judgements:
        if (judgement.gate, judgement.candidate, judgement.baseline) == ("speedup", candidate, baseline):
            return next((one for one in judgement.reported().figures if one.name == name), None)
    return None


def _ratio(name: str, now: Check, before: Figure) -> Figure | None:
    """Return one ratio over another, each measured by itself: on the logs their half widths add up as errors do."""
    if not (now.value and now.lower and now.upper and before.lower and before.upper):
        return None
    middle = log(now.value / before.value)
    below = hypot(log(now.value / now.lower), log(before.upper / before.value))
    above = hypot(log(now.upper / now.value), log(before.value / before.lower))
    return Figure(name=name, value=exp(middle), lower=exp(middle - below), upper=exp(middle + above))
