"""The speed gate of a run: what is timed against what, and the figures that stand beside the verdict."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles

from pytest_whisperq import gates
from pytest_whisperq.backends import get_backend
from pytest_whisperq.config.candidates import Candidate, explicit_candidate
from pytest_whisperq.judging.verdict import Figure, Verdict
from pytest_whisperq.measuring.contention import ProcessorState, unseen
from pytest_whisperq.measuring.stopwatch import FIRST, STAGES, Said, Stage, Stopwatch
from pytest_whisperq.measuring.timing import Timing
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Workbench
from pytest_whisperq.system.errors import ConfigError, WhisperqError
from pytest_whisperq.system.machine import cpu_features

ENOUGH = 20
"""Rounds without which nobody can say what one run in twenty exceeds."""


class SpeedGate:
    """Judges speedups; every gate of a run shares what was timed."""

    def __init__(self, run: Workbench) -> None:
        self._run = run
        self._watch = Stopwatch(run.decoder, run.corpus, run.config)

    def judge(self, candidate: Candidate, *, min_ratio: float, stage: Stage, baseline: str | None) -> gates.Outcome:
        """Judge one stage; what the other stages, and another baseline, say is reported.

        ``baseline``: ``BACKEND:PRECISION``; None for the same backend at float32, which shows what the precision gave.
        """
        run, watch, spec = self._run, self._watch, self._run.spec(candidate)
        base = self._baseline(spec, baseline)
        budget = run.config.timing_budget

        def is_clear(timing: Timing) -> bool:
            return gates.speed_check(stage, timing, min_ratio, budget).verdict is not Verdict.INCONCLUSIVE

        own = watch.time(base, spec, stage, is_clear=is_clear)
        found: dict[str, Timing] = {name: own if name == stage else watch.time(base, spec, name) for name in STAGES}
        figures = [
            figure
            for name, timing in found.items()
            if name != stage
            for figure in gates.speed_figure(f"{name} speedup", timing)
        ]
        figures += self._latencies(base, spec, found)
        threads = run.config.threads
        said = [len(one.tokens) for one in watch.said(base)], watch.counts(spec, base)
        notes = [
            f"{threads} thread{'s' if threads > 1 else ''} each on {cpu_features()}, one clip at a time",
            f"tokens said about the {len(said[0])} clips: {sum(said[0])} → {sum(said[1])}",
        ]
        if hidden := unseen(ProcessorState.read()):
            notes.append(f"disturbances this system does not tell of: {', '.join(hidden)}")
        if doubt := gates.implausible(found):
            notes.append(doubt)
        if (other := self._other(base, spec)) is not None:
            name = gates.baseline_name(other, spec)
            try:
                figures += gates.speed_figure(f"{stage} speedup over {name}", watch.time(other, spec, stage))
            except WhisperqError as error:  # the verdict does not depend on it
                notes.append(f"not timed against {name}: {error}")
        return gates.judge_speedup(
            (run.store.get(base), run.store.get(spec)),
            (watch.load(base).compute_type, watch.load(spec).compute_type),
            stage,
            own,
            min_ratio=min_ratio,
            budget=budget,
            figures=figures,
            notes=notes,
            seed=run.config.seed,
        )

    def _baseline(self, spec: ModelSpec, named: str | None) -> ModelSpec:
        """Return what a candidate is timed against; the run's baseline where its backend has no other float32."""
        if named is not None:
            chosen = explicit_candidate(named, "whisperq_speedup: baseline")
            source = self._run.baseline_source if chosen == self._run.config.baseline else spec.source
            found = ModelSpec(backend=chosen.backend, precision=chosen.precision, source=source)
        else:
            found = self._at_float32(spec) or self._run.baseline_spec
        if found == spec:
            raise ConfigError(
                f"whisperq_speedup: {spec} would be timed against itself; "
                "name another model with baseline='BACKEND:PRECISION'"
            )
        return found

    def _other(self, base: ModelSpec, spec: ModelSpec) -> ModelSpec | None:
        """Return the baseline that was not chosen: what quantization gave, or what the whole move gave."""
        both = (self._at_float32(spec), self._run.baseline_spec)
        return next((one for one in both if one is not None and one not in (base, spec)), None)

    @staticmethod
    def _at_float32(spec: ModelSpec) -> ModelSpec | None:
        if "float32" not in get_backend(spec.backend).precisions or spec.precision == "float32":
            return None
        return ModelSpec(backend=spec.backend, precision="float32", source=spec.source)

    def _latencies(self, base: ModelSpec, spec: ModelSpec, found: Mapping[str, Timing]) -> list[Figure]:
        """Return times that hold on this machine only: for people to read, nothing is ever compared with them."""
        watch, said, rows = self._watch, self._watch.said(base), list[tuple[str, float, float]]()

        def add(name: str, stage: Timing, of: Callable[[Sequence[float], Sequence[Said]], float]) -> None:
            if stage.rounds:
                clips = [said[one.clip] for one in stage.rounds]
                before, after = [one.before for one in stage.rounds], [one.after for one in stage.rounds]
                rows.append((name, of(before, clips), of(after, clips)))

        add("encoder, ms a window", found["encoder"], lambda times, _: 1e3 * median(times))
        add(
            "decoder, ms a token",
            found["decoder"],
            lambda times, clips: 1e3 * sum(times) / sum(len(one.tokens) for one in clips),
        )
        pipeline = found["pipeline"]
        add("RTFx", pipeline, lambda times, clips: sum(one.seconds for one in clips) / sum(times))
        add("latency p50, ms", pipeline, lambda times, _: 1e3 * median(times))
        if len(pipeline.rounds) >= ENOUGH:
            add("latency p95, ms", pipeline, lambda times, _: 1e3 * quantiles(times, n=20, method="inclusive")[-1])
        add("time to first token, ms", watch.time(base, spec, FIRST), lambda times, _: 1e3 * median(times))
        rows.append(("load, s", watch.load(base).seconds, watch.load(spec).seconds))
        return [Figure(name=name, value=own, baseline=other) for name, other, own in rows]
