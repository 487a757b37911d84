"""The names users type: exports, options, markers, fixtures, and that the documentation says the same."""

import importlib.util
import re
from pathlib import Path

import pytest

import pytest_whisperq
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.registry import all_gates

DOCS = Path(__file__).parents[2] / "docs"


def rendered(page: str) -> str:
    """Return a page as the site shows it, with the tables that `docs/hooks.py` fills in."""
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec
    assert spec.loader
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return str(hooks.on_page_markdown((DOCS / page).read_text(encoding="utf-8")))


def test_exports_are_sorted_and_real() -> None:
    assert pytest_whisperq.__all__ == sorted(pytest_whisperq.__all__)
    for name in pytest_whisperq.__all__:
        assert getattr(pytest_whisperq, name).__name__ == name


def test_an_unknown_export_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pytest_whisperq.nonsense


def test_the_documentation_lists_every_option_with_its_ini_key_and_default() -> None:
    text = rendered("options.md")
    rows = re.findall(r"^\| `(--whisperq-[a-z-]+)` \| `(whisperq_[a-z_]+)` \| (.+) \| (.*?) \|$", text, re.MULTILINE)
    assert [flag for flag, *_ in rows] == [option.flag for option in OPTIONS]
    for option, (_, ini, meaning, default) in zip(OPTIONS, rows, strict=True):
        assert ini == option.ini
        assert meaning.replace("\\|", "|") == option.help
        assert default == ("–" if option.default is None else f"`{option.default}`")


def test_the_documentation_lists_every_marker_with_its_keywords() -> None:
    text = rendered("markers.md")
    for gate in all_gates():
        assert f"| `{gate.marker}({', '.join(f'{key}=' for key in gate.keywords)})` | {gate.summary} |" in text


def test_help_shows_every_option(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest("--help").stdout.str()
    for option in OPTIONS:
        assert option.flag in shown
        assert option.ini in shown


def test_markers_are_registered(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest("--markers").stdout.str()
    for gate in all_gates():
        assert f"@pytest.mark.{gate.usage}" in shown
