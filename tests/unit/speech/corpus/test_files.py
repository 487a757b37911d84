"""What is found in a folder, whatever the endings of names."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.files import AUDIO_SUFFIXES, files_in
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
