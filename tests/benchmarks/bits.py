"""What each bit costs: ``python tests/benchmarks/bits.py`` prints the drop of every precision, from 16 bits to 1.

Below the table is whether simulated weights lose more with every bit that they lose, all with one scale for each group
of 64. Page's test takes each utterance as a judge who ranks the precisions by errors (Page, JASA 58, 1963). With
``--chart FILE`` error rates with the bounds of their drops are drawn against bits, as SVG (the extra ``plots``).

``--model``, ``--corpus`` and ``--calibration`` are those of a run; with the last, nothing of the corpus is set aside.
``--trained DIR,DIR`` adds what ``whisperq qat`` has made of the model, each at the precision that it was trained for.
What is decoded is cached, so that a run that was stopped goes on. Broken models say much, and take long.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import page_trend_test

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.system import optional_imports

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

TRAINED = "QAT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A precision: its error rate in %, and what it loses against float32, in points with bounds."""

    candidate: str
    way: str
    bits: float
    megabytes: float
    rate: float
    drop: float
    lower: float
    upper: float

    @property
    def line(self) -> str:
        """The row of the table."""
        drop = f"{self.drop:+.2f} ({self.lower:+.2f} … {self.upper:+.2f})"
        return (
            f"| {self.candidate} | {self.way} | {self.bits:g} | {self.megabytes:.2f} MB | {self.rate:.2f} % | {drop} |"
        )


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
    parser.add_argument("--calibration", default="")
    parser.add_argument("--max-utterances", default="60")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--cache-dir", default="")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of them: %(default)s")
    parser.add_argument("--trained", default="", help="folders of whisperq qat, separated by commas")
    parser.add_argument("--chart", type=Path)
    args = parser.parse_args(arguments)
    bits = {name: each for way in args.ways.split(",") for name, each in WAYS[way].items()}
    ways = {name: way for way in args.ways.split(",") for name in WAYS[way]}
    options = {
        "corpus": args.corpus,
        "calibration": args.calibration,
        "max_utterances": args.max_utterances,
        "threads": args.threads,
        "cache_dir": args.cache_dir,
        "baseline": f"transformers:float32@{args.model}",
        "early_stop": "false",
    }
    rows, errors = list[Row](), dict[str, list[int]]()
    run = start({**options, "model": args.model, "candidate": ",".join(bits)})
    for candidate in sorted(run.config.candidates, key=lambda one: -bits[str(one)]):
        name = str(candidate)
        rows.append(measure(run, candidate, ways[name], bits[name]))
        print(rows[-1].line, flush=True)
        errors[name] = [
            count_errors(pair.reference, pair.candidate).errors for pair in run.session.texts(candidate).pairs
        ]
    for folder in filter(None, args.trained.split(",")):
        name = json.loads((Path(folder) / "qat.json").read_text(encoding="utf-8"))["candidate"]
        run = start({**options, "model": folder, "candidate": name})
        rows.append(measure(run, run.config.candidates[0], TRAINED, bits_of(name)))
        print(rows[-1].line, flush=True)
    if args.chart:
        draw(rows, args.model, args.chart)
    if not set(SIMULATED) <= errors.keys():
        return 0
    found = trend(np.array([errors[name] for name in SIMULATED]).T)
    print(f"{len(SIMULATED)} simulated precisions, {len(errors[name])} utterances: Page's p = {found:.2g}")
    return int(found >= 0.05)


def start(options: Mapping[str, str]) -> GateRunner:
    """Return a run with options of the plugin, without their prefix."""
    return GateRunner(resolve({f"whisperq_{key}": value for key, value in options.items() if value}))


def bits_of(candidate: str) -> float:
    """Return the bits of a weight at a precision that is in the table."""
    return next(way[candidate] for way in WAYS.values() if candidate in way)


def measure(run: GateRunner, candidate: Candidate, way: str, bits: float) -> Row:
    """Judge a candidate by the accuracy gate."""
    judgement = run.judge("accuracy", candidate).judgement
    drop = judgement.checks[0]
    assert drop.value is not None
    assert drop.lower is not None
    assert drop.upper is not None
    return Row(
        candidate=str(candidate),
        way=way,
        bits=bits,
        megabytes=run.session.model(candidate).artifact.size / 1e6,
        rate=100 * (judgement.detail("candidate_wer") or 0),
        drop=drop.value,
        lower=drop.lower,
        upper=drop.upper,
    )


def draw(rows: Sequence[Row], model: str, path: Path) -> None:
    """Draw error rates against bits, a colour for each way: from 16 bits to 1, both axes by factors.

    The bars are the bounds of the drop. Ways stand beside each other, so that none hides another.
    """
    pyplot = optional_imports.require("matplotlib.pyplot", extra="plots", purpose="draw the chart")
    ways = list(dict.fromkeys(row.way for row in rows))
    figure, axes = pyplot.subplots(figsize=(8.5, 5), layout="constrained")
    original = min(row.rate - row.drop for row in rows)
    lowest = original / 3  # a scale of factors has no zero, where a bound may be
    axes.axhline(original, color="0.6", linewidth=1, linestyle="--")
    beside = {"xytext": (0, -12), "textcoords": "offset points", "horizontalalignment": "right", "color": "0.4"}
    axes.annotate(f"float32: {original:.1f} %", (1, original), **beside)
    for number, way in enumerate(ways):
        chosen = [row for row in rows if row.way == way]
        shift = 1 + 0.02 * (number - (len(ways) - 1) / 2)
        axes.errorbar(
            [shift * row.bits for row in chosen],
            [row.rate for row in chosen],
            yerr=[
                [row.rate - max(row.rate - row.drop + row.lower, lowest) for row in chosen],
                [row.upper - row.drop for row in chosen],
            ],
            label=way,
            fmt="o-" if way == "simulated" else "o",
            markersize=5,
            linewidth=1,
            capsize=2,
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="bits of a weight, without its scale",
        ylabel="WER, %",
        title=Path(model).name,
    )
    axes.set_ylim(bottom=lowest)
    axes.invert_xaxis()
    ticks = sorted({row.bits for row in rows}, reverse=True)
    axes.set_xticks(ticks, [f"{bits:g}" for bits in ticks])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", color="0.9")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
