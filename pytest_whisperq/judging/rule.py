"""The one rule that turns an interval and a limit into a verdict, and what a gate hands on."""

from dataclasses import dataclass, replace
from math import ceil

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.judging.verdict import Check, Judgement, Verdict
from pytest_whisperq.measuring.intervals import MIN_CLUSTERS, Interval, only_these
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.corpus import Utterance

_MIXED = "MER is the mixed error rate: of words where spaces part them and of characters where none do"

WORST = 5
"""How many utterances a failing gate shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One utterance that speaks against a candidate: how much, and what was said, as labelled lines."""

    utterance: Utterance
    weight: int
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A judgement and the utterances that weighed most against the candidate, worst first.

    ``counted`` says in what they are weighed (words, characters …). They stay out of the judgement, which may be stored
    or sent: these are somebody's words.
    """

    judgement: Judgement
    worst: tuple[Evidence, ...] = ()
    counted: str = ""


def judge(name: str, interval: Interval, limit: float, *, keep: str, unit: str, utterances: int) -> Check:
    """Judge one value: PASS when the bound facing the limit clears it, FAIL when the other one is beyond it.

    ``keep`` is "below" or "above" the limit.
    """
    good, bad = (interval.upper, interval.lower) if keep == "below" else (interval.lower, interval.upper)
    sign = 1 if keep == "below" else -1
    if interval.value is None:
        verdict = Verdict.INCONCLUSIVE
        reason = (
            "undefined: the baseline makes no error (use drop_type='absolute'), or says no word to diverge from"
            if utterances
            else "nothing to measure: the corpus has no speech"
        )
    elif good is not None and sign * good < sign * limit:
        verdict, reason = Verdict.PASS, f"the bound facing the limit is {keep} it"
    elif bad is not None and sign * bad > sign * limit:
        verdict, reason = Verdict.FAIL, f"even the more favourable bound is not {keep} the limit"
    elif good is None or bad is None:
        verdict = Verdict.INCONCLUSIVE
        reason = interval.unbounded or (
            f"{interval.clusters} independent utterances or clusters; at least {MIN_CLUSTERS} are needed for any bound"
            if interval.clusters < MIN_CLUSTERS
            else "no bound: the baseline makes too few errors to compare others with; use drop_type='absolute'"
        )
    else:
        verdict, reason = Verdict.INCONCLUSIVE, _undecided(interval.value, good, limit, sign, utterances)
    return Check(
        name=name,
        value=interval.value,
        limit=limit,
        keep=keep,
        lower=interval.lower,
        upper=interval.upper,
        confidence=interval.confidence,
        unit=unit,
        verdict=verdict,
        reason=reason,
    )


def unless_lost(check: Check, rate: float | None, who: str = "the baseline") -> Check:
    """Return a check that does not pass where what it is compared with gets everything wrong, at an error ``rate``."""
    if check.verdict is not Verdict.PASS or rate is None or rate < 1.0:
        return check
    reason = (
        f"{who} itself gets {rate:.0%} wrong: it does not transcribe this corpus, and keeping up with it proves "
        "nothing; check model and language"
    )
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)


def _undecided(value: float, good: float, limit: float, sign: int, utterances: int) -> str:
    room, width = sign * (limit - value), abs(good - value)
    if room == 0:
        return "the value is exactly the limit, and a bound on that side of it cannot be had; loosen the limit a little"
    if room <= 0:
        return "the value is on the wrong side of the limit, but the bounds do not exclude chance"
    needed = ceil(utterances * (width / room) ** 2)  # the width of an interval shrinks with the root of the sample
    return f"the limit lies within the bounds; up to about {needed} utterances like these would decide"


def overrule(outcome: Outcome, verdict: Verdict, reason: str) -> Outcome:
    """Return an outcome whose checks have another verdict, without any bounds: the corpus was cut short."""
    judgement = outcome.judgement
    checks = tuple(replace(check, lower=None, upper=None, verdict=verdict, reason=reason) for check in judgement.checks)
    details = tuple((name, value) for name, value in judgement.details if not name.endswith("_lower"))
    figures = tuple(replace(figure, lower=None, upper=None) for figure in judgement.figures)
    return replace(outcome, judgement=replace(judgement, checks=checks, details=details, figures=figures, scores=()))


def exactly(value: float) -> Interval:
    """Return the interval of a figure that was counted, not estimated: both bounds are the figure."""
    return Interval(value=value, lower=value, upper=value, confidence=None, clusters=0)


def baseline_name(baseline: ModelSpec, candidate: ModelSpec) -> str:
    """Return what to call the baseline beside this candidate: with its checkpoint, where that is another one."""
    same = baseline.source.identity == candidate.source.identity
    return str(baseline) if same else f"{baseline}@{baseline.source.name}"


def footprint(artifact: Artifact) -> tuple[tuple[str, float], ...]:
    """Return what building a model took and left, as details of a judgement: bytes and seconds."""
    figures = {
        "size": float(artifact.size),
        "build_seconds": artifact.build_seconds,
        "build_memory": None if artifact.build_memory is None else float(artifact.build_memory),
    }
    return tuple((name, value) for name, value in figures.items() if value is not None)


def judgement_of(
    gate: str, baseline: Artifact | None, candidate: Artifact, checks: tuple[Check, ...], compute_type: str = ""
) -> Judgement:
    """Return the judgement of a gate that hears no corpus; ``compute_type`` is "" for one that runs nothing."""
    return Judgement(
        gate=gate,
        candidate=str(candidate.spec),
        baseline=baseline_name(baseline.spec, candidate.spec) if baseline else "",
        checks=checks,
        compute_type=compute_type,
        fell_back=bool(compute_type) and compute_type != candidate.spec.promised,
        operations=candidate.calibration,
        built=candidate.notes,
        details=footprint(candidate),
    )


def judgement_on(
    gate: str,
    texts: PairedTexts,
    checks: tuple[Check, ...],
    details: tuple[tuple[str, float], ...],
    seed: int,
    metric: Metric | None = None,
) -> Judgement:
    """Return the judgement of a gate on what two models say about a corpus; ``metric`` is None for one without.

    How much was said is told in what suits the corpus then.
    """
    unit = metric or choose_metric(texts.corpus)
    name = baseline_name(texts.baseline.spec, texts.candidate.spec)
    words = characters = 0
    for pair in texts.pairs:
        words += len(pair.compared("mer" if unit == "mer" else "wer")[0].split())
        characters += len(pair.compared("cer")[0]) if unit == "cer" else 0
    alone = (only_these(texts.few_clusters),) if texts.few_clusters else ()
    return Judgement(
        gate=gate,
        candidate=str(texts.candidate.spec),
        baseline=f"{name} → {texts.baseline.compute_type}" if texts.baseline.fell_back else name,
        compute_type=texts.candidate.compute_type,
        fell_back=texts.candidate.fell_back,
        operations="; ".join(filter(None, (texts.candidate.operations, texts.candidate.artifact.calibration))),
        corpus=texts.corpus.name,
        normalizer=str(texts.normalizer),
        utterances=len(texts.pairs),
        words=words,
        metric=metric or "",
        characters=characters,
        unit=unit,
        seed=seed,
        checks=tuple(replace(check, reason="; ".join((check.reason, *alone))) for check in checks),
        notes=(*alone, *([_MIXED] if metric == "mer" else [])),
        built=texts.candidate.artifact.notes,
        details=(*details, *footprint(texts.candidate.artifact)),
    )
