"""Try as many bad inputs as one likes, and print a table of how they ended.

``python tests/fuzz/table.py --cases 1000 --seed 7`` tries a thousand of each family; ``--family cache`` of one.
Whatever is neither the right figure nor one clear error is listed, and makes the exit code 1.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import families
from world import End


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, help="how many of each family (default: as many as CI tries)")
    parser.add_argument("--family", choices=families.FAMILIES, action="append", help="which (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| family | cases |", " | ".join(end.value for end in End), "|")
    print("|---|--:|", "--:|" * len(End), sep="")
    bad = []
    for name in options.family or families.FAMILIES:
        ends = Counter[End]()
        with tempfile.TemporaryDirectory() as folder:
            count = options.cases or families.FAMILIES[name].cases
            for case, ending in families.tried(name, count, Path(folder), seed=options.seed):
                ends[ending.end] += 1
                if ending.end not in (End.RIGHT, End.REFUSED):
                    bad.append(f"{name}: {case.what}: {ending.end.value}: {ending.detail}")
        print(f"| {name} | {ends.total()} |", " | ".join(str(ends[end]) for end in End), "|", flush=True)
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
