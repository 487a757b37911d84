"""Windows, the virtual clock, and profiles as files."""

import json
from pathlib import Path

import pytest

from pytest_whisperq.errors import StreamError
from pytest_whisperq.streaming import Chunk, LocalAgreement, StreamProfile, Word
from pytest_whisperq.streaming.overlap import load_profile, save_profile
from pytest_whisperq.streaming.simulate import play, windows

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
    word = Word("one", 100, 400)
    chunks = [Chunk(0, 0, 1000, (word,)), Chunk(1, 0, 2000, (word,)), Chunk(2, 0, 3000, (word,), final=True)]
    events = play(chunks, [1500.0, 200.0, 100.0], LocalAgreement(PROFILE))
    assert [event.done for event in events] == [2500.0, 2700.0, 3100.0, 3100.0]
    assert [event.sent for event in events] == [1000, 2000, 3000, 3000]
    assert [len(event.committed) for event in events] == [0, 1, 1, 1]
    assert events[0].shown == (word,)
    assert events[-1].took == 0.0


def test_a_profile_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    profile = StreamProfile(edge=450, jitter=160, longest_word=1560, repeat_spacing=962)
    save_profile(profile, path)
    assert load_profile(path, "--option") == profile


def test_what_a_profile_leaves_out_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text('{"edge": 100}')
    assert load_profile(path, "--option") == StreamProfile(edge=100)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "is not JSON"),
        ("[1]", "holds no JSON object"),
        ('{"hops": 1}', "unknown key 'hops'; valid: window, hop, edge"),
        ('{"hop": 0.5}', "hop must be a whole number (got 0.5)"),
        ('{"hop": true}', "hop must be a whole number (got True)"),
        ('{"hop": 0}', "hop is 0; a stream needs 1 or more"),
        ('{"window": 1500}', "no merge can be right"),
    ],
)
def test_a_profile_that_cannot_be_used_names_option_and_file(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "profile.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StreamError) as caught:
        load_profile(path, "--whisperq-merge-profile")
    assert str(caught.value).startswith(f"--whisperq-merge-profile: {path}")
    assert told in str(caught.value)


def test_a_profile_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"nowhere.*cannot be written"):
        save_profile(PROFILE, tmp_path / "nowhere" / "profile.json")


def test_a_profile_is_readable_by_people(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    save_profile(PROFILE, path)
    assert json.loads(path.read_text())["window"] == 6000
    assert path.read_text().count("\n") > 5
