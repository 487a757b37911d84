"""Two stored runs compared: what changed, by how much, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_whisperq.history.document import BASELINE, CANDIDATE, StoredRun, rescored
from pytest_whisperq.history.provenance import causes, provenance_of
from pytest_whisperq.judging.verdict import Figure
from pytest_whisperq.measuring.change import Change, measure_change, moved
from pytest_whisperq.measuring.intervals import Interval, only_these
from pytest_whisperq.system.errors import ConfigError

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateChange:
    """What became of one candidate. ``rates`` are error rates in per cent: (then, now) of baseline and candidate."""

    old: str
    new: str
    baselines: tuple[str, str]
    rates: tuple[tuple[float, float], tuple[float, float]]
    change: Change
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs compared. ``refused`` says why accuracy was not; then there are no candidates.

    ``left_out`` names candidates of either run that were not compared, and why.
    """

    old: str
    new: str
    refused: str
    provenance: tuple[str, ...]
    candidates: tuple[CandidateChange, ...]
    left_out: tuple[str, ...]
    speed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def compare(
    old: StoredRun, new: StoredRun, *, pairs: Mapping[str, str] | None = None, confidence: float = 0.95
) -> Comparison:
    """Compare two runs over the same corpus. ``pairs`` maps candidates of the new run to those of the old one.

    Without ``pairs`` candidates are paired by name; a single one on each side is paired whatever it is called. Raises
    `ConfigError` for a pair that there is not. Where the normalizer changed, both are counted under that of the old
    run, if this installation has it and the new run is not redacted.
    """
    restored = old.own_normalizer if old.normalizer != new.normalizer and not new.document["redacted"] else None
    scored = [f"normalizer: {old.normalizer}, now {new.normalizer}; both runs are counted under the former"]
    new = rescored(new, restored) if restored else new
    refused = difference(old, new)
    for run in (old, new):
        if not refused and not run.models(BASELINE):
            refused = f"the baseline of {run.name} did not hear the corpus; save a run with an accuracy gate"
    together = [] if refused else _paired(old, new, pairs)
    if not refused and not together:
        refused = (
            f"no candidate is in both runs: {old.name} has {_listed(old)}, {new.name} has {_listed(new)}; say which "
            "belong together with --pair NEW=OLD"
        )
    provenance = (*provenance_of(old.document, new.document), *(scored if restored else ()))
    candidates = [_changed(old, new, *names, confidence) for names in together]
    speed = tuple(_speed(old, new))
    return Comparison(
        old=old.name,
        new=new.name,
        refused=refused,
        provenance=provenance,
        candidates=tuple(candidates),
        left_out=() if refused else tuple(_left_out(old, new, together)),
        speed=speed,
    )


def difference(old: StoredRun, new: StoredRun) -> str:
    """Say why the counts of two runs are not about the same thing; "" if they are."""
    if old.normalizer != new.normalizer:
        return f"the normalizer changed: {old.normalizer}, now {new.normalizer}"
    if old.metric != new.metric:
        return f"what is counted changed: {old.metric}, now {new.metric}"
    if old.device != new.device:
        return f"the device changed: {old.device}, now {new.device}"
    before, after = old.utterances, new.utterances
    added, gone = after.keys() - before.keys(), before.keys() - after.keys()
    edited = {key for key in before.keys() & after.keys() if before[key].annotation != after[key].annotation}
    parts = [
        f"{len(keys)} {what} ({_few(run[key].id for key in keys)})"
        for keys, what, run in (
            (added, "recordings added", after),
            (gone, "recordings gone", before),
            (edited, "rows with another transcript, language or cluster", after),
        )
        if keys
    ]
    if not parts and old.document["corpus"]["digest"] == new.document["corpus"]["digest"]:
        return ""
    return f"the corpus changed: {'; '.join(parts) or 'recordings in which nobody speaks'}"


def _listed(run: StoredRun) -> str:
    return ", ".join(run.models(CANDIDATE)) or "none"


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more


def _paired(old: StoredRun, new: StoredRun, pairs: Mapping[str, str] | None) -> list[tuple[str, str]]:
    before, after = old.models(CANDIDATE), new.models(CANDIDATE)
    if pairs:
        for run, names, known in ((new, pairs.keys(), after), (old, pairs.values(), before)):
            for name in names:
                if name not in known:
                    raise ConfigError(f"has no candidate {name!r}", where=run.name, remedy=f"it has {_listed(run)}")
        return [(then, now) for now, then in pairs.items()]
    both = [(name, name) for name in after if name in before]
    if not both and len(old.named(CANDIDATE)) == len(new.named(CANDIDATE)) == len(before) == len(after) == 1:
        both = [(before[0], after[0])]
    return both


def _left_out(old: StoredRun, new: StoredRun, together: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Name every candidate of either run that has no partner: what is not compared has not kept up."""
    for run, side in ((old, 0), (new, 1)):
        for name in run.named(CANDIDATE):
            if name in {pair[side] for pair in together}:
                continue
            whole = name in run.models(CANDIDATE)
            why = "has no partner in the other run" if whole else "was stopped before it had heard the whole corpus"
            yield f"not compared: {name} of {run.name} {why}"


def _changed(old: StoredRun, new: StoredRun, then: str, now: str, confidence: float) -> CandidateChange:
    import numpy as np

    baselines = (old.models(BASELINE)[0], new.models(BASELINE)[0])
    keys = list(new.utterances)
    lengths = [new.utterances[key].length for key in keys]
    tables = [
        np.array([[run.utterances[key].errors[name] for name in names] for key in keys], np.float64)
        for run, names in ((old, (baselines[0], then)), (new, (baselines[1], now)))
    ]
    clusters, few = new.judged_by
    change = measure_change(tables[0], tables[1], lengths, clusters, confidence=confidence)
    rates = 100 * np.stack([table.sum(axis=0) for table in tables]) / max(sum(lengths), 1)
    reasons = causes(old.document, new.document, baselines), causes(old.document, new.document, (then, now))
    return CandidateChange(
        old=then,
        new=now,
        baselines=baselines,
        rates=((float(rates[0, 0]), float(rates[1, 0])), (float(rates[0, 1]), float(rates[1, 1]))),
        change=change,
        words=(*_in_words(change, reasons), *([f"It is {only_these(few)}."] if few else [])),
    )


def _in_words(change: Change, reasons: tuple[list[str], list[str]]) -> list[str]:
    verbs = {1: "got worse", -1: "got better"}
    nothing = "Nothing on record changed there."
    changed = [f"What changed there: {'; '.join(listed)}." if listed else nothing for listed in reasons]
    base, quantized = moved(change.base), moved(change.quantized)
    lines = []
    if base:
        lines.append(f"The baseline {verbs[base]} by {_points(change.base)}: base model or library. {changed[0]}")
    if quantized:
        by = f"{verbs[quantized]} by {_points(change.quantized)} against its baseline"
        lines.append(f"Beyond that the candidate {by}: quantization, or the runtime it runs in. {changed[1]}")
        if not moved(change.total):
            lines.append(f"By itself it did not change beyond chance: {_points(change.total)}.")
    if not lines:
        both = f"baseline {_points(change.base)}, candidate beyond it {_points(change.quantized)}"
        lines.append(f"No change beyond chance: {both}.")
    return lines


def _points(interval: Interval) -> str:
    if interval.value is None or interval.lower is None or interval.upper is None:
        return "nobody can say how much"
    return f"{interval.value:+.2f} points ({interval.lower:+.2f} … {interval.upper:+.2f})"


def _speed(old: StoredRun, new: StoredRun) -> list[str]:
    """Return speedups then and now; ratios only, and none between different processors."""
    before, after = _speedups(old), _speedups(new)
    shared = [key for key in after if key in before]
    if not shared:
        return []
    if old.timed_on != new.timed_on:
        return ["speedups were measured on another processor or GPU, or with other threads: not compared"]
    return [
        f"{candidate}, {name}: {_times(before[candidate, name])}, now {_times(after[candidate, name])}"
        + _other_checkpoint(old, new, candidate)
        for candidate, name in shared
    ]


def _other_checkpoint(old: StoredRun, new: StoredRun, candidate: str) -> str:
    return "" if old.checkpoint(candidate) == new.checkpoint(candidate) else ", of another checkpoint"


def _speedups(run: StoredRun) -> dict[tuple[str, str], Figure]:
    """Return every speedup of a run by candidate and by stage with its baseline."""
    return {
        (judgement.candidate, f"{figure.name} over {judgement.baseline}"): figure
        for judgement in run.judgements
        if judgement.gate == "speedup"
        for figure in judgement.reported().figures
        if figure.name.endswith(" speedup")
    }


def _times(figure: Figure) -> str:
    bounded = figure.lower is not None and figure.upper is not None
    return f"{figure.value:.2f} ({figure.lower:.2f} … {figure.upper:.2f})" if bounded else f"{figure.value:.2f}"
