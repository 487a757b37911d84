"""The gates on what a model costs: bytes on disk, memory and time; and on whether it repeats itself."""

import re
from functools import cached_property

from pytest_whisperq import gates
from pytest_whisperq.backends import Clip
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.saved_runs import History
from pytest_whisperq.gates.speed_gate import SpeedGate
from pytest_whisperq.measuring.memory import MemoryMeasurement, measure_memory
from pytest_whisperq.measuring.stopwatch import Stage
from pytest_whisperq.session import Model, Workbench
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import subset

DETERMINISM_CLIPS = 32
"""Clips that the determinism gate decodes again and again."""

MEMORY_RUNS = 3
"""Fresh processes whose peaks the memory gate compares, for each of the two models."""

SHORT_SIZE, DEFAULT_SIZE = 0.5, 1.1
"""Share of the baseline's bytes that a precision of 8 bits or fewer, or any other, may take if nothing else is said."""

DEFAULT_SPEEDUP = 1.0
"""What a candidate has to be faster than by more than chance, where nothing else is said."""


def is_short(precision: str) -> bool:
    """Whether a precision stores weights in 8 bits or fewer, by the number in its name: ``int8-ptq``, ``nf4``."""
    bits = re.search(r"\d+", precision)
    return bits is not None and int(bits[0]) <= 8


class CostGates(Workbench):
    """One run and the gates that hear no corpus, or only a few clips of it."""

    def size(self, candidate: Candidate, *, max_ratio: float | None = None) -> gates.Outcome:
        """Judge the bytes on disk against the baseline's."""
        default = SHORT_SIZE if is_short(candidate.precision) else DEFAULT_SIZE
        limit = next((one for one in (max_ratio, self.config.max_size_ratio) if one is not None), default)
        return gates.judge_size(self.baseline.artifact, self.model(candidate).artifact, max_ratio=limit)

    def memory(self, candidate: Candidate, *, max_ratio: float | None = None) -> gates.Outcome:
        """Judge the peak memory of loading and decoding one batch, in fresh processes, against the baseline's."""
        return gates.judge_memory(
            self.baseline.artifact,
            self.model(candidate).artifact,
            (self._peaks(self.baseline), self._peaks(self.model(candidate))),
            max_ratio=self.config.max_memory_ratio if max_ratio is None else max_ratio,
        )

    @cached_property
    def history(self) -> History:
        """The saved runs that this one is compared with."""
        return History(self)

    @cached_property
    def _speed(self) -> SpeedGate:
        return SpeedGate(self)

    def speedup(
        self,
        candidate: Candidate,
        *,
        min_ratio: float | None = None,
        stage: Stage = "pipeline",
        baseline: str | None = None,
    ) -> gates.Outcome:
        """Judge how many times as fast as its baseline a candidate is, in one stage or in all of them together."""
        limit = next((one for one in (min_ratio, self.config.min_speedup) if one is not None), DEFAULT_SPEEDUP)
        return self.history.speed(self._speed.judge(candidate, min_ratio=limit, stage=stage, baseline=baseline))

    def _peaks(self, model: Model) -> MemoryMeasurement:
        if model.spec not in self._memory:
            chosen = subset(self.corpus, self.config.decode_batch, self.config.seed).utterances
            clips = [Clip(samples=audio.load(item.audio), language=item.language) for item in chosen]
            self._progress(f"{model.spec} runs {MEMORY_RUNS} times in a process of its own", 0, 0)
            artifact = self.store.intact(model.spec)
            found = measure_memory(artifact, clips, self.config.threads, MEMORY_RUNS)
            self.decoder.attest(model.spec, found.compute_type)
            self._memory[model.spec] = found
        return self._memory[model.spec]

    def determinism(self, candidate: Candidate, *, repeats: int = 3) -> gates.Outcome:
        """Judge whether decoding the same clips again gives the same tokens; nothing is taken from the cache."""
        corpus = subset(self.corpus, DETERMINISM_CLIPS, self.config.seed)
        spec = self.spec(candidate)
        compute_type, runs = self.decoder.anew(spec, corpus, repeats)
        return gates.judge_determinism(
            self.store.get(spec),
            compute_type,
            corpus,
            runs,
            seed=self.config.seed,
        )
