"""The whole product without pytest: options in, judgements out."""

from dataclasses import dataclass

from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.runner import GateRun
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.session import silent


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
    run = GateRun(config, progress)
    for candidate in config.candidates:
        run.early.declare(candidate)
    return Report(
        judgements=tuple(
            outcome.judgement
            for candidate in config.candidates
            if not candidate.missing
            for outcome in (run.parity(candidate), run.accuracy(candidate))
        ),
        left_out=(*config.left_out, *(f"{c}: {c.missing}" for c in config.candidates if c.missing)),
    )
