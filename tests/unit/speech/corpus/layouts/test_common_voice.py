"""Common Voice as it is unpacked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import CorpusError

HEADER = "client_id\tpath\tsentence\tup_votes\tage\tgender\taccents\tlocale\n"


@pytest.fixture
def voices(clips: Callable[..., Path]) -> Path:
    """Three clips of two people, two of them in the test list."""
    folder = clips("clips/a.mp3", "clips/b.mp3", "clips/c.mp3")
    (folder / "test.tsv").write_text(
        f'{HEADER}f00\ta.mp3\t"Bonjour", dit-il.\t2\t\t\t\tfr\nf00\tb.mp3\tDeux\t2\tteens\tfemale\t\tfr\n'
    )
    (folder / "train.tsv").write_text(f"{HEADER}ba2\tc.mp3\tTrois\t2\t\t\t\tfr\n")
    return folder


def test_the_test_list_is_read_with_its_speakers_and_its_language(voices: Path) -> None:
    for location in (voices, voices / "test.tsv"):
        first, second = load_corpus(location).utterances
        assert (first.id, first.reference) == ("clips/a.mp3", '"Bonjour", dit-il.')
        assert (first.cluster, first.language) == ("f00", "fr")
        assert dict(second.slices) == {"up_votes": "2", "age": "teens", "gender": "female", "language": "fr"}


def test_another_list_is_a_split(voices: Path) -> None:
    assert load_corpus(f"{voices}@train").utterances[0].reference == "Trois"
    with pytest.raises(CorpusError, match=r"there is no dev\.tsv; it has: test, train"):
        load_corpus(f"{voices}@dev")
