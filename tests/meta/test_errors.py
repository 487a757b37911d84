"""Every error keeps where it happened and what to do about it in fields of its own, not in its text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_whisperq.system import errors

PACKAGE = Path(errors.__file__).parents[1]

KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.WhisperqError) and kind is not errors.WhisperqError
}

BARE = {"commands/sweep.py": "nothing was measured"}
"""Errors with neither field, by how they begin: this one passes on a verdict's reason, which says what is missing."""

PLACE = re.compile(r"(--([\w-]|\{…\})+|\{…\}(:\{…\})?|whisperq_(\w|\{…\})+|[\w/]+\.\w+(:\d+)?): ")
"""An option, a value, a marker or a file, as the beginning of a message."""


def text_of(node: ast.expr) -> str:
    """Return a message as its source spells it, with each value as ``{…}``."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "{…}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return "{…}"


def faults(source: str, bare: str = "") -> Iterator[str]:
    """Yield what is wrong with each error that a module makes; ``bare`` may have neither field."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        text = text_of(call.args[0]) if call.args else ""
        if name in {*KINDS, "unknown"}:
            if PLACE.match(text):
                yield f"line {call.lineno}: {name} begins with its place: {text!r}"
            is_bare = name in KINDS and not {keyword.arg for keyword in call.keywords} & {"where", "remedy"}
            if is_bare and not (bare and text.startswith(bare)):
                yield f"line {call.lineno}: {name} has neither where= nor remedy=: {text!r}"


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", modules())
def test_errors_of_a_module_keep_place_and_remedy_in_fields(module: str) -> None:
    assert not list(faults((PACKAGE / module).read_text(encoding="utf-8"), BARE.get(module, "")))


def test_the_check_looks_at_errors() -> None:
    assert {"ConfigError", "CorpusError", "MissingDependency"} <= KINDS
    made = sum((PACKAGE / module).read_text(encoding="utf-8").count("Error(") for module in modules())
    assert made > 100


@pytest.mark.parametrize("module", BARE)
def test_an_exception_is_still_needed(module: str) -> None:
    assert list(faults((PACKAGE / module).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("raise ConfigError('--whisperq-seed: no', remedy='name one')", "begins with its place"),
        ("raise CorpusError(f'{path}:{line}: is not UTF-8', remedy='save it again')", "begins with its place"),
        ("raise errors.ConfigError(f'whisperq_{gate}: no float32', remedy='name one')", "begins with its place"),
        ("raise CorpusError(f'{path}: ' + problem, remedy='correct it')", "begins with its place"),
        ("raise unknown(f'{option}: unknown size', name, SIZES)", "begins with its place"),
        ("raise CorpusError('metadata.csv:1: no', remedy='correct it')", "begins with its place"),
        ("error = BuildError(f'{name!r} has no weights; convert them')", "neither where= nor remedy="),
    ],
)
def test_an_error_with_its_place_in_its_text_is_found(source: str, fault: str) -> None:
    assert [fault in found for found in faults(source)] == [True]


@pytest.mark.parametrize(
    "source",
    [
        "raise ConfigError(f'must be a rate (got {value!r})', where='--whisperq-max-drop')",
        "raise BuildError(f'{name!r} has no weights', remedy='convert them')",
        "raise unknown('unknown size', name, SIZES, where=option)",
        "raise ValueError('--whisperq-seed: no')",
    ],
)
def test_an_error_in_fields_passes(source: str) -> None:
    assert not list(faults(source))


RAISED = {*KINDS, "ContractError", "MergeError"}
CHECKS = ("contract/backend.py", "contract/merge.py", "contract/state_machine.py")
"""Modules whose every function is a check that raises; their own docstrings say so."""


def silent(source: str) -> Iterator[str]:
    """Yield the public functions that raise an error of ours and do not say so in their docstrings."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef) or function.name.startswith("_"):
            continue
        docstring = ast.get_docstring(function)
        calls = (node.exc for node in ast.walk(function) if isinstance(node, ast.Raise))
        raised = {getattr(call.func, "id", "") for call in calls if isinstance(call, ast.Call)} & {*RAISED, "unknown"}
        if docstring and raised and not re.search(r"\b[Rr]ais|\b[Rr]efuse", docstring):
            yield function.name


@pytest.mark.parametrize("module", [module for module in modules() if module not in CHECKS])
def test_functions_say_what_they_raise(module: str) -> None:
    assert not list(silent((PACKAGE / module).read_text(encoding="utf-8")))


def test_a_function_that_raises_without_a_word_is_found() -> None:
    told = "def f():\n    'Do it; raise `ConfigError` otherwise.'\n    raise ConfigError('no', where='f')\n"
    assert list(silent(told)) == []
    assert list(silent(told.replace("; raise `ConfigError` otherwise", ""))) == ["f"]
