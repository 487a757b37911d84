"""The picture of a stream."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_whisperq.measuring.timeline import timeline
from pytest_whisperq.reporting.timeline import draw
from pytest_whisperq.streaming import StreamWord
from pytest_whisperq.streaming.simulate import Event
from pytest_whisperq.system.errors import MissingDependency, StreamError

ONE, TWO = StreamWord("one", 100, 500), StreamWord("two", 600, 900)
EVENTS = (
    Event(1000, 1100.0, 100.0, (), (ONE,)),
    Event(2000, 2100.0, 100.0, (ONE,), (TWO._replace(text="too"),)),
    Event(3000, 3100.0, 100.0, (ONE, TWO), ()),
    Event(3000, 3100.0, 0.0, (ONE, TWO), ()),
)


def test_a_word_is_shown_when_it_first_stands_there_and_committed_later() -> None:
    one, two = timeline(EVENTS)
    assert (one.shown, one.committed) == (1100.0, 2100.0)
    assert (two.shown, two.committed) == (3100.0, 3100.0)  # "too" was another word


def test_an_equal_word_far_away_is_not_the_same_one() -> None:
    later = StreamWord("one", 5000, 5400)
    events = (Event(1000, 1100.0, 0.0, (ONE,), ()), Event(6000, 6100.0, 0.0, (ONE, later), ()))
    assert [word.shown for word in timeline(events)] == [1100.0, 6100.0]


def test_a_picture_has_every_word_as_text_whatever_it_is(tmp_path: Path) -> None:
    strange = [
        StreamWord("<script>alert(1)</script>", 100, 500),
        StreamWord("$x^2$ & 5 $", 600, 900),
        StreamWord("日本", 35_000, 35_400),
    ]
    path = tmp_path / "timeline.svg"
    draw("a model", (Event(36_000, 36_100.0, 100.0, tuple(strange), ()),) * 2, path)
    texts = "".join(ElementTree.parse(path).getroot().itertext())
    assert all(word.text in texts for word in strange)
    assert "<script>" not in path.read_text(encoding="utf-8")


def test_an_empty_stream_has_a_picture_too(tmp_path: Path) -> None:
    draw("a model", (Event(1000, 1000.0, 0.0, (), ()),), tmp_path / "timeline.svg")
    assert (tmp_path / "timeline.svg").is_file()


def test_a_picture_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"nowhere.*the timeline cannot be written"):
        draw("a model", EVENTS, tmp_path / "nowhere" / "timeline.svg")


def test_without_matplotlib_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(MissingDependency, match=r'draw timelines; run: pip install "pytest-whisperq\[plots\]"'):
        draw("a model", EVENTS, tmp_path / "timeline.svg")
