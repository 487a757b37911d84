"""A third party's backend: its name, its memory, its module; on the embedded model in `tests/integration`."""

from pathlib import Path

import pytest
from scripted_project import Project, same

from pytest_whisperq.backends import registry

GATE = """
import pytest

@pytest.mark.whisperq_size(max_ratio=1.1)
@pytest.mark.whisperq_parity(max_divergence=0.999, min_exact_match=0.001)
def test_release():
    pass
"""


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


def test_a_run_leaves_no_backend_behind_for_the_next_one_in_this_process(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_whisperq_backends():\n    return {'mine': object}\n")
    assert "mine" not in registry.names()
    result = pytester.runpytest_inprocess("--whisperq-backend=mine", "-p", "no:xdist")
    result.stderr.fnmatch_lines(["*backend 'mine' lacks *"])
    assert "mine" not in registry.names()


SILENT_ABOUT_LANGUAGE = """
from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.backends.scripted import ScriptedBackend

class Mine(ScriptedBackend):
    name = "mine"

    def load(self, precision, directory, threads):
        found = super().load(precision, directory, threads)
        said = found.transcribe
        found.transcribe = lambda clips: [Hypothesis(text=one.text) for one in said(clips)]
        return found

def pytest_whisperq_backends():
    return {"mine": Mine}
"""


def test_a_backend_that_detects_nothing_has_no_language_to_agree_on(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makeconftest(SILENT_ABOUT_LANGUAGE)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_language\ndef test_language():\n    pass\n")
    result = project.run("--whisperq-backend=mine", "--whisperq-baseline=mine")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*whisperq_language: backend 'mine' does not say which language it detects; *"])


def test_memory_of_a_backend_in_a_conftest_is_measured_in_a_process_of_its_own(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makeconftest(SILENT_ABOUT_LANGUAGE)
    project.pytester.mkdir("tests").joinpath("conftest.py").write_text("")
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_memory\ndef test_memory():\n    pass\n")
    result = project.run("--whisperq-backend=mine", "--whisperq-baseline=mine")
    result.assert_outcomes(passed=1)


@pytest.mark.matrix
def test_a_backend_that_is_edited_builds_another_model(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(GATE)
    for comment in ("# first", "# second", "# first"):
        project.pytester.makeconftest(f"{comment}\n{SILENT_ABOUT_LANGUAGE}")
        project.pytester.runpytest_subprocess(
            *("--whisperq-model=model", "--whisperq-corpus=calls", "--whisperq-cache-dir=cache", "-p", "no:xdist"),
            *("--whisperq-backend=mine", "--whisperq-baseline=mine"),
        ).assert_outcomes(passed=1)
    assert len(list((project.pytester.path / "cache" / "artifacts").iterdir())) == 4  # float32 and int8, twice


def test_two_backends_of_one_name_are_an_error(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SILENT_ABOUT_LANGUAGE)
    pytester.makepyfile(other=SILENT_ABOUT_LANGUAGE)
    pytester.syspathinsert()
    result = pytester.runpytest("--whisperq-backend=mine", "-p", "no:xdist", "-p", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the name 'mine' is taken; *"])


def test_memory_of_a_silent_fallback_is_not_gated(project: Project) -> None:
    """What executes is read back in the process whose memory is measured, too."""
    project.record(int8=same)
    falls_back = SILENT_ABOUT_LANGUAGE.replace("return found", "found.compute_type = 'float32'\n        return found")
    project.pytester.makeconftest(falls_back)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_memory\ndef test_memory():\n    pass\n")
    options = ("--whisperq-backend=mine", "--whisperq-baseline=mine")
    result = project.run(*options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mine:int8 was asked for but 'float32' executes here, not 'int8'*"])
    result = project.run(*options, "--whisperq-allow-fallback")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["mine:int8 → float32; *"])


def test_nor_is_that_of_a_model_that_is_elsewhere(project: Project) -> None:
    project.record(int8=same)
    moves = SILENT_ABOUT_LANGUAGE.replace(
        "return found", "found.device = 'cuda' if 'memory' in sys.argv[0] else 'cpu'\n        return found"
    )
    project.pytester.makeconftest(f"import sys\n{moves}")
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_memory\ndef test_memory():\n    pass\n")
    result = project.run("--whisperq-backend=mine", "--whisperq-baseline=mine", "--whisperq-allow-fallback")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mine:float32 was to run on cpu, and its runtime says that it is on cuda; *"])


RELATIVE = "from .engine import Base\n" + SILENT_ABOUT_LANGUAGE.replace("(ScriptedBackend)", "(Base)")
DATACLASS = """from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Settings:
    beams: int = 1

"""


@pytest.mark.parametrize(
    "is_package",
    [
        pytest.param(True, id="a package", marks=pytest.mark.matrix),
        pytest.param(False, id="dataclasses in a conftest"),
    ],
)
def test_memory_of_a_backend_that_needs_its_module_is_measured(project: Project, is_package: bool) -> None:
    project.record(int8=same)
    project.pytester.makepyfile("import pytest\n\n@pytest.mark.whisperq_memory\ndef test_memory():\n    pass\n")
    if is_package:
        package = project.pytester.mkpydir("product")
        (package / "engine.py").write_text("from pytest_whisperq.backends.scripted import ScriptedBackend as Base\n")
        (package / "backend.py").write_text(RELATIVE.partition("def pytest_whisperq_backends")[0])
        project.pytester.makeconftest(
            "from product.backend import Mine\n\ndef pytest_whisperq_backends():\n    return {'mine': Mine}\n"
        )
    else:
        project.pytester.makeconftest(DATACLASS + SILENT_ABOUT_LANGUAGE)
    project.run("--whisperq-backend=mine", "--whisperq-baseline=mine").assert_outcomes(passed=1)


def test_a_backend_is_looked_for_where_it_is_written_not_where_its_decorators_are(tmp_path: Path) -> None:
    """Else an edited one would be taken for the one that was built before."""
    source = tmp_path / "conftest.py"
    source.write_text(
        "from contextlib import contextmanager\n\nimport pytest\n\n"
        "from pytest_whisperq.backends.scripted import ScriptedBackend\n\n\n"
        "class Mine(ScriptedBackend):\n"
        '    name = "mine"\n'
        "    renamed = pytest.register_assert_rewrite\n\n"
        "    @contextmanager\n    def opened(self):\n        yield\n\n"
        "    def load(self, *given):\n        return super().load(*given)\n"
    )
    assert registry.source_of(registry.in_file("mine", source, "surely_not_installed.conftest", "Mine")) == source


def test_a_backend_in_a_file_that_no_name_leads_to_has_its_module(tmp_path: Path) -> None:
    """Dataclasses look theirs up."""
    source = tmp_path / "conftest.py"
    source.write_text(DATACLASS + SILENT_ABOUT_LANGUAGE)
    assert registry.in_file("mine", source, "surely_not_installed.conftest", "Mine").name == "mine"


LOADED_APART = """
from pytest_whisperq.backends.scripted import ScriptedBackend


class Mine(ScriptedBackend):
    name = "mine"
    precisions = {"float32": "float32", "int8": "int8", "int8-short": "int8"}

    def build(self, precision, *rest):
        super().build("int8" if precision == "int8-short" else precision, *rest)

    def load(self, precision, directory, threads):
        found = super().load("int8" if precision == "int8-short" else precision, directory, threads)
        if precision == "int8-short":
            whole = found.transcribe
            found.transcribe = lambda clips: [type(one)(text=one.text[:5]) for one in whole(clips)]
        return found


def pytest_whisperq_backends():
    return {"mine": Mine}
"""


def test_two_precisions_that_a_third_party_loads_differently_are_decoded_apart(project: Project) -> None:
    """The files of both are the same, and so is what they say they execute."""
    project.record(60, int8=same)
    project.pytester.makeconftest(LOADED_APART)
    project.pytester.makepyfile(
        "import pytest\n\n@pytest.mark.whisperq_parity(min_exact_match=0.5, max_divergence=0.5)\ndef test_it(): pass\n"
    )
    result = project.run("--whisperq-candidate=mine:int8,mine:int8-short", "--whisperq-baseline=mine")
    result.assert_outcomes(passed=1, failed=1)
