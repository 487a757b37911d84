"""STM with its recordings, as TED-LIUM has them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import CorpusError

LINES = """;; CATEGORY "0" "" ""
Talk_2010 1 Anna 0.5 1.5 <o,f0,female> hello there
Talk_2010 1 inter_segment_gap 1.5 2.0 <o,,> ignore_time_segment_in_scoring
Talk_2010 1 Anna 2.0 2.75 <o,f0,female> two
Other 1 Ben 0 1 three
"""


@pytest.fixture
def talks(clips: Callable[..., Path]) -> Path:
    """Three segments of two talks."""
    folder = clips("sph/Talk_2010.wav", "sph/Other.wav", seconds=3)
    (folder / "stm").mkdir()
    (folder / "stm/talks.stm").write_text(LINES)
    return folder


def test_segments_are_utterances_of_their_speaker(talks: Path) -> None:
    corpus = load_corpus(talks)
    rows = [(item.id, item.reference, item.cluster, item.audio.seconds) for item in corpus.utterances]
    assert rows == [
        ("sph/Talk_2010.wav@0.5", "hello there", "Anna", 1.0),
        ("sph/Talk_2010.wav@2", "two", "Anna", 0.75),
        ("sph/Other.wav", "three", "Ben", 1.0),
    ]
    assert corpus.notes == ("left out as ignore_time_segment_in_scoring: 1 segment",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Talk_2010 2 Anna 0 1 x", r"talks\.stm:6: Talk_2010 has several channels; they would be mixed"),
        ("None 1 Anna 0 1 x", r"talks\.stm:6: names 'None', of which there is no recording"),
        ("Talk_2010 1 Anna 2 1 x", r"talks\.stm:6: ends at 1 s and begins at 2 s"),
        ("Talk_2010 1 Anna", r"talks\.stm:6: must be FILE CHANNEL SPEAKER START END TEXT"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(talks: Path, line: str, says: str) -> None:
    (talks / "stm/talks.stm").write_text(f"{LINES}{line}\n")
    with pytest.raises(CorpusError, match=says):
        load_corpus(talks)


def test_two_recordings_of_one_name_are_not_chosen_from(clips: Callable[..., Path], talks: Path) -> None:
    clips("wav/Other.wav", seconds=3)
    with pytest.raises(CorpusError, match=r"names 'Other', which could be sph/Other\.wav or wav/Other\.wav"):
        load_corpus(talks)
