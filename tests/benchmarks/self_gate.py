"""How often the gates err on candidates whose truth is known: ``python tests/benchmarks/self_gate.py [CORPORA]``.

False alarms, misses and power of the accuracy gate at a limit of 1 point, and the false alarms of a whole matrix of
candidates, gates and slices, and of each kind of catastrophe, on corpora drawn from recorded transcripts (planting.py).
Seeded: the figures repeat.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import planting
from planting import Recorded
from scipy.special import betaincinv

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.catastrophe import judge_catastrophe
from pytest_whisperq.gates.parity import judge_parity
from pytest_whisperq.gates.slices import judge_slices
from pytest_whisperq.judging.rule import Outcome, judge
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.catastrophe import clustered, kinds_of
from pytest_whisperq.measuring.catastrophe_kinds import KINDS, NONSPEECH
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.sequential import SHARE, AccuracyLimit

LIMIT = AccuracyLimit(1.0)
CONFIDENCE = 0.95
CANDIDATES = 6  # of the matrix
MAX_RATE = 0.02  # of catastrophes
JUST_OVER = 0.05  # points beyond the limit

Plant = Callable[[Recorded, np.random.Generator], PairedTexts]


class Tally(NamedTuple):
    """Verdicts over many corpora, and the mean drop that was planted in them, in points."""

    verdicts: Counter[Verdict]
    drop: float

    def share(self, verdict: Verdict) -> float:
        """How often a verdict came."""
        return self.verdicts[verdict] / self.verdicts.total()

    def at_most(self, verdict: Verdict) -> float:
        """Exact 95 % upper bound of how often it comes (Clopper and Pearson, Biometrika 1934)."""
        count, size = self.verdicts[verdict], self.verdicts.total()
        return 1.0 if count == size else float(betaincinv(count + 1, size - count, 0.95))


def nothing_lost(recorded: Recorded, random: np.random.Generator) -> PairedTexts:
    """True drop 0, 8 % of the texts changed."""
    return planting.no_drop(recorded, random)


def words_lost(points: float) -> Plant:
    """The same with so many points of accuracy lost in single words."""
    return lambda recorded, random: planting.lose_words(recorded, planting.no_drop(recorded, random), points, random)


def clips_lost(points: float) -> Plant:
    """The same with so many points of accuracy lost in whole clips, on which nothing is said."""
    return lambda recorded, random: planting.lose_clips(recorded, planting.no_drop(recorded, random), points, random)


def tally(recorded: Recorded, plant: Plant, corpora: int) -> Tally:
    """Judge the accuracy of a planted candidate on so many corpora; each is heard in another random order."""
    verdicts: Counter[Verdict] = Counter()
    lost = words = 0
    for seed in range(corpora):
        texts = plant(recorded, np.random.default_rng((seed, corpora)))
        verdicts[planting.accuracy_verdict(texts, LIMIT, confidence=CONFIDENCE, seed=seed)] += 1
        lost += sum(planting.gained(pair) for pair in texts.pairs)
        words += sum(len(pair.reference.split()) for pair in texts.pairs)
    return Tally(verdicts, 100 * lost / words)


def heard(recorded: Recorded, plant: Plant, corpora: int) -> list[float]:
    """Share of each corpus that is heard until the candidate is failed early, in order; 1 where it is not."""
    shares = []
    for seed in range(corpora):
        texts = plant(recorded, np.random.default_rng((seed, corpora)))
        count = planting.heard_until_failed(texts, LIMIT, confidence=CONFIDENCE, seed=seed)
        shares.append((count or len(texts.pairs)) / len(texts.pairs))
    return sorted(shares)


def found_at_once(recorded: Recorded, plant: Plant, share: float, corpora: int) -> float:
    """How often a bound that looks once, when that share of the clusters is heard, fails the candidate.

    It may spend all of the error there, and knows beforehand when to look: what no test that may stop any time can beat
    by much.
    """
    failed = 0
    for seed in range(corpora):
        texts = plant(recorded, np.random.default_rng((seed, corpora)))
        names = list(dict.fromkeys(texts.clusters))
        first = set(names[: round(share * len(names))])
        part = replace(texts, pairs=tuple(pair for pair in texts.pairs if pair.cluster in first))
        outcome = judge_accuracy(part, max_drop=LIMIT.max_drop, confidence=CONFIDENCE, seed=seed)
        failed += outcome.judgement.verdict is Verdict.FAIL
    return failed / corpora


def matrix(recorded: Recorded, corpora: int) -> dict[str, tuple[float, float]]:
    """Per gate, how often one of `CANDIDATES` good candidates FAILs, and how often one is INCONCLUSIVE.

    Each has a corpus of its own: with a common one they would err together, and less often.
    """
    seen: dict[str, list[set[Verdict]]] = {}
    for seed in range(corpora):
        random = np.random.default_rng((seed, corpora, 1))
        found: dict[str, set[Verdict]] = {}
        for _ in range(CANDIDATES):
            for gate, verdict in _gates(planting.no_drop(recorded, random)).items():
                found.setdefault(gate, set()).add(verdict)
        found["any of them"] = set().union(*found.values())
        for gate, verdicts in found.items():
            seen.setdefault(gate, []).append(verdicts)
    return {
        gate: (
            sum(Verdict.FAIL in verdicts for verdicts in rows) / corpora,
            sum(Verdict.INCONCLUSIVE in verdicts for verdicts in rows) / corpora,
        )
        for gate, rows in seen.items()
    }


def _gates(texts: PairedTexts) -> dict[str, Verdict]:
    level: dict[str, Any] = {"confidence": CONFIDENCE, "seed": 0}
    left = CONFIDENCE + SHARE * (1 - CONFIDENCE)
    whole: Outcome = judge_accuracy(texts, max_drop=LIMIT.max_drop, fail_confidence=left, **level)
    checks = judge_slices(whole, texts, LIMIT, confidence=CONFIDENCE).judgement.checks[1:]
    return {
        "accuracy": whole.judgement.verdict,
        "accuracy of the slices": Verdict.worst([check.verdict for check in checks]),
        "parity": judge_parity(texts, min_exact_match=0.8, max_divergence=0.05, **level).judgement.verdict,
        "catastrophe": judge_catastrophe(texts, max_rate=MAX_RATE, **level).judgement.verdict,
    }


def kinds(recorded: Recorded, corpora: int) -> dict[str, tuple[int, int]]:
    """Per kind of catastrophe, in how many corpora one of `CANDIDATES` good candidates FAILs by that kind alone.

    Then, in how many one is INCONCLUSIVE. The candidates are those of `matrix`.
    """
    seen: dict[str, list[set[Verdict]]] = {kind: [] for kind in KINDS if kind != NONSPEECH}
    for seed in range(corpora):
        random = np.random.default_rng((seed, corpora, 1))
        drawn = [planting.no_drop(recorded, random) for _ in range(CANDIDATES)]
        found = [[(pair.cluster, *kinds_of(pair)) for pair in texts.pairs] for texts in drawn]
        for kind, verdicts in seen.items():
            verdicts.append({_by_kind(rows, kind) for rows in found})
    return {
        kind: (sum(Verdict.FAIL in row for row in rows), sum(Verdict.INCONCLUSIVE in row for row in rows))
        for kind, rows in seen.items()
    }


def _by_kind(rows: list[tuple[str, tuple[str, ...], tuple[str, ...]]], kind: str) -> Verdict:
    """Judge a candidate by one kind of catastrophe; rows of cluster, kinds of the baseline and new kinds."""
    at_risk = [(cluster, after) for cluster, before, after in rows if not before]
    hit = [kind in after for _, after in at_risk]
    rate = clustered(hit, [cluster for cluster, _ in at_risk], CONFIDENCE)
    return judge(kind, rate, MAX_RATE, keep="below", unit="of utterances", utterances=len(at_risk)).verdict


def early(recorded: Recorded, corpora: int) -> None:
    """Print when broken candidates are failed early, beside what one look can find in as much of the corpus."""
    columns = ("planted", "heard until failed: median", "nine in ten", "not before the end", "failed within")
    print(f"\n| {' | '.join(columns)} | by one look there |\n|{'---|' * (len(columns) + 1)}")
    for name, plant, share in (
        ("8 points worse, single words", words_lost(8.0), 0.1),
        ("8 points worse, whole clips", clips_lost(8.0), 0.1),
        ("2 points over the limit, single words", words_lost(3.0), 0.5),
        ("2 points over the limit, whole clips", clips_lost(3.0), 0.5),
    ):
        shares = heard(recorded, plant, corpora)
        median, most = (f"{100 * shares[int(part * corpora)]:.0f} %" for part in (0.5, 0.9))
        within = f"{100 * share:.0f} %: {100 * sum(one <= share for one in shares) / corpora:.0f} %"
        once = f"{100 * found_at_once(recorded, plant, share, corpora):.0f} %"
        never = f"{100 * shares.count(1.0) / corpora:.0f} %"
        print(f"| {name} | {median} | {most} | {never} | {within} | {once} |", flush=True)


def main(corpora: int) -> None:
    """Measure and print."""
    recorded = planting.load()
    print(
        f"{len(recorded.texts.pairs)} recorded utterances, {recorded.words} words, {len(recorded.clusters)} clusters, "
        f"{sum(map(bool, recorded.changed))} with an int8 text that differs; {corpora} corpora each, limit 1 point\n"
    )
    print(
        "| planted | true drop | PASS | INCONCLUSIVE | FAIL | wrong verdicts (95 % bound) |\n|---|---|---|---|---|---|"
    )
    over = LIMIT.max_drop + JUST_OVER
    for name, plant, wrong in (
        ("no drop, 8 % of the texts changed", nothing_lost, Verdict.FAIL),
        ("just over the limit, single words", words_lost(over), Verdict.PASS),
        ("just over the limit, whole clips", clips_lost(over), Verdict.PASS),
        ("2 points over the limit, single words", words_lost(3.0), Verdict.PASS),
        ("2 points over the limit, whole clips", clips_lost(3.0), Verdict.PASS),
    ):
        found = tally(recorded, plant, corpora)
        shares = " | ".join(
            f"{100 * found.share(verdict):.1f} %" for verdict in (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)
        )
        bound = f"{wrong.name}: {found.verdicts[wrong]} (≤ {100 * found.at_most(wrong):.1f} %)"
        print(f"| {name} | {found.drop:+.2f} | {shares} | {bound} |", flush=True)
    early(recorded, corpora)
    print(f"\n| gate | a FAIL among {CANDIDATES} good candidates | an INCONCLUSIVE |\n|---|---|---|")
    for gate, (failed, unknown) in matrix(recorded, corpora).items():
        print(f"| {gate} | {100 * failed:.1f} % | {100 * unknown:.1f} % |")
    print(f"\n| kind of catastrophe | corpora with a FAIL among {CANDIDATES} | with an INCONCLUSIVE |\n|---|---|---|")
    for kind, (failures, undecided) in kinds(recorded, corpora).items():
        print(f"| `{kind}` | {failures} of {corpora} | {undecided} of {corpora} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
