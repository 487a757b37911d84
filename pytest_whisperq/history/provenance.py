"""What is on record as different between two runs: about a model, and about where they were made."""

from collections.abc import Mapping
from typing import Any


def causes(old: Mapping[str, Any], new: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    """Return what is on record as different about a model: checkpoint, recipe, what executes, library versions."""
    before, after = old["models"][names[0]], new["models"][names[1]]
    differences = [
        f"{label} {before[key] or 'unknown'} → {after[key] or 'unknown'}"
        for key, label in (("source", "model"), ("calibration", "calibration"), ("compute_type", "executes"))
        if before[key] != after[key]
    ]
    if names[0] != names[1]:
        differences.insert(0, f"{names[0]} → {names[1]}")
    if before["source"] == after["source"] and before["source_identity"] != after["source_identity"]:
        differences.append(f"another checkpoint under the name {after['source']}")
    differences += _moved_versions(before["versions"], after["versions"])
    if not differences and before["identity"] != after["identity"]:
        differences.append("its weights are others")
    for key, label in (("cpu", "processor"), ("gpu", "GPU")):
        here = [run["environment"].get(key) or "none" for run in (old, new)]
        if here[0] != here[1]:
            differences.append(f"{label} {here[0]} → {here[1]}")
    return differences


def provenance_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what is on record as different about where two runs were made."""
    before, after = old["environment"], new["environment"]
    differences = [
        f"{label}: {before.get(key, 'none')} → {after.get(key, 'none')}"
        for key, label in (
            *(("python", "Python"), ("platform", "system"), ("cpu", "processor"), ("gpu", "GPU")),
            ("threads", "threads"),
        )
        if before.get(key) != after.get(key)
    ]
    return differences + _moved_versions(before["versions"], after["versions"])


def _moved_versions(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    pairs = [(name, before.get(name, "absent"), after.get(name, "absent")) for name in names]
    return [f"{name} {old} → {new}" for name, old, new in pairs if old != new]
