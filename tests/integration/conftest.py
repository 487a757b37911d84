"""Real backends on the embedded model: one cache for all tests, so that each model is built and decoded once."""

import gc
import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner

DEFAULTS = {"whisperq_max_utterances": "36", "whisperq_calibration_samples": "4", "whisperq_threads": "1"}
"""One thread: a second one spins on the core that another worker's tests need."""


@pytest.fixture(scope="session", autouse=True)
def light_collections() -> None:
    """Let no garbage collection look at what the runtimes consist of: an export collects a dozen times."""
    for name in ("nncf", "optimum.intel", "torch", "transformers"):
        importlib.import_module(name)
    gc.freeze()


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache shared by the tests of this run, whichever worker runs them."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"


@pytest.fixture(scope="session")
def gate_run(cache_dir: Path) -> Callable[..., GateRunner]:
    """Return a function from options (``candidate="openvino:int8"``) to a run on 36 clips of the embedded corpus."""

    def make(**options: str) -> GateRunner:
        typed = {**DEFAULTS, "whisperq_cache_dir": str(cache_dir), **_prefixed(options)}
        return GateRunner(resolve({key: value for key, value in typed.items() if value}))

    return make


def _prefixed(options: dict[str, str]) -> dict[str, str]:
    return {f"whisperq_{name}": value for name, value in options.items()}
