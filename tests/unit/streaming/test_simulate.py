"""Windows and the virtual clock."""

import pytest

from pytest_whisperq.streaming import Chunk, LocalAgreement, StreamProfile, StreamWord
from pytest_whisperq.streaming.simulate import play, windows
from pytest_whisperq.system.errors import StreamError

PROFILE = StreamProfile(window=6000, hop=1000)


def test_windows_slide_from_the_first_hop_to_the_very_end() -> None:
    found = windows(8500, PROFILE)
    assert found[:2] == [(0, 1000), (0, 2000)]
    assert found[-3:] == [(1000, 7000), (2000, 8000), (2500, 8500)]


def test_a_length_of_whole_hops_has_no_window_twice() -> None:
    assert windows(2000, PROFILE) == [(0, 1000), (0, 2000)]


def test_nothing_cannot_be_streamed() -> None:
    with pytest.raises(StreamError, match="a recording of 0 ms has nothing to stream"):
        windows(0, PROFILE)


def test_a_window_waits_for_its_sound_and_for_the_one_before() -> None:
    word = StreamWord("one", 100, 400)
    chunks = [Chunk(0, 0, 1000, (word,)), Chunk(1, 0, 2000, (word,)), Chunk(2, 0, 3000, (word,), final=True)]
    events = play(chunks, [1500.0, 200.0, 100.0], LocalAgreement(PROFILE))
    assert [event.done for event in events] == [2500.0, 2700.0, 3100.0, 3100.0]
    assert [event.sent for event in events] == [1000, 2000, 3000, 3000]
    assert [len(event.committed) for event in events] == [0, 1, 1, 1]
    assert events[0].shown == (word,)
    assert events[-1].took == 0.0
