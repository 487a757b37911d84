"""Which blocks of a quantized model are to blame for what it loses, and whether the model passes without them.

All of it is measured on the calibration set, so that the corpus a model is gated on is not what it was repaired by. Two
models are listened to for each block: one in which it alone is quantized, and one in which it alone is left in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pytest_whisperq.backends import Mixed, MixesBlocks, Noise, get_backend
from pytest_whisperq.backends.giving_back import following
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.baselines import unquantized
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.measuring.accuracy import drop_between
from pytest_whisperq.measuring.intervals import Interval
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import ConfigError, WhisperqError


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """What one block does: the noise that it adds, and the drop in points when only it is quantized, or only it not."""

    block: str
    noise: Noise
    alone: Interval
    spared: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; a ratio without a number is None."""
        return {
            "block": self.block,
            "sqnr": _finite(self.noise.block),
            "scores_sqnr": _finite(self.noise.scores),
            "layer": self.noise.layer,
            "layer_sqnr": _finite(self.noise.layer_alone),
            "alone": _bounds(self.alone),
            "spared": _bounds(self.spared),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The blocks of a candidate, the most damaged first.

    ``whole`` is its drop on ``clips`` of the calibration set ``corpus``; ``ignored`` are the blocks that would repair
    it, ``repaired`` its drop with them in float32, and ``judgement`` what the accuracy gate says of such a build on the
    corpus of the run. ``note`` says why nothing is to be repaired, or why nothing could be.
    """

    candidate: str
    corpus: str
    clips: int
    whole: Interval
    blames: tuple[Blame, ...]
    ignored: tuple[str, ...] = ()
    repaired: Interval | None = None
    judgement: Judgement | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "candidate": self.candidate,
            "corpus": self.corpus,
            "clips": self.clips,
            "drop": _bounds(self.whole),
            "blocks": [blame.to_dict() for blame in self.blames],
            "ignored": list(self.ignored),
            "repaired": _bounds(self.repaired) if self.repaired else None,
            "judgement": self.judgement.to_dict() if self.judgement else None,
            "note": self.note,
        }


class Diagnoses:
    """The diagnoses of a run, see `Session.once`."""

    def __init__(self, _: Session) -> None:
        self.made: list[Diagnosis] = []


def diagnose(runner: GateRunner, candidate: Candidate, *, passed: bool) -> Diagnosis:
    """Return what is wrong with a candidate; ``passed`` says whether its gates did, so that it need not be repaired.

    Raises `ConfigError` where its blocks cannot be told apart, and what building and decoding raise.
    """
    session = runner.session
    spec, backend = session.spec(candidate), get_backend(candidate.backend)
    if not isinstance(backend, MixesBlocks):
        raise ConfigError(f"{candidate} has no blocks to tell apart", where="--whisperq-diagnose")
    original, quantized = (session.store.intact(one) for one in (unquantized(spec, "diagnosis"), spec))
    chosen, clips = session.recordings.calibration_set, session.recordings.calibration.clips()
    mixed = backend.mix(original.directory, quantized.directory, clips, session.config.threads)
    session.decoder.settle(mixed)
    session.progress(f"{candidate}: the noise of each block", 0, 0)
    noises = mixed.noise()
    before = [said.text for said in mixed.transcribe(())]

    def lost(blocks: Collection[str]) -> Interval:
        after = [said.text for said in mixed.transcribe(blocks)]
        return drop_between(
            chosen.utterances,
            before,
            after,
            normalizer=session.normalizer,
            metric=session.metric,
            confidence=session.config.confidence,
        )

    blames = rank(noises, lost, lambda done: session.progress(f"{candidate}: blocks heard", done, len(noises)))
    found = Diagnosis(
        candidate=str(candidate), corpus=chosen.name, clips=len(clips), whole=lost(tuple(noises)), blames=blames
    )
    return _verified(runner, candidate, repair(found, mixed, lost, session.config.max_drop, passed=passed))


def rank(
    noises: Mapping[str, Noise],
    lost: Callable[[Collection[str]], Interval],
    progress: Callable[[int], object],
) -> tuple[Blame, ...]:
    """Return the blocks by their noise in the scores of tokens, the most first, with what is ``lost`` by them."""
    blames = []
    # The last first: what a decoder loses is heard behind the two encoders that a mixture keeps.
    for number, (block, noise) in enumerate(reversed(list(noises.items())), 1):
        others = tuple(name for name in noises if name != block)
        blames.append(Blame(block=block, noise=noise, alone=lost((block,)), spared=lost(others)))
        progress(number)
    return tuple(sorted(blames, key=lambda one: -math.inf if math.isnan(one.noise.scores) else one.noise.scores))


def repair(
    found: Diagnosis,
    mixed: Mixed,
    lost: Callable[[Collection[str]], Interval],
    limit: float,
    *,
    passed: bool,
) -> Diagnosis:
    """Return the diagnosis with the fewest of the most damaged blocks without which no more than ``limit`` is lost.

    In points, on the calibration set: the value and not a bound, for the set is small and the gate comes after.
    ``mixed`` says what blocks there are, and of which its precision would not be what executes any more.
    """
    names = [blame.block for blame in found.blames]
    if passed and _within(found.whole, limit):
        return replace(found, note=f"nothing to repair: it loses no more than {limit:g} points")
    given = [name for name in mixed.blocks if name not in names]  # in float32 as it is
    back: list[str] = []
    while block := following(names, {*given, *back}, mixed.executes):
        back.append(block)
        left = lost(tuple(name for name in names if name not in back))
        if _within(left, limit):
            return replace(found, ignored=tuple(back), repaired=left)
    tried = f" with {', '.join(back)} in float32" if back else ""
    return replace(
        found,
        note=f"no repair: it still loses more than {limit:g} points{tried}, and most of it would not be quantized with "
        "more; gate another precision",
    )


def _verified(runner: GateRunner, candidate: Candidate, found: Diagnosis) -> Diagnosis:
    """Return the diagnosis with the second gate: of a build with those blocks in float32, on the run's corpus."""
    if not found.ignored:
        return found
    repaired = replace(candidate, ignored=(*candidate.ignored, *found.ignored))
    try:
        return replace(found, judgement=runner.judge("accuracy", repaired).judgement)
    except WhisperqError as error:  # what was found stays
        return replace(found, note=f"the repair --whisperq-ignored-blocks={','.join(repaired.ignored)} failed: {error}")


def passed(judgements: Sequence[Judgement], candidate: Candidate) -> bool:
    """Whether all that the accuracy gates demanded of a candidate is met; so it is where none demanded anything."""
    verdicts = [one.verdict for one in judgements if one.candidate == str(candidate) and one.checks]
    return all(verdict is Verdict.PASS for verdict in verdicts)


def _within(interval: Interval, limit: float) -> bool:
    return interval.value is not None and interval.value <= limit


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {key: value for key, value in asdict(interval).items() if key in ("value", "lower", "upper")}


def _finite(ratio: float | None) -> float | None:
    return ratio if ratio is not None and math.isfinite(ratio) else None
