"""LibriSpeech as it is unpacked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import CorpusError

NAMES = ("test-clean/61/70968/61-70968-0000.flac", "test-clean/61/70968/61-70968-0001.flac")
OTHER = "test-clean/121/121726/121-121726-0000.flac"


@pytest.fixture
def libri(clips: Callable[..., Path]) -> Path:
    """A subset of three clips of two speakers."""
    folder = clips(*NAMES, OTHER)
    (folder / "test-clean/61/70968/61-70968.trans.txt").write_text("61-70968-0000 ONE\n61-70968-0001 TWO WORDS\n")
    (folder / "test-clean/121/121726/121-121726.trans.txt").write_text("121-121726-0000 THREE\n")
    return folder


@pytest.mark.parametrize("within", ["", "test-clean"])
def test_a_subset_is_read_from_its_folder_or_from_the_one_around_it(libri: Path, within: str) -> None:
    corpus = load_corpus(libri / within)
    assert {(item.reference, item.cluster) for item in corpus.utterances} == {
        ("ONE", "61"),
        ("TWO WORDS", "61"),
        ("THREE", "121"),
    }
    assert corpus.notes == ()


def test_several_subsets_ask_for_one(libri: Path) -> None:
    (libri / "dev-clean").mkdir()
    (libri / "test-clean/121").rename(libri / "dev-clean/121")
    with pytest.raises(CorpusError, match=r"several subsets of LibriSpeech \(dev-clean, test-clean\); name one"):
        load_corpus(libri)
    assert len(load_corpus(f"{libri}@dev-clean").utterances) == 1


def test_a_line_without_a_recording_is_refused_and_a_recording_without_a_line_noted(libri: Path) -> None:
    text = libri / "test-clean/61/70968/61-70968.trans.txt"
    text.write_text("61-70968-0000 ONE\n61-70968-0007 SEVEN\n")
    with pytest.raises(CorpusError, match=r"trans\.txt:2: names '61-70968-0007', of which there is no recording"):
        load_corpus(libri)
    text.write_text("61-70968-0000 ONE\n")
    (note,) = load_corpus(libri).notes
    assert f"no row in *.trans.txt names 1 recording ({NAMES[1]})" in note
