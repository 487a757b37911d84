"""The search for the cheapest candidate that keeps a condition.

The cheapest is the one with the fewest bytes on disk. Candidates are built and judged in that order, each by the gate
`gates.limit`, and the first that passes is named. What is hopeless is decoded no further than the accuracy gate needs.

Who looks at many is shown one that was lucky. All k candidates therefore share the error that ``confidence`` allows:
each is judged at 1 − (1 − confidence) / k (Bonferroni), whether the walk gets to it or not. A candidate that does not
keep the condition is then named no oftener than the confidence allows, as far as bounds hold so far out: where whole
clips are lost they hold less (docs/statistics.md). Confirmation on utterances set aside would not depend on that, but
have the bounds of half a corpus, and speed would have to be timed twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from math import ceil

from pytest_whisperq.backends import get_backend
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.conditions import Condition, chances, comparisons
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.gates.forecast import forecast, power_of
from pytest_whisperq.gates.limit import AtConfidence
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.size import nominal_bits
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import BuildError, ConfigError, DecodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate with its bytes on disk and what the gate said of it; or how it broke, without bytes if unbuilt."""

    candidate: Candidate
    size: int | None
    judgement: Judgement | None = None
    broken: str = ""

    @property
    def verdict(self) -> Verdict:
        """That of the gate; what could not be built or run passes nothing."""
        return self.judgement.verdict if self.judgement else Verdict.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to: who was ``tried``, in that order, and who was ``left``, as no cheaper than the winner.

    ``session`` is that of the search; its confidence is that of every candidate.
    """

    session: Session
    condition: Condition
    tried: tuple[Tried, ...]
    left: tuple[Candidate, ...]
    left_out: tuple[str, ...]

    @property
    def winner(self) -> Tried | None:
        """The cheapest that passes, or None."""
        return next((one for one in self.tried if one.verdict is Verdict.PASS), None)


def shared(confidence: float, count: int) -> float:
    """Return the confidence of each of so many candidates that share one error; six digits, rounded up.

    >>> shared(0.95, 12)
    0.995834
    """
    return ceil(round(1e6 * (1 - (1 - confidence) / count), 3)) / 1e6 if count > 1 else confidence


def cheapest_first(
    candidates: Sequence[Candidate], estimate: Callable[[Candidate], float], build: Callable[[Candidate], int | None]
) -> Iterator[tuple[Candidate, int]]:
    """Yield candidates with their bytes, fewest first, and build no more of them than it takes to know that order.

    ``estimate`` returns bytes that a candidate hardly has fewer of, ``build`` those that it has, or None where it
    cannot be built. A best-first search: whatever may be next is built, and comes when no other may be smaller.
    """
    heap: list[tuple[float, int, int | None]] = [
        (estimate(candidate), number, None) for number, candidate in enumerate(candidates)
    ]
    heapify(heap)
    while heap:
        _, number, size = heappop(heap)
        if size is not None:
            yield candidates[number], size
        elif (built := build(candidates[number])) is not None:
            heappush(heap, (built, number, built))


def _unfit(candidate: Candidate) -> str:
    """Return why a candidate cannot win, or ""."""
    is_simulated = candidate.precision in get_backend(candidate.backend).simulated
    return candidate.missing or ("it is simulated, and no runtime has it" if is_simulated else "")


def search(config: GateConfig, condition: Condition, progress: Progress, tell: Callable[[str], object]) -> Found:
    """Walk through the candidates of ``config`` from the cheapest, until one passes.

    ``tell`` is told what is found on the way. Raises `ConfigError` where no candidate is installed, `BuildError` and
    `DecodeError` for a baseline that cannot be run.
    """
    unfit = {one: why for one in config.candidates if (why := _unfit(one))}
    here = tuple(one for one in config.candidates if one not in unfit)
    left_out = (*config.left_out, *(f"{one}: {why}" for one, why in unfit.items()))
    if not here:
        raise ConfigError(f"nothing to search: {'; '.join(left_out)}", where="--backend")
    runner = GateRunner(replace(config, candidates=here, confidence=shared(config.confidence, len(here))), progress)
    session = runner.session
    session.read()
    for line in (*session.shortages, *_forecast(session, here[0], condition)):
        tell(line)
    _hear_baseline(session, condition)
    tried: dict[Candidate, Tried] = {}

    def build(candidate: Candidate) -> int | None:
        try:
            return session.model(candidate).artifact.size
        except BuildError as error:
            tried[candidate] = Tried(candidate=candidate, size=None, broken=str(error))
            tell(f"{candidate}: {error}")
            return None

    for candidate, size in cheapest_first(here, lambda one: _estimate(session, one), build):
        tried[candidate] = one = _try(runner, candidate, size, condition)
        tell(f"{candidate}, {size / 1e6:.1f} MB: {one.broken or one.verdict.value}")
        if one.verdict is Verdict.PASS:
            break
    for repair in session.repairs:
        tell(f"note: {repair}")
    left = tuple(one for one in here if one not in tried)
    return Found(session=session, condition=condition, tried=tuple(tried.values()), left=left, left_out=left_out)


def _forecast(session: Session, candidate: Candidate, condition: Condition) -> list[str]:
    """Return the lines that say which limits on the drop are beyond the corpus, before hours are spent on them."""
    drops = [one.limit for one in comparisons(condition) if one.quantity == "drop"]
    strict = session.once(AtConfidence).shared_among(chances(condition))
    return forecast(power_of(strict, candidate, session.metric), drops) if drops else []


def _hear_baseline(session: Session, condition: Condition) -> None:
    """Build the baseline, and decode with it where that will be needed: what is wrong with it is no candidate's fault.

    Raises `BuildError` or `DecodeError`.
    """
    session.built(session.baseline_spec)
    parts = get_gate("limit").made_of({"condition": str(condition)})
    if any(part.extendable and part.hears_speech for part in parts) and not session.source.is_random:
        session.transcripts(session.baseline_spec)


def _estimate(session: Session, candidate: Candidate) -> float:
    """Return about as many bytes as a candidate has: the baseline's, in the proportion of bits; 0 where no name tells.

    Scales, and what is not quantized, come on top.
    """
    bits, of_baseline = map(nominal_bits, (candidate.precision, session.baseline_spec.precision))
    return session.baseline.artifact.size * (bits or 0.0) / (of_baseline or 32.0)


def _try(runner: GateRunner, candidate: Candidate, size: int, condition: Condition) -> Tried:
    """Judge a candidate. One that cannot be run is a finding, not the end of the search."""
    try:
        judgement = runner.judge("limit", candidate, condition=str(condition)).judgement
    except (BuildError, DecodeError) as error:
        return Tried(candidate=candidate, size=size, broken=str(error))
    return Tried(candidate=candidate, size=size, judgement=judgement)
