"""A third party's gate, from the very lines of the documentation: by conftest hook and by entry point."""

import re
from pathlib import Path

import pytest
from scripted_project import Project, same

from pytest_whisperq.gates import registry

DOCS = Path(__file__).parents[2] / "docs" / "own-gate.md"
BLOCKS = re.findall(r"^```(?:python|toml)\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
GATE, HOOK, TESTS, ENTRY_POINT = BLOCKS


def chatty(index: int, reference: str) -> str:
    return f"{reference} so they say" if index % 2 else reference


@pytest.fixture
def own(project: Project) -> Project:
    project.record(200, int8=same, int4_sym=chatty)
    project.pytester.makepyfile(my_gate=GATE, test_release=TESTS)
    project.pytester.syspathinsert()
    return project


@pytest.fixture
def hooked(own: Project) -> Project:
    own.pytester.makeconftest(f"from my_gate import CHATTER\n\n{HOOK}")
    return own


def test_the_documented_gate_takes_forty_lines() -> None:
    assert len(GATE.strip().splitlines()) <= 40


def test_a_conftest_registers_a_gate_that_passes_and_fails(hooked: Project) -> None:
    result = hooked.run("--strict-markers", "--whisperq-candidate=scripted:int8,scripted:int4-sym", "--junitxml=j.xml")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["whisperq chatter gate: FAIL", "*must stay below 120*", "*whisperq gates*"])
    assert '"gate": "chatter"' in (hooked.pytester.path / "j.xml").read_text().replace("&quot;", '"')


def test_its_limit_is_checked_before_anything_is_decoded(hooked: Project) -> None:
    hooked.pytester.makepyfile(test_release=TESTS.replace("max_ratio=1.2", "max_ratio=11"))
    result = hooked.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_marked*: whisperq_chatter: max_ratio must be a number from 0 to 10*(got 11)"])
    assert not hooked.transcript_files()


def test_it_is_listed_waived_and_reported_like_any_other(hooked: Project) -> None:
    shown = hooked.run("--markers").stdout
    shown.fnmatch_lines(["@pytest.mark.whisperq_chatter(max_ratio=): the candidate says less than max_ratio *"])
    waiver = '[[waiver]]\nid = "chatter/scripted:int4-sym"\nreason = "known"\nexpires = 2099-01-01\n'
    (hooked.pytester.path / "waivers.toml").write_text(waiver)
    result = hooked.run(
        *("--whisperq-candidate=scripted:int4-sym", "--whisperq-waivers=waivers.toml", "--whisperq-report=out")
    )
    result.assert_outcomes(xfailed=2)
    assert "chatter" in (hooked.pytester.path / "out" / "report.json").read_text()


@pytest.mark.matrix
def test_random_weights_say_nothing_that_it_could_judge(hooked: Project) -> None:
    # In a process of its own, for torch is loaded once a process and forgotten with a run inside of this one.
    result = hooked.pytester.runpytest_subprocess(
        *("--whisperq-model=random:whisper-tiny", "--whisperq-backend=transformers", "--whisperq-corpus=calls"),
        *("--whisperq-cache-dir=cache", "-p", "no:xdist", "-k", "called"),
    )
    result.stdout.fnmatch_lines(["*whisperq_chatter: random:whisper-tiny says nothing that could be judged*"])


def test_an_entry_point_registers_a_gate_for_everyone(own: Project) -> None:
    info = own.pytester.path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    group, line = re.fullmatch(r'\[project\.entry-points\."(.*)"\]\n(.*)\n', ENTRY_POINT).groups()  # type: ignore[union-attr]
    entry = line.replace('"', "").replace("my_package.chatter", "my_gate")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    result = own.pytester.runpytest_subprocess(
        *("--whisperq-model=model", "--whisperq-baseline=scripted", "--whisperq-corpus=calls"),
        *("--whisperq-cache-dir=cache", "-p", "no:xdist", "--whisperq-backend=scripted"),
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("conftest", "problem"),
    [
        (
            "from dataclasses import *\nCHATTER = 3",
            "a gate is a value of pytest_whisperq.gates.Gate (got 3); see docs/own-gate.md",
        ),
        ("from my_gate import CHATTER as G\nCHATTER = G._replace(name='size')", "*the name 'size' is taken; *"),
        ("from my_gate import CHATTER as G\nCHATTER = G._replace(name='report')", "*the name 'report' is taken; *"),
        ("from my_gate import CHATTER as G\nCHATTER = G._replace(name='a b')", "*'a b' cannot be that of a marker; *"),
    ],
)
def test_what_is_no_gate_or_takes_a_name_is_refused(own: Project, conftest: str, problem: str) -> None:
    own.pytester.makeconftest(f"{conftest}\n\n{HOOK}")
    result = own.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{problem}"])


def test_a_run_leaves_no_gate_behind_for_the_next_one_in_this_process(hooked: Project) -> None:
    hooked.run("-k", "called")
    assert "chatter" not in registry.names()


def test_a_gate_that_does_not_exist_is_named(project: Project) -> None:
    project.record(5, int8=same)
    project.pytester.makepyfile("def test_it(whisperq_gate):\n    whisperq_gate.acuracy()\n")
    result = project.run()
    result.stdout.fnmatch_lines(
        ["*AttributeError: whisperq_gate: unknown gate 'acuracy' (did you mean 'accuracy'[?]); *"]
    )
