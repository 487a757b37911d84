"""LJSpeech as it is unpacked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError


@pytest.fixture
def speech(clips: Callable[..., Path]) -> Path:
    """Three clips, two of them with quotes in their text."""
    folder = clips("wavs/LJ001-0001.wav", "wavs/LJ001-0002.wav", "wavs/LJ001-0003.wav")
    (folder / "metadata.csv").write_text(
        'LJ001-0001|Printing, in 1455|Printing, in fourteen fifty-five\nLJ001-0002|"in|"in\nLJ001-0003|being|being\n'
    )
    return folder


def test_the_normalized_text_is_read_and_the_other_on_demand(speech: Path) -> None:
    for location in (speech, speech / "metadata.csv"):
        texts = [item.reference for item in load_corpus(location).utterances]
        assert texts == ["Printing, in fourteen fifty-five", '"in', "being"]
    raw = load_corpus(speech, choices=Choices(text_column="text")).utterances
    assert raw[0].reference == "Printing, in 1455"


def test_a_line_without_a_recording_is_refused_and_a_recording_without_a_line_noted(speech: Path) -> None:
    with (speech / "metadata.csv").open("a") as file:
        file.write("LJ001-0009|nine|nine\n")
    with pytest.raises(CorpusError, match=r"metadata\.csv:4: names 'LJ001-0009', of which there is no recording"):
        load_corpus(speech)
    (speech / "metadata.csv").write_text("LJ001-0001|one\n")
    (note,) = load_corpus(speech).notes
    assert "no row in metadata.csv names 2 recordings (wavs/LJ001-0002.wav, wavs/LJ001-0003.wav)" in note
