"""A third party's backend, from the very lines of the documentation: by conftest hook and by entry point."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "own-backend.md"
BLOCKS = re.findall(r"^```(python|toml)\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
BACKEND, HOOK, ENTRY_POINT, CONTRACT = (text for _, text in BLOCKS)
GATE = """
import pytest

@pytest.mark.whisperq_size(max_ratio=1.1)
@pytest.mark.whisperq_parity(max_divergence=0.999, min_exact_match=0.001)
def test_release():
    pass
"""
OPTIONS = ("--whisperq-backend=rounded", "--whisperq-max-utterances=24", "--whisperq-cache-dir=cache", "-p", "no:xdist")


def test_the_documented_backend_takes_sixty_lines() -> None:
    assert len(BACKEND.strip().splitlines()) <= 60


def test_a_conftest_registers_a_backend_that_gates_and_keeps_the_contract(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(rounded_backend=BACKEND, test_release=GATE)
    pytester.makeconftest(f"from rounded_backend import RoundedBackend\n\n{HOOK}")
    pytester.makepyfile(test_contract=f"from rounded_backend import RoundedBackend\n{CONTRACT}")
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(passed=13)
    result.stdout.fnmatch_lines(["rounded:int6, runs float32 on int6 weights; *"])


def test_an_entry_point_registers_a_backend_for_everyone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(rounded_backend=BACKEND, test_release=GATE)
    info = pytester.path / "rounded_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rounded-backend\nVersion: 1.0\n")
    group, line = re.fullmatch(r'\[project\.entry-points\."(.*)"\]\n(.*)\n', ENTRY_POINT).groups()  # type: ignore[union-attr]
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["rounded:int6, runs float32 on int6 weights; *"])


def test_a_name_of_ours_cannot_be_taken_over(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_whisperq_backends():\n    return {'openvino': object}\n")
    result = pytester.runpytest("--whisperq-backend=scripted", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pytest_whisperq_backends: the name 'openvino' is taken; *"])


def test_a_backend_that_is_none_says_what_it_lacks(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_whisperq_backends():\n    return {'mine': object}\n")
    result = pytester.runpytest("--whisperq-backend=mine", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*backend 'mine' lacks name, precisions, recommended, *; subclass *"])
