"""Make the notebooks of the tests beside them, and run them: ``python docs/examples/make.py [NAME …]``.

A test is a notebook whose cells begin with ``# %%``: text where ``[markdown]`` follows, and code. A cell that defines a
test runs it. pytest-whisperq has to be installed with ``all``, nbclient and ipykernel beside it.
"""

import ast
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def tests() -> list[Path]:
    """Return the tests that are notebooks too."""
    return sorted(HERE.glob("test_*.py"))


def notebook_of(test: Path) -> Path:
    """Return the notebook of a test."""
    return test.with_name(f"{test.stem.removeprefix('test_')}.ipynb")


def cells(test: Path) -> list[tuple[str, str]]:
    """Return kind ("markdown" or "code") and source of each cell; what comes before the first one is the module's."""
    parts = []
    for part in test.read_text(encoding="utf-8").split("\n# %%")[1:]:
        head, _, body = part.partition("\n")
        if head.strip() == "[markdown]":
            body = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
            parts.append(("markdown", body))
        else:
            parts.append(("code", called(body.strip())))
    return parts


def called(code: str) -> str:
    """Return the code of a cell, and behind it a call of each test that it defines."""
    names = [one.name for one in ast.parse(code).body if isinstance(one, ast.FunctionDef)]
    calls = [f"{name}()" for name in names if name.startswith("test_")]
    return "\n\n\n".join([code, *(["\n".join(calls)] if calls else [])])


def run(test: Path) -> Any:
    """Return the notebook of a test with what its cells print; a cell that fails raises `CellExecutionError`."""
    import nbformat
    from nbclient import NotebookClient

    made = nbformat.v4.new_notebook(metadata=KERNEL)
    for number, (kind, source) in enumerate(cells(test)):
        make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        made.cells.append(make(source, id=f"cell-{number}"))
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(made, timeout=1200, kernel_name="python3", resources=resources).execute()
    for cell in made.cells:
        cell.metadata.clear()  # when it ran
        if cell.cell_type == "code":  # warnings and progress of libraries are no part of what is shown
            cell.outputs = [one for one in cell.outputs if one.get("name") == "stdout" or one.output_type == "error"]
    made.metadata.pop("language_info", None)  # the version of Python it ran on
    return made


def main(names: list[str]) -> None:
    """Run the notebooks of these names, or all, and write them with their outputs."""
    import nbformat

    for test in tests():
        if not names or notebook_of(test).stem in names:
            nbformat.write(run(test), notebook_of(test))
            print(notebook_of(test).name)


if __name__ == "__main__":
    main(sys.argv[1:])
