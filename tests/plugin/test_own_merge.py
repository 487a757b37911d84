"""The code of docs/own-merge.md, run as a team would run it for its own merge."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "own-merge.md"
THEIRS = "from pytest_whisperq.streaming import TimeAnchoredMerge as OurMerge\n"


@pytest.mark.matrix
def test_the_documented_test_checks_a_merge(pytester: pytest.Pytester) -> None:
    decorated, marked = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    pytester.makepyfile(
        our_product=THEIRS,
        test_decorated=decorated,
        test_marked=f"import pytest\nfrom our_product import OurMerge\n{marked}",
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", "I9")
    result.assert_outcomes(passed=2, deselected=28)


def test_the_documented_table_names_every_invariant() -> None:
    from pytest_whisperq.contract import MERGE_CHECKS

    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (I\d+(?:, I\d+)?) \|.*\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    told = [(names.split(", "), level, re.findall(r"`(\w+)`", checks)) for names, level, checks in rows]
    lowest: dict[str, str] = {}
    for check in MERGE_CHECKS:
        lowest.setdefault(check.invariant, check.lowest.name.lower())
    assert {name: level for names, level, _ in told for name in names} == lowest
    for names, _, checks in told:
        assert checks == [check.name for check in MERGE_CHECKS if check.invariant in names]
