"""Data directories of Kaldi and ESPnet."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError


@pytest.fixture
def recipe(clips: Callable[..., Path]) -> Path:
    """A recipe with three recordings, and a data directory whose paths are relative to the recipe."""
    folder = clips("downloads/a.wav", "downloads/b.wav", "downloads/c.wav", seconds=3)
    data = folder / "data/test"
    data.mkdir(parents=True)
    (data / "wav.scp").write_text("u1 downloads/a.wav\nu2 downloads/b.wav\nu3 downloads/c.wav\n")
    (data / "text").write_text("u1 one\nu2 two words\nu3 three\n")
    (data / "utt2spk").write_text("u1 anna\nu2 anna\nu3 ben\n")
    (data / "utt2lang").write_text("u1 en\nu2 en\nu3 de\n")
    return folder


def read(recipe: Path) -> list[tuple[str, str, str, str | None]]:
    corpus = load_corpus(recipe / "data/test", choices=Choices(root=recipe.resolve()))
    return [(item.id, item.reference, item.cluster, item.language) for item in corpus.utterances]


def test_utterances_have_their_speakers_and_languages(recipe: Path) -> None:
    assert read(recipe) == [
        ("downloads/a.wav", "one", "anna", "en"),
        ("downloads/b.wav", "two words", "anna", "en"),
        ("downloads/c.wav", "three", "ben", "de"),
    ]
    with pytest.raises(CorpusError, match=r"'downloads/a.wav' does not exist in .*test; correct the path"):
        load_corpus(recipe / "data/test")


def test_segments_are_parts_of_a_recording(recipe: Path) -> None:
    data = recipe / "data/test"
    (data / "wav.scp").write_text("rec downloads/a.wav\n")
    (data / "segments").write_text("u1 rec 0.0 1.0\nu2 rec 0.0 1.5\nu3 rec 2.00 2.5\n")
    corpus = load_corpus(data, choices=Choices(root=recipe.resolve()))
    spans = {item.id: (item.audio.offset, item.audio.seconds) for item in corpus.utterances}
    assert spans == {
        "downloads/a.wav": (0.0, 1.0),
        "downloads/a.wav+1.5": (0.0, 1.5),
        "downloads/a.wav@2": (2.0, 0.5),
    }


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("wav.scp", "u1 sph2pipe -f wav a.sph |\n", r"wav\.scp:1: holds a command, and none is run .*wav-copy"),
        ("wav.scp", "u1 wav.ark:4\n", r"wav\.scp:1: holds a place in an archive .*wav-copy"),
        ("wav.scp", "u9 downloads/a.wav\n", r"text:1: wav\.scp has no line for u1"),
        ("segments", "u1 rec zero 1\n", r"segments:1: must be UTTERANCE RECORDING START END"),
        ("segments", "u1 rec 2 1\n", r"segments:1: ends at 1 s and begins at 2 s"),
        ("text", "u1 one\nu1 two\n", r"text:2: u1 is there twice, first at .*text:1"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(recipe: Path, file: str, content: str, says: str) -> None:
    (recipe / "data/test" / file).write_text(content)
    with pytest.raises(CorpusError, match=says):
        read(recipe)


def test_a_recording_without_text_is_noted(recipe: Path) -> None:
    (recipe / "data/test/text").write_text("u1 one\n")
    corpus = load_corpus(recipe / "data/test", choices=Choices(root=recipe.resolve()))
    assert "text has no line for 2 utterances (u2, u3)" in corpus.notes[0]
