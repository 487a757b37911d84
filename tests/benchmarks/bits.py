"""What each bit costs: ``python tests/benchmarks/bits.py`` prints the drop of every precision, from 16 bits to 1.

Below the table is whether simulated weights lose more with every bit that they lose, all with one scale for each group
of 64. Page's test takes each utterance as a judge who ranks the precisions by errors (Page, JASA 58, 1963). With
``--chart FILE`` the drops with their bounds are drawn as SVG.

``--model`` and ``--corpus`` are those of a run. What is decoded is cached, so that a run that was stopped goes on.
Broken models say much, and take long.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import page_trend_test

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.reporting import charts
from pytest_whisperq.reporting.templates import chart_file

SIMULATED: Mapping[str, float] = {f"transformers:sim-int{bits}": bits for bits in range(8, 0, -1)}
WAYS: Mapping[str, Mapping[str, float]] = {
    "float": {"transformers:float16": 16},
    "PTQ": {"openvino:int8-ptq": 8},
    "weight-only": {"openvino:int8": 8, "openvino:int4-sym": 4, "openvino:int3-sym": 3, "openvino:int2-sym": 2},
    "codebook": {
        "openvino:codebook": 4,
        "openvino:vq2x256": 4,
        "openvino:vq4x256": 2,
        "openvino:vq2x16": 2,
        "openvino:vq8x256": 1,
        "openvino:vq4x16": 1,
    },
    "simulated": {**SIMULATED, "transformers:sim-ternary": 1.6},
}
"""How weights get shorter → precisions, and bits of a weight without its scale."""


def trend(errors: NDArray[np.int64]) -> float:
    """Return the p value of errors that grow from column to column, shape (utterances, precisions).

    Without any difference there is none: 1.
    """
    return 1.0 if (errors == errors[:, :1]).all() else float(page_trend_test(errors, method="asymptotic").pvalue)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and draw; return 0 where the trend is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="whisperq-micro")
    parser.add_argument("--corpus", default="")
    parser.add_argument("--max-utterances", default="60")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--cache-dir", default="")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of them: %(default)s")
    parser.add_argument("--chart", type=Path)
    args = parser.parse_args(arguments)
    bits = {name: each for way in args.ways.split(",") for name, each in WAYS[way].items()}
    ways = {name: way for way in args.ways.split(",") for name in WAYS[way]}
    options = {
        "model": args.model,
        "corpus": args.corpus,
        "max_utterances": args.max_utterances,
        "threads": args.threads,
        "cache_dir": args.cache_dir,
        "candidate": ",".join(bits),
        "early_stop": "false",
    }
    run = GateRunner(resolve({f"whisperq_{key}": value for key, value in options.items() if value}))
    rows, errors = list[dict[str, Any]](), dict[str, list[int]]()
    for candidate in sorted(run.config.candidates, key=lambda one: -bits[str(one)]):
        name = str(candidate)
        rows.append(measure(run, candidate, f"{bits[name]:g} bits, {ways[name]}"))
        pairs = run.session.texts(candidate).pairs
        errors[name] = [count_errors(pair.reference, pair.candidate).errors for pair in pairs]
        row = rows[-1]
        size = run.session.model(candidate).artifact.size
        print(
            f"| {name} | {ways[name]} | {bits[name]:g} | {size / 1e6:.2f} MB | {row['wer']:.2f} % | {row['drop']:+.2f} "
            f"({row['lower']:+.2f} … {row['upper']:+.2f}) |",
            flush=True,
        )
    if args.chart and (chart := charts.forest(rows, None)):
        args.chart.write_text(chart_file("forest", chart, f"{args.model}: drop by bits, in points"), encoding="utf-8")
    if not set(SIMULATED) <= errors.keys():
        return 0
    found = trend(np.array([errors[name] for name in SIMULATED]).T)
    print(f"{len(SIMULATED)} simulated precisions, {len(errors[name])} utterances: Page's p = {found:.2g}")
    return int(found >= 0.05)


def measure(run: GateRunner, candidate: Candidate, label: str) -> dict[str, Any]:
    """Return the row of a candidate in a `charts.forest`, and its error rate in %."""
    judgement = run.judge("accuracy", candidate).judgement
    drop = judgement.checks[0]
    return {
        "label": f"{label}: {candidate.precision}",
        "utterances": judgement.utterances,
        "drop": drop.value,
        "lower": drop.lower,
        "upper": drop.upper,
        "wer": 100 * (judgement.detail("candidate_wer") or 0),
    }


if __name__ == "__main__":
    sys.exit(main())
