"""Try settings of static quantization and say which loses least: calibration samples × SmoothQuant strengths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.session import silent
from pytest_whisperq.system.errors import ConfigError

CANDIDATE = "openvino:int8-ptq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting and what it lost: the drop in points with its bounds; the candidate's error rate by ``metric``."""

    samples: int
    alphas: tuple[float, float]
    drop: Check
    metric: str
    error_rate: float | None

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
    if widest.needs_own_calibration:
        raise ConfigError(
            "name recordings to calibrate on; a gate sets clips of the corpus aside for a model of your own, "
            "but settings are compared, and then gated, on one calibration set",
            where="--calibration",
        )
    there = len(widest.calibration_set.utterances)
    if there < most:
        raise ConfigError(
            f"{most} asked for, but the calibration set has {there} utterances",
            where="--samples",
            remedy=f"ask for {there} at most",
        )
    for count in samples:
        for encoder, decoder in alphas:
            runner = _runner(options, count, (encoder, decoder), progress)
            judgement = runner.judge("accuracy", runner.config.candidates[0]).judgement
            yield Trial(
                samples=count,
                alphas=(encoder, decoder),
                drop=judgement.checks[0],
                metric=judgement.metric,
                error_rate=judgement.detail(f"candidate_{judgement.metric}"),
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
    """Write the trials as a table, least loss first, and how far to trust the order."""
    ranked = sorted(trials, key=lambda trial: (trial.drop.value is None, trial.drop.value))
    write(f"samples  encoder α  decoder α  {ranked[0].metric.upper()}, %  drop, points  bounds")
    for trial in ranked:
        encoder, decoder = trial.alphas
        rate = "none" if trial.error_rate is None else f"{100 * trial.error_rate:.2f}"
        drop, lower, upper = (
            "none" if value is None else f"{value:+.2f}"
            for value in (trial.drop.value, trial.drop.lower, trial.drop.upper)
        )
        write(f"{trial.samples:7}  {encoder:9g}  {decoder:9g}  {rate:>6}  {drop:>12}  {lower} … {upper}")
    best = ranked[0]
    if best.drop.value is None:
        raise ConfigError(f"nothing was measured: {best.drop.reason}")
    write(f"loses least: {best.setting}")
    level = [trial for trial in ranked[1:] if _overlap(trial.drop, best.drop)]
    if level:
        write(f"{len(level)} of the {len(ranked) - 1} others lie within its bounds: their order may be noise")
    if best.drop.verdict is Verdict.INCONCLUSIVE:
        write(f"gated like this it would be INCONCLUSIVE: {best.drop.reason}")
    write("gate the chosen setting on other recordings than these, or it is judged by what it was chosen for")


def _overlap(one: Check, other: Check) -> bool:
    if one.value is None or other.upper is None or other.lower is None:
        return True
    return other.lower <= one.value <= other.upper
