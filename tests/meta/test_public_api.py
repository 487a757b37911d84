"""The names users type: exports, options, markers, fixtures, and that the README says the same."""

import re
from pathlib import Path

import pytest

import pytest_whisperq
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import all_gates

README = Path(__file__).parents[2] / "README.md"


def test_exports_are_sorted_and_real() -> None:
    assert pytest_whisperq.__all__ == sorted(pytest_whisperq.__all__)
    for name in pytest_whisperq.__all__:
        assert getattr(pytest_whisperq, name).__name__ == name


def test_an_unknown_export_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pytest_whisperq.nonsense


def test_readme_lists_every_option_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(--whisperq-[a-z-]+)` \|.*\| (.*?) \|$", README.read_text(), re.MULTILINE))
    assert rows.keys() == {option.flag for option in OPTIONS}
    for option in OPTIONS:
        if option.default is not None:
            assert rows[option.flag] == f"`{option.default}`"


def test_readme_lists_every_marker_with_its_keywords() -> None:
    text = README.read_text()
    for gate in all_gates():
        assert f"`{gate.marker}({', '.join(f'{key}=' for key in gate.keywords)})`" in text


def test_help_shows_every_option(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest("--help").stdout.str()
    for option in OPTIONS:
        assert option.flag in shown
        assert option.ini in shown


def test_markers_are_registered(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest("--markers").stdout.str()
    for gate in all_gates():
        assert f"@pytest.mark.{gate.usage}" in shown
