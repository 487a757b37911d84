"""What is found in a folder, whatever the endings of names."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.files import AUDIO_SUFFIXES, files_in, lines_of, read_text
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError

READ = {".aiff": "AIFF", ".aif": "AIFF", ".au": "AU", ".caf": "CAF", ".w64": "W64", ".sph": "NIST", ".rf64": "RF64"}


@pytest.mark.parametrize("suffix", AUDIO_SUFFIXES)
def test_a_recording_is_read_or_named_and_never_passed_over(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"call{suffix.upper()}"
    (tmp_path / "call.txt").write_text("one", encoding="utf-8")
    if suffix in READ:
        soundfile.write(path, np.full(1600, 0.25), 16_000, format=READ[suffix])
    else:
        path.write_bytes(b"no sound at all")
    (item,) = load_corpus(tmp_path).utterances
    assert item.reference == "one"
    if suffix in READ:
        assert audio.load(item.audio).shape == (1600,)
    else:
        with pytest.raises(CorpusError, match=path.name):
            audio.load(item.audio)


def test_folders_that_are_linked_in_a_circle_are_entered_once(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.wav").write_bytes(b"")
    (tmp_path / "deep/up").symlink_to(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/b.wav").write_bytes(b"")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX/c.wav").write_bytes(b"")
    assert list(files_in(tmp_path)) == [tmp_path / "deep/a.wav"]


def test_a_linked_folder_is_read_where_the_root_says_so(tmp_path: Path) -> None:
    """As ``dvc`` links whole folders to its cache."""
    (tmp_path / "cache").mkdir()
    soundfile.write(tmp_path / "cache/a.wav", np.zeros(160), 16_000)
    (tmp_path / "cache/a.txt").write_text("one", encoding="utf-8")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/calls").symlink_to(tmp_path / "cache")
    with pytest.raises(CorpusError, match=r"a\.txt is a link out of"):
        load_corpus(tmp_path / "corpus")
    (item,) = load_corpus(tmp_path / "corpus", choices=Choices(root=tmp_path.resolve())).utterances
    assert (item.id, item.reference) == ("calls/a.wav", "one")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", ["", "one", "one\n", "\r\none\rtwo\n\nthrée \u2028 x\r\n", "\n\n"])
def test_lines_are_those_of_the_text(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode(encoding))
    assert "\n".join(lines_of(path)).rstrip("\n") == read_text(path).rstrip("\n")
    assert list(lines_of(path)) == read_text(path).removesuffix("\n").split("\n") or not text


@pytest.mark.parametrize("data", [b"one\ntw\xff\n", b"\xff\xfea"])
def test_the_line_that_is_no_text_is_named_as_where_all_is_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    with pytest.raises(CorpusError) as whole:
        read_text(path)
    with pytest.raises(CorpusError) as lines:
        list(lines_of(path))
    assert str(lines.value) == str(whole.value)


def test_lines_of_what_is_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read: No such file"):
        list(lines_of(tmp_path / "gone.txt"))
