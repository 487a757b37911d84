"""``sweep``: which setting of static quantization loses least: calibration samples × SmoothQuant strengths."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_whisperq.commands import (
    add,
    add_options,
    given,
    named,
    progress,
    remark,
    say,
    tell_repairs,
    typed,
    warn_of_memory,
)
from pytest_whisperq.config import values
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.session import silent
from pytest_whisperq.system.errors import ConfigError, QuantizationError

CANDIDATE = "openvino:int8-ptq"

_OPTIONS = named(
    *("model", "baseline", "corpus", "calibration", "max-utterances", "normalizer", "metric", "threads", "cache-dir")
)
_ALPHAS = ((0.5, 0.95), (0.5, 0.5), (0.95, 0.95))


def register(commands: Any) -> None:
    """Add the command."""
    parser = add(commands, "sweep", "build int8-ptq with several calibrations, and print which loses least", _run)
    add_options(parser, _OPTIONS)
    parser.add_argument(
        "--samples",
        metavar="N[,N]",
        type=typed(_counts),
        default=(16, 32, 48),
        help="calibration utterances (16,32,48)",
    )
    parser.add_argument(
        "--smooth-quant",
        metavar="ENCODER,DECODER",
        type=typed(values.two_alphas),
        action="append",
        help="SmoothQuant strengths, again for each pair to try (default: 0.5,0.95 0.5,0.5 and 0.95,0.95)",
    )


def _counts(text: str) -> tuple[int, ...]:
    problem = "whole numbers, 1 or more, such as 16,32"
    count = values.whole(1, problem)
    return tuple(count(part) for part in text.split(","))


def _run(options: argparse.Namespace) -> int:
    trials = []
    for trial in sweep(given(options, _OPTIONS), options.samples, options.smooth_quant or _ALPHAS, progress()):
        trials.append(trial)
        remark(f"tried {trial.setting}")
    report(trials, say)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting and what it lost: the drop in points with its bounds; the candidate's error rate by ``metric``.

    ``notes`` are what its build had to say. No drop where quantization broke the model, and ``broken`` says how.
    """

    samples: int
    alphas: tuple[float, float]
    drop: Check | None
    metric: str
    error_rate: float | None = None
    notes: tuple[str, ...] = ()
    broken: str = ""

    @property
    def lost(self) -> float | None:
        """The drop in points; None where nothing was measured."""
        return self.drop.value if self.drop else None

    @property
    def setting(self) -> str:
        """The options that gate with this setting."""
        encoder, decoder = self.alphas
        return f"--whisperq-calibration-samples={self.samples} --whisperq-smooth-quant={encoder:g},{decoder:g}"


def sweep(
    options: Mapping[str, str | None],
    samples: Sequence[int],
    alphas: Sequence[tuple[float, float]],
    progress: Progress = silent,
) -> Iterator[Trial]:
    """Yield a trial for each pair of settings; models and transcripts come from the cache where they are there.

    ``options`` are those of a gate run (``whisperq_corpus`` …). Raises `ConfigError` when more samples are asked for
    than the calibration set has: two settings would be one. And where none is named for a checkpoint of one's own.
    """
    most = max(samples)
    widest = _runner(options, most, alphas[0], progress).session
    if widest.recordings.needs_own_calibration:
        raise ConfigError(
            "name recordings to calibrate on; a gate sets clips of the corpus aside for a model of your own, "
            "but settings are compared, and then gated, on one calibration set",
            where="--calibration",
        )
    there = len(widest.recordings.calibration_set.utterances)
    if there < most:
        raise ConfigError(
            f"{most} asked for, but the calibration set has {there} utterances",
            where="--samples",
            remedy=f"ask for {there} at most",
        )
    warn_of_memory(widest)
    for count in samples:
        for encoder, decoder in alphas:
            runner = _runner(options, count, (encoder, decoder), progress)
            yield _try(runner, count, (encoder, decoder))
            tell_repairs(runner.session)


def _try(runner: GateRunner, samples: int, alphas: tuple[float, float]) -> Trial:
    """Build and judge one setting. One that breaks the model is a finding, not the end of the sweep."""
    candidate, session = runner.config.candidates[0], runner.session
    try:
        notes = session.model(candidate).artifact.notes
    except QuantizationError as error:
        return Trial(samples=samples, alphas=alphas, drop=None, metric=session.metric, broken=error.what)
    judgement = runner.judge("accuracy", candidate).judgement
    return Trial(
        samples=samples,
        alphas=alphas,
        drop=judgement.checks[0],
        metric=judgement.metric,
        error_rate=judgement.detail(f"candidate_{judgement.metric}"),
        notes=notes,
    )


def _runner(
    options: Mapping[str, str | None], samples: int, alphas: tuple[float, float], progress: Progress
) -> GateRunner:
    chosen = {
        "whisperq_candidate": CANDIDATE,
        "whisperq_calibration_samples": str(samples),
        "whisperq_early_stop": "false",
        "whisperq_smooth_quant": f"{alphas[0]},{alphas[1]}",
    }
    return GateRunner(resolve({**options, **chosen}), progress)


def report(trials: Sequence[Trial], write: Callable[[str], object]) -> None:
    """Write the trials as a table, least loss first, what their builds had to say, and how far to trust the order.

    Raises `ConfigError` where no trial measured a drop.
    """
    ranked = sorted(trials, key=lambda trial: (bool(trial.broken), trial.lost is None, trial.lost))
    write(f"samples  encoder α  decoder α  {ranked[0].metric.upper()}, %  drop, points  bounds")
    for trial in ranked:
        rate = "none" if trial.error_rate is None else f"{100 * trial.error_rate:.2f}"
        measured = (trial.drop.value, trial.drop.lower, trial.drop.upper) if trial.drop else (None, None, None)
        drop, lower, upper = ("none" if value is None else f"{value:+.2f}" for value in measured)
        bounds = "broken" if trial.broken else f"{lower} … {upper}"
        encoder, decoder = trial.alphas
        write(f"{trial.samples:7}  {encoder:9g}  {decoder:9g}  {rate:>6}  {drop:>12}  {bounds}")
    for trial in ranked:
        for note in (*filter(None, [trial.broken]), *trial.notes):
            write(f"{trial.samples} samples, {trial.alphas[0]:g} and {trial.alphas[1]:g}: {note}")
    best = ranked[0]
    if best.drop is None or best.drop.value is None:
        raise ConfigError(f"nothing was measured: {best.drop.reason if best.drop else best.broken}")
    write(f"loses least: {best.setting}")
    level = [trial for trial in ranked[1:] if trial.drop and _overlap(trial.drop, best.drop)]
    if level:
        write(f"{len(level)} of the {len(ranked) - 1} others lie within its bounds: their order may be noise")
    if best.drop.verdict is Verdict.INCONCLUSIVE:
        write(f"gated like this it would be INCONCLUSIVE: {best.drop.reason}")
    write("gate the chosen setting on other recordings than these, or it is judged by what it was chosen for")


def _overlap(one: Check, other: Check) -> bool:
    if one.value is None or other.upper is None or other.lower is None:
        return True
    return other.lower <= one.value <= other.upper
