"""The jobs of CI: they run environments that tox.ini has, with pinned actions and no rights."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [page for folder in ("", "docs", "tests") for page in sorted((ROOT / folder).glob("*.md"))]
TOX = re.compile(r"\btox run -e ([\w,-]+)")


def environments() -> set[str]:
    """Return the environments of tox.ini."""
    parsed = configparser.RawConfigParser(strict=True)
    parsed.read(ROOT / "tox.ini", encoding="utf-8")
    return {section.removeprefix("testenv:") for section in parsed.sections() if section.startswith("testenv:")}


def run_by(text: str) -> set[str]:
    """Return the environments that commands ask tox for."""
    return {name for names in TOX.findall(text) for name in names.split(",")}


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_reads_the_repository_and_has_no_other_right(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert not [name for name, job in workflow["jobs"].items() if "permissions" in job]
    assert "secrets." not in text
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit(path: Path) -> None:
    used = [step["uses"] for step in steps(yaml.safe_load(path.read_text(encoding="utf-8"))) if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one)] == []


def test_each_of_the_six_jobs_runs_its_environment() -> None:
    workflows = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS]
    jobs = {name: job for workflow in workflows for name, job in workflow["jobs"].items()}
    ran = {name: run_by(" ".join(step.get("run", "") for step in job["steps"])) for name, job in jobs.items()}
    assert ran == {name: {name} for name in ("tests", "matrix", "gate", "examples", "lowest", "latest")}


@pytest.mark.parametrize(
    "page",
    [
        *WORKFLOWS,
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "tests/README.md",
        ROOT / ".ci/run",
    ],
    ids=lambda path: path.name,
)
def test_tox_is_asked_for_environments_that_exist(page: Path) -> None:
    assert run_by(page.read_text(encoding="utf-8")) <= environments()


def test_an_environment_that_does_not_exist_is_seen() -> None:
    assert run_by("pip install tox && tox run -e tests,nonsense -- -x") == {"tests", "nonsense"}
    assert "nonsense" not in environments()
    assert "tests" in environments()
