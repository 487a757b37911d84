"""What the contract finds wrong with merges that people use: ``python tests/benchmarks/known_bad_merges.py``.

Prints, for each, the invariant it breaks, the shortest table of windows that shows it, and a test to paste.
"""

from pytest_whisperq.contract.known_bad import BROKEN
from pytest_whisperq.contract.merge_kit import MERGE_CHECKS, counterexample, told
from pytest_whisperq.contract.merge_subject import MergeSubject
from pytest_whisperq.streaming import Level

CHECKS = {check.name: check for check in MERGE_CHECKS}


def main() -> None:
    """Search each and print what is found; the same every time."""
    for merge, name, level in BROKEN:
        error = counterexample(MergeSubject(merge, level=Level.DISTURBED), CHECKS[name], level, examples=150)
        if error is None:
            raise SystemExit(f"{merge.__name__} was not found to break {name}: the kit has a hole")
        print(told(CHECKS[name], level, error), end="\n\n" + "-" * 100 + "\n\n")


if __name__ == "__main__":
    main()
