"""Two stored runs held against each other: what changed, by how much, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_whisperq.errors import ConfigError
from pytest_whisperq.measure.change import Change, measure_change, moved
from pytest_whisperq.measure.intervals import Interval
from pytest_whisperq.report.document import BASELINE, CANDIDATE, StoredRun
from pytest_whisperq.verdict import Figure

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
    """Two runs compared. ``refused`` says why accuracy was not; then there are no candidates."""

    old: str
    new: str
    refused: str
    provenance: tuple[str, ...]
    candidates: tuple[CandidateChange, ...]
    speed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def compare(
    old: StoredRun, new: StoredRun, *, pairs: Mapping[str, str] | None = None, confidence: float = 0.95
) -> Comparison:
    """Compare two runs over the same corpus. ``pairs`` maps candidates of the new run to those of the old one.

    Without ``pairs`` candidates are paired by name; a single one on each side is paired whatever it is called. Raises
    `ConfigError` where no candidate can be paired.
    """
    refused = difference(old, new)
    provenance = tuple(_provenance(old.document, new.document))
    candidates = [] if refused else [_changed(old, new, *names, confidence) for names in _paired(old, new, pairs)]
    speed = tuple(_speed(old, new))
    return Comparison(
        old=old.name,
        new=new.name,
        refused=refused,
        provenance=provenance,
        candidates=tuple(candidates),
        speed=speed,
    )


def difference(old: StoredRun, new: StoredRun) -> str:
    """Say why the counts of two runs are not about the same thing; "" if they are."""
    if old.normalizer != new.normalizer:
        return f"the normalizer changed: {old.normalizer}, now {new.normalizer}"
    if old.metric != new.metric:
        return f"what is counted changed: {old.metric}, now {new.metric}"
    if old.document["corpus"]["digest"] == new.document["corpus"]["digest"]:
        return ""
    before, after = old.heard, new.heard
    added, gone = after.keys() - before.keys(), before.keys() - after.keys()
    edited = {key for key in before.keys() & after.keys() if before[key].said != after[key].said}
    parts = [
        f"{len(keys)} {what} ({_few(run[key].id for key in keys)})"
        for keys, what, run in (
            (added, "recordings added", after),
            (gone, "recordings gone", before),
            (edited, "rows with another transcript, language or cluster", after),
        )
        if keys
    ]
    return f"the corpus changed: {'; '.join(parts) or 'recordings in which nobody speaks'}"


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more


def _paired(old: StoredRun, new: StoredRun, pairs: Mapping[str, str] | None) -> list[tuple[str, str]]:
    for run in (old, new):
        if not run.models(BASELINE):
            raise ConfigError(f"{run.name}: its baseline did not hear the corpus; save a run with an accuracy gate")
    before, after = old.models(CANDIDATE), new.models(CANDIDATE)
    if pairs:
        for run, names, known in ((new, pairs.keys(), after), (old, pairs.values(), before)):
            for name in names:
                if name not in known:
                    raise ConfigError(f"{run.name}: has no candidate {name!r}; it has {', '.join(known) or 'none'}")
        return [(then, now) for now, then in pairs.items()]
    both = [(name, name) for name in after if name in before]
    if not both and len(before) == len(after) == 1:
        both = [(before[0], after[0])]
    if not both:
        raise ConfigError(
            f"no candidate is in both runs: {old.name} has {', '.join(before) or 'none'}, {new.name} has "
            f"{', '.join(after) or 'none'}; say which belong together with --pair NEW=OLD"
        )
    return both


def _changed(old: StoredRun, new: StoredRun, then: str, now: str, confidence: float) -> CandidateChange:
    import numpy as np

    baselines = (old.models(BASELINE)[0], new.models(BASELINE)[0])
    keys = list(new.heard)
    lengths = [new.heard[key].length for key in keys]
    tables = [
        np.array([[run.heard[key].errors[name] for name in names] for key in keys], np.float64)
        for run, names in ((old, (baselines[0], then)), (new, (baselines[1], now)))
    ]
    change = measure_change(
        tables[0], tables[1], lengths, [new.heard[key].cluster for key in keys], confidence=confidence
    )
    rates = 100 * np.stack([table.sum(axis=0) for table in tables]) / max(sum(lengths), 1)
    causes = _causes(old.document, new.document, baselines), _causes(old.document, new.document, (then, now))
    return CandidateChange(
        old=then,
        new=now,
        baselines=baselines,
        rates=((float(rates[0, 0]), float(rates[1, 0])), (float(rates[0, 1]), float(rates[1, 1]))),
        change=change,
        words=tuple(_in_words(change, causes)),
    )


def _in_words(change: Change, causes: tuple[list[str], list[str]]) -> list[str]:
    verbs = {1: "got worse", -1: "got better"}
    nothing = "Nothing on record changed there."
    changed = [f"What changed there: {'; '.join(found)}." if found else nothing for found in causes]
    base, quantized = moved(change.base), moved(change.quantized)
    lines = []
    if base:
        lines.append(f"The baseline {verbs[base]} by {_points(change.base)}: base model or library. {changed[0]}")
    if quantized:
        by = _points(change.quantized)
        lines.append(f"Beyond that the candidate {verbs[quantized]} by {by}: quantization. {changed[1]}")
    if not lines:
        both = f"baseline {_points(change.base)}, candidate beyond it {_points(change.quantized)}"
        lines.append(f"No change beyond chance: {both}.")
    return lines


def _points(interval: Interval) -> str:
    if interval.value is None or interval.lower is None or interval.upper is None:
        return "nobody can say how much"
    return f"{interval.value:+.2f} points ({interval.lower:+.2f} … {interval.upper:+.2f})"


def _causes(old: Mapping[str, Any], new: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    """Return what is on record as different about a model: checkpoint, recipe, what executes, library versions."""
    before, after = old["models"][names[0]], new["models"][names[1]]
    found = [
        f"{label} {before[key] or 'unknown'} → {after[key] or 'unknown'}"
        for key, label in (("source", "model"), ("calibration", "calibration"), ("compute_type", "executes"))
        if before[key] != after[key]
    ]
    if names[0] != names[1]:
        found.insert(0, f"{names[0]} → {names[1]}")
    if before["source"] == after["source"] and before["source_identity"] != after["source_identity"]:
        found.append(f"another checkpoint under the name {after['source']}")
    return found + _moved_versions(before["versions"], after["versions"])


def _provenance(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = old["environment"], new["environment"]
    found = [
        f"{label}: {before[key]} → {after[key]}"
        for key, label in (("python", "Python"), ("platform", "system"), ("cpu", "processor"), ("threads", "threads"))
        if before[key] != after[key]
    ]
    return found + _moved_versions(before["versions"], after["versions"])


def _moved_versions(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    pairs = [(name, before.get(name, "absent"), after.get(name, "absent")) for name in names]
    return [f"{name} {old} → {new}" for name, old, new in pairs if old != new]


def _speed(old: StoredRun, new: StoredRun) -> list[str]:
    """Return speedups then and now; ratios only, and none between different processors."""
    before, after = _speedups(old), _speedups(new)
    shared = [key for key in after if key in before]
    if not shared:
        return []
    same = all(old.document["environment"][key] == new.document["environment"][key] for key in ("cpu", "threads"))
    if not same:
        return ["speedups were measured on another processor, or with other threads: not compared"]
    return [
        f"{candidate}, {name}: {_times(before[candidate, name])}, now {_times(after[candidate, name])}"
        for candidate, name in shared
    ]


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
