"""What the README and the docs tell people to type: every block of code is read, and every name in it exists."""

import argparse
import ast
import csv
import importlib
import io
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from pytest_whisperq import contract
from pytest_whisperq.__main__ import parser
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import gate_of_marker, get_gate
from pytest_whisperq.plugin.markers import MERGE_CONTRACT

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OWN_GATE = "whisperq_chatter"
"""The marker of the gate that docs/own-gate.md adds; tests/plugin/test_own_gate.py runs it."""

NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
WORDS = 1000
"""So many the README has at most, code included; what is longer belongs into docs/."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(wanted: str) -> list[object]:
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (language, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
        if language == wanted
    ]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    found = {match[0] for page in PAGES for match in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert found <= {"", "python", "toml", "yaml", "csv", "text"}


@pytest.mark.parametrize("text", blocks("python"))
def test_python_parses_and_imports_and_marks_what_exists(text: str) -> None:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_whisperq"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), alias.name
        if isinstance(node, ast.Attribute) and node.attr.startswith("whisperq_"):
            assert gate_of_marker(node.attr) or node.attr in (MERGE_CONTRACT, OWN_GATE)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and gate_of_marker(node.func.attr):
            keywords = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in node.keywords}
            get_gate(gate_of_marker(node.func.attr)).check(keywords, "docs")
    assert contract  # whose names the pages import


@pytest.mark.parametrize("text", blocks("toml"))
def test_toml_parses(text: str) -> None:
    assert tomllib.loads(text)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_parses_and_its_commands_exist(text: str) -> None:
    assert yaml.safe_load(text)
    for line in text.splitlines():
        check_flags(line)


@pytest.mark.parametrize("text", blocks("csv"))
def test_csv_has_as_many_fields_in_every_row(text: str) -> None:
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


@pytest.mark.parametrize("text", blocks(""))
def test_commands_have_options_that_exist(text: str) -> None:
    for line in text.splitlines():
        check_flags(line)
        suites = re.findall(r"(?<=\s)(?:pytest_whisperq\.)?suites[\w./]*", line)
        # Of a folder and a file in it, pytest collects one.
        assert not any(inner.startswith((f"{outer}/", f"{outer}.")) for outer in suites for inner in suites), line
        if line.startswith("whisperq "):
            parses(parser(), shlex.split(line, comments=True)[1:])


def check_flags(line: str) -> None:
    known = {option.flag for option in OPTIONS}
    for flag in re.findall(r"--whisperq-[a-z-]+", line):
        assert flag in known, flag


def parses(whole: argparse.ArgumentParser, typed: list[str]) -> None:
    try:
        whole.parse_args(typed)
    except SystemExit as error:
        raise AssertionError(f"whisperq {shlex.join(typed)} is not understood") from error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_inline_flags_and_links_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    check_flags(text.replace("--whisperq-…", ""))
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target


def navigated(entry: object) -> list[str]:
    """Return the pages that an entry of the navigation leads to, in order."""
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    assert isinstance(inner, Iterable)
    return [page for one in inner for page in navigated(one)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= WORDS


def test_every_page_stands_in_the_navigation_once() -> None:
    assert sorted(navigated(NAV)) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_every_page_is_linked_from_the_readme_or_the_navigation() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert linked | set(navigated(NAV)) == {page.name for page in (ROOT / "docs").glob("*.md")}


def test_every_placeholder_is_one_that_the_site_fills_in() -> None:
    found = {name for page in PAGES for name in re.findall(r"<!-- (.*?) -->", page.read_text(encoding="utf-8"))}
    assert found == {"options", "markers"}


def test_the_action_runs_what_exists_and_quotes_what_users_give() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    for script in scripts:
        check_flags(script)
        assert "${{" not in script  # what a user gives reaches the shell as a variable, not as a part of the script
    given = {name for step in action["runs"]["steps"] for name in re.findall(r"inputs\.([\w-]+)", str(step))}
    assert given == set(action["inputs"])


@pytest.mark.parametrize(("fake", "code"), [("touch $REPORT/report.json", 0), ("true", 1), ("exit 4", 4)])
def test_the_action_is_green_only_where_this_run_has_left_a_report(tmp_path: Path, fake: str, code: int) -> None:
    """Options as arguments, and no tests: pytest collects what lies there, and a report may be of an earlier step."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (script,) = (step["run"] for step in action["runs"]["steps"] if step.get("id") == "gate")
    report = tmp_path / "whisperq-report"
    report.mkdir()
    (report / "report.json").touch()
    (tmp_path / "pytest").write_text(f"#!/bin/sh\nmkdir -p $REPORT\n{fake}\n")
    (tmp_path / "pytest").chmod(0o755)
    given = {"REPORT": str(report), "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output")}
    environment = {**given, "BACKEND": "ctranslate2", "ARGUMENTS": "", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == code
    assert ("no gate was judged" in done.stdout) == (code == 1)


def test_the_architecture_names_files_and_folders_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "pytest_whisperq"
    for name in set(re.findall(r"`(\w+/(?:\w+\.py)?)`", text)):
        assert (package / name).exists(), name
    rooms = {path.stem for path in package.iterdir() if path.name not in ("__init__.py", "__pycache__", "py.typed")}
    assert rooms == set(re.findall(r"^\| `(\w+)(?:/|\.py)?` \|", text.partition("## The rule")[0], re.MULTILINE))
