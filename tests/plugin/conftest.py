"""A user's project, run without xdist and with it."""

import importlib

import pytest

# pytester forgets every module that a run inside this process is the first to import. Extension modules abort when they
# are loaded a second time, and a package remembers submodules that are forgotten, so that two copies of one class would
# meet. Everything a gate uses is therefore loaded before any such run. So is hypothesis, which takes longest of all:
# its plugin loads it at the end of every run.
for name in (
    *("hypothesis", "jinja2", "jiwer", "numpy", "rich.console", "rich.table", "scipy.special", "soundfile", "soxr"),
    *("whisper_normalizer.basic", "whisper_normalizer.english"),
    *("pytest_whisperq.backends.scripted", "pytest_whisperq.plugin.gating", "pytest_whisperq.plugin.state"),
    *("pytest_whisperq.plugin.publishing", "pytest_whisperq.contract.known_bad", "pytest_whisperq.contract.merge_kit"),
    *("pytest_whisperq.contract.streams", "pytest_whisperq.gates.speedup"),
):
    importlib.import_module(name)

from scripted_project import Project  # noqa: E402 - after the loop above


@pytest.fixture(params=[(), ("-n2",)], ids=["plain", "n2"])
def any_project(request: pytest.FixtureRequest) -> Project:
    """A project whose tests run without xdist and in two workers, which takes ten times as long to start."""
    return Project(request, request.param)


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Project:
    """A project whose tests run in this process."""
    return Project(request, ("-p", "no:xdist"))
