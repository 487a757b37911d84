"""The tests that README and docs tell people to write, run as theirs."""

import re
from pathlib import Path

import pytest
from scripted_project import Project, same

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.measuring.catastrophe import least
from pytest_whisperq.measuring.power import plan

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GATED = [
    pytest.param(text, id=f"{page}-{number}")
    for page in ("README.md", "docs/markers.md")
    for number, text in enumerate(BLOCK.findall((ROOT / page).read_text(encoding="utf-8")), 1)
    if "def test_" in text
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


def test_as_many_recordings_as_the_documentation_asks_for_certify_the_default_limits() -> None:
    config = resolve({})
    few = least(config.max_catastrophes, config.confidence)
    drop = plan([6] * 200, [""] * 200, confidence=config.confidence).needed(config.max_drop, best=True)
    own, pipeline = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("own-audio.md", "ci.md"))
    assert f"{drop} certify a drop of one point, and {few} the {config.max_catastrophes:.0%}".replace("%", " %") in own
    sizes = re.findall(r"--whisperq-max-utterances (\d+)", pipeline)
    assert sizes
    assert all(int(size) >= few for size in sizes)
