"""What the accuracy bound makes of real disagreements: ``python tests/benchmarks/real_gate.py [CORPORA]``.

The disagreements are those of OpenAI's tiny.en and its quantized copies on LibriSpeech (record_disagreements.py). First
each candidate on the clips as they are. Then on corpora drawn from them with replacement, of `ALONE` single clips and
`TOGETHER` speakers with all of their clips: what becomes of a candidate whose true drop lies `GOOD` below the limit or
`BAD` above it, how often either bound holds, and how wide it is. The true drop of such a candidate is that of what is
drawn from, so that the limit is moved and nothing is planted: the disagreements keep their sizes, signs and skewness.
Seeded: the figures repeat.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.intervals import Interval, bound_ratio, sum_by_cluster
from pytest_whisperq.measuring.sequential import SHARE

CONFIDENCE = 0.95
ALONE, TOGETHER = 250, 10
LIMIT, GOOD, BAD = 1.0, 0.8, 2.0  # points: of the gate, and how far below and above it candidates are
DRAWS = 500  # of a bootstrap
RECORDED = Path(__file__).with_name("disagreements.jsonl")


class Clips(NamedTuple):
    """Rows (r, q, N) of clips, and the cluster of each."""

    counts: np.ndarray
    clusters: list[str]

    @property
    def drop(self) -> float:
        """In points."""
        r, q, n = self.counts.sum(axis=0)
        return float(100 * (q - r) / n)


def load(path: Path = RECORDED) -> dict[str, Clips]:
    """Return the clips of each candidate."""
    _, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    baseline = next(iter(rows[0]["errors"]))
    found = {}
    for name in dict.fromkeys(name for row in rows for name in row["errors"]):
        of_both = [row for row in rows if name in row["errors"]]
        counts = [(row["errors"][baseline], row["errors"][name], row["words"]) for row in of_both]
        if name != baseline:
            found[name] = Clips(np.array(counts, float), [str(row["cluster"]) for row in of_both])
    return found


def speakers(clips: Clips) -> list[list[int]]:
    """Return the clips of every speaker who has several."""
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(clips.clusters):
        groups.setdefault(name, []).append(number)
    return [group for group in groups.values() if len(group) > 1]


def draw(clips: Clips, random: np.random.Generator) -> Clips:
    """Draw a corpus; what is drawn twice counts as two."""
    several = speakers(clips)
    drawn = [[number] for number in random.integers(len(clips.clusters), size=ALONE)]
    drawn += [several[number] for number in random.integers(len(several), size=TOGETHER)]
    clusters = [str(place) for place, group in enumerate(drawn) for _ in group]
    return Clips(clips.counts[[number for group in drawn for number in group]], clusters)


def true_drop(clips: Clips) -> float:
    """Return the drop of what `draw` draws, in points."""
    several = speakers(clips)
    r, q, n = ALONE * clips.counts.mean(axis=0) + TOGETHER * np.mean([clips.counts[one].sum(0) for one in several], 0)
    return float(100 * (q - r) / n)


def ours(clips: Clips) -> Interval:
    """The bounds of the gate, which fails a candidate at what error the early test leaves."""
    left = CONFIDENCE + SHARE * (1 - CONFIDENCE)
    return bound_drop(clips.counts, clips.clusters, confidence=CONFIDENCE, lower_confidence=left)


def bootstrap(clips: Clips) -> Interval:
    """The percentile bootstrap over clusters (Bisani and Ney, ICASSP 2004)."""
    sums = sum_by_cluster(clips.counts, clips.clusters)
    count = len(sums)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=DRAWS) @ sums
    lower, upper = np.quantile(100 * (drawn[:, 1] - drawn[:, 0]) / drawn[:, 2], (1 - CONFIDENCE, CONFIDENCE))
    return Interval(value=clips.drop, lower=float(lower), upper=float(upper), confidence=CONFIDENCE, clusters=count)


def half_imagined(clips: Clips) -> Interval:
    """The same where the pseudo-clip always loses half its words."""
    r, q, n = clips.counts.T
    length = float(n.mean())
    rows = np.column_stack([100 * (q - r), n])
    pseudo = 50 * length
    return bound_ratio(rows, clips.clusters, worse=(pseudo, length), better=(-pseudo, length), confidence=CONFIDENCE)


METHODS: dict[str, Callable[[Clips], Interval]] = {
    "ours": ours,
    "half a cluster imagined": half_imagined,
    "bootstrap": bootstrap,
}


class Power(NamedTuple):
    """Shares of corpora, and mean widths in points."""

    passed: float
    failed: float
    upper_held: float
    lower_held: float
    above: float
    below: float


def power(clips: Clips, method: Callable[[Clips], Interval], corpora: int) -> Power:
    """Judge a good and a bad candidate on so many corpora."""
    figures, true = np.zeros(6), true_drop(clips)
    for seed in range(corpora):
        found = method(draw(clips, np.random.default_rng((seed, corpora))))
        value, lower, upper = found.value or 0.0, found.lower or 0.0, found.upper or 0.0
        figures += (
            upper < true + GOOD,
            lower > true - BAD,
            upper >= true - 1e-9,
            lower <= true + 1e-9,
            upper - value,
            value - lower,
        )
    return Power(*(figures / corpora))


def _verdict(found: Interval) -> str:
    if found.upper is None or found.lower is None:
        return "INCONCLUSIVE"
    return "PASS" if found.upper < LIMIT else "FAIL" if found.lower > LIMIT else "INCONCLUSIVE"


def main(corpora: int) -> None:
    """Measure and print."""
    recorded = load()
    print("| candidate | clips | clusters | changed | WER, % | drop (bounds) | bootstrap | at 1 point |")
    print("|---|---|---|---|---|---|---|---|")
    for name, clips in recorded.items():
        r, q, n = clips.counts.sum(axis=0)
        changed = (clips.counts[:, 0] != clips.counts[:, 1]).mean()
        mine, plain = (f"{one.lower:+.2f} … {one.upper:+.2f}" for one in (ours(clips), bootstrap(clips)))
        print(
            f"| {name} | {len(clips.clusters)} | {len(set(clips.clusters))} | {100 * changed:.0f} % | "
            f"{100 * r / n:.2f} → {100 * q / n:.2f} | {clips.drop:+.2f} ({mine}) | {plain} | {_verdict(ours(clips))} |"
        )
    print(f"\n{corpora} corpora of {ALONE} clips and {TOGETHER} speakers each\n")
    print(
        f"| candidate | bound | {GOOD} below the limit: PASS | {BAD:g} above: FAIL | upper held | lower held | widths |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, clips in recorded.items():
        for method, bounds in METHODS.items():
            found = power(clips, bounds, corpora)
            shares = " | ".join(f"{100 * share:.1f} %" for share in found[:4])
            print(f"| {name} | {method} | {shares} | +{found.above:.2f}, -{found.below:.2f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
