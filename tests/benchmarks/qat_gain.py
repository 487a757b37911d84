"""What training for a precision wins back: ``python tests/benchmarks/qat_gain.py --trained DIR``.

DIR is what ``whisperq qat`` wrote for ``--candidate``. The same utterances are heard by the checkpoint in float32, and
at that precision as it is and as it was trained. Printed are both drops, and of what the first loses the share that the
second wins back, with its bounds (Fieller's, by clusters). The exit code is 0 where the lower bound of that share is
half or more.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.intervals import Interval, bound_ratio
from pytest_whisperq.measuring.scores import count_errors

HALF = 0.5


def won_back(errors: NDArray[np.float64], words: NDArray[np.float64], clusters: Sequence[str]) -> Interval:
    """Return the share of the lost words that is won back, with bounds at 95 %.

    ``errors`` has shape (utterances, 3): of float32, of the plain and of the trained model. The lower bound is drawn as
    if one clip more had lost half its words for good, and the upper one as if it had won them back.
    """
    lost = HALF * float(words.mean())
    columns = np.column_stack([errors[:, 1] - errors[:, 2], errors[:, 1] - errors[:, 0]])
    return bound_ratio(columns, clusters, worse=(lost, lost), better=(0.0, lost), confidence=0.95)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0 where half is won back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trained", type=Path, required=True)
    parser.add_argument("--candidate", default="openvino:int3-sym")
    parser.add_argument("--model", default="whisperq-micro")
    parser.add_argument("--corpus", default="")
    parser.add_argument("--max-utterances", default="")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--cache-dir", default="")
    args = parser.parse_args(arguments)
    asked = {
        "baseline": f"transformers:float32@{args.model}",
        "candidate": args.candidate,
        "corpus": args.corpus,
        "max_utterances": args.max_utterances,
        "threads": args.threads,
        "cache_dir": args.cache_dir,
        "early_stop": "false",
    }
    columns = list[list[int]]()
    for name, model in (("as it is", args.model), ("trained", str(args.trained))):
        run = GateRunner(
            resolve({f"whisperq_{key}": value for key, value in {**asked, "model": model}.items() if value})
        )
        (candidate,) = run.config.candidates
        drop = run.judge("accuracy", candidate).judgement.checks[0]
        texts = run.session.texts(candidate)
        counts = [
            (count_errors(one.reference, one.baseline), count_errors(one.reference, one.candidate))
            for one in texts.pairs
        ]
        columns = columns or [[before.errors for before, _ in counts]]
        columns.append([after.errors for _, after in counts])
        rate = 100 * sum(columns[-1]) / sum(before.length for before, _ in counts)
        print(f"| {name} | {rate:.2f} % | {drop.value:+.2f} ({drop.lower:+.2f} … {drop.upper:+.2f}) |", flush=True)
    words = np.array([before.length for before, _ in counts], np.float64)
    share = won_back(np.array(columns, np.float64).T, words, texts.clusters)
    if share.value is None or share.lower is None or share.upper is None:
        print("nothing is lost that could be won back")
        return 1
    print(f"won back: {100 * share.value:.0f} % ({100 * share.lower:.0f} … {100 * share.upper:.0f} %)")
    return int(share.lower < HALF)


if __name__ == "__main__":
    sys.exit(main())
