"""The notebooks of docs/examples say what the tests beside them say, and nothing of the machine that ran them."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.config.options import OPTIONS

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MAKE = runpy.run_path(str(EXAMPLES / "make.py"))
TESTS = MAKE["tests"]()
FOLDERS = re.compile(r"(?<![\w.:/<])/(?:home|root|tmp|work|usr|opt|var|Users|private|mnt)\b|\b[A-Z]:\\\\")
MOST = 60_000
"""So many bytes a notebook has at most: its outputs are text that somebody reads."""


def kept(test: Path) -> Any:
    """Return the notebook of a test as it lies there."""
    return json.loads(MAKE["notebook_of"](test).read_text(encoding="utf-8"))


def text_of(value: str | list[str]) -> str:
    """Return a text of a notebook, which may be a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def test_there_are_three_and_no_notebook_without_a_test() -> None:
    assert sorted(EXAMPLES.glob("*.ipynb")) == sorted(map(MAKE["notebook_of"], TESTS))
    assert len(TESTS) == 3


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.stem)
def test_a_notebook_has_the_cells_of_its_test(test: Path) -> None:
    found = [(cell["cell_type"], text_of(cell["source"])) for cell in kept(test)["cells"]]
    assert found == MAKE["cells"](test), "make it anew: python docs/examples/make.py"


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.stem)
def test_every_test_of_a_notebook_was_run_and_shows_what_it_found(test: Path) -> None:
    for cell in kept(test)["cells"]:
        if cell["cell_type"] == "code":
            assert cell["execution_count"]
            assert not [one for one in cell["outputs"] if one["output_type"] == "error"]
            source = text_of(cell["source"])
            assert bool(cell["outputs"]) == ("def test_" in source or "\nprint(" in source), source[:80]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.stem)
def test_a_notebook_is_short_and_names_no_folder_of_a_machine(test: Path) -> None:
    path = MAKE["notebook_of"](test)
    text = path.read_text(encoding="utf-8")
    assert FOLDERS.findall(text) == []
    assert len(text.encode()) <= MOST
    assert set(kept(test)["metadata"]) <= {"kernelspec"}


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.stem)
def test_options_of_an_example_exist(test: Path) -> None:
    flags = set(re.findall(r"--whisperq-[a-z-]+", test.read_text(encoding="utf-8")))
    assert flags
    assert flags <= {option.flag for option in OPTIONS}


def test_a_folder_of_a_machine_is_seen() -> None:
    assert FOLDERS.search('"/home/ann/model"')
    assert FOLDERS.search("wrote /tmp/x.json")
    assert not FOLDERS.search("https://example.org/home/x and docs/usr/x")


def test_cells_are_parted_and_a_test_is_called(tmp_path: Path) -> None:
    path = tmp_path / "test_example.py"
    path.write_text(
        '"""Doc."""\n\n# %% [markdown]\n# # Title\n#\n# text\n\n# %%\nA = 1\n\n\ndef test_it():\n    pass\n'
    )
    assert MAKE["cells"](path) == [
        ("markdown", "# Title\n\ntext"),
        ("code", "A = 1\n\n\ndef test_it():\n    pass\n\n\ntest_it()"),
    ]
