"""The notebooks run, from the first cell to the last: each is executed anew in a kernel of its own."""

import os
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MAKE = runpy.run_path(str(EXAMPLES / "make.py"))

pytestmark = pytest.mark.matrix


@pytest.fixture(scope="module", autouse=True)
def _runner() -> None:
    """Skip where nothing runs notebooks, unless this is the environment that is there for it."""
    missing = [name for name in ("nbclient", "ipykernel") if find_spec(name) is None]
    if missing:
        reason = f"needs {', '.join(missing)}: tox run -e examples"
        if os.environ.get("WHISPERQ_NOTEBOOKS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.parametrize("test", MAKE["tests"](), ids=lambda test: test.stem)
def test_a_notebook_runs_and_prints_where_its_kept_one_does(test: Path) -> None:
    import nbformat

    kept = nbformat.read(MAKE["notebook_of"](test), as_version=4)
    made: Any = MAKE["run"](test)
    assert [bool(cell.get("outputs")) for cell in made.cells] == [bool(cell.get("outputs")) for cell in kept.cells]
