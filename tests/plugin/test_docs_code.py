"""The tests that README and docs tell people to write, run as theirs."""

import re
from pathlib import Path

import pytest
from scripted_project import Project, same

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GATED = [
    pytest.param(text, id=f"{page}-{number}")
    for page in ("README.md", "docs/markers.md")
    for number, text in enumerate(BLOCK.findall((ROOT / page).read_text(encoding="utf-8")), 1)
    if "def test_" in text and "OurMerge" not in text  # what tests a merge is in test_own_merge.py
]


def test_there_are_such_tests() -> None:
    assert len(GATED) >= 3


@pytest.mark.parametrize("text", GATED)
def test_a_documented_test_gates_and_passes(project: Project, text: str) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(text)
    result = project.run("--whisperq-timing-budget=1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*drop, points *PASS"])
