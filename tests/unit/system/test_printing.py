"""What a terminal, a reader's eye or a CI service would obey is written out, and everything else is left as it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.printing import printable, visible, without_commands


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m\x9d8;;http://x\x9c", r"\x9b31m\x9d8;;http://x\x9c"),
        ("\u202efdp.exe\u2066", r"\u202efdp.exe\u2066"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\udcff.wav", r"\udcff.wav"),
        ("a\U000e0041", r"a\U000e0041"),
        ("::error file=a.py::no", r":\:error file=a.py::no"),
        (" \u3000::set-output", " \u3000:\\:set-output"),
        ("a ##[error]b", r"a #\#[error]b"),
        ("##vso[task.complete]", r"#\#vso[task.complete]"),
        ("##teamcity[buildStop]", r"#\#teamcity[buildStop]"),
    ],
)
def test_what_would_be_obeyed_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "test_it.py::test_a[x-int8]",
        "pytest 'a b'::c",
        "## heading",
        "日本語",
        "भारत\u200dत",
        "\u200fעברית",
        "🎧",
        "C:\\a",
        "a::b",
    ],
)
def test_all_else_is_left_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.text())
def test_a_line_stays_one_and_does_nothing(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown
    shown.encode()  # or a terminal could not show it


def test_each_of_several_lines_is_guarded_and_colours_stay() -> None:
    assert without_commands("\x1b[1ma\x1b[0m\n  ::error b\nc::d") == "\x1b[1ma\x1b[0m\n  :\\:error b\nc::d"


def test_an_error_is_one_line_whatever_it_names() -> None:
    error = CorpusError("has no text", where="\n::error file=a.py::\x1b[31m.wav", remedy="write it")
    assert str(error) == r"\n::error file=a.py::\x1b[31m.wav: has no text; write it"
    assert str(error.within("::a")) == ":" + rf"\:a: {error}"
    assert error.where.startswith("\n")  # a value, as it is


def test_for_markdown_and_html_controls_alone_are_written_out() -> None:
    assert visible("::error \u202e") == r"::error \u202e"
