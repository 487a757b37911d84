"""What a merge may count on: which profiles are refused, and with which words; profiles as files."""

import json
import re
from pathlib import Path

import pytest

from pytest_whisperq.streaming import StreamProfile, required_overlap
from pytest_whisperq.streaming.overlap import load_profile, save_profile
from pytest_whisperq.system.errors import StreamError


def test_what_a_merge_counts_on_unless_it_is_told() -> None:
    """Who names no profile relies on these staying as they are; docs/own-merge.md tells them."""
    usual = StreamProfile(window=6000, hop=1000, edge=250, jitter=40, longest_word=800, repeat_spacing=260, votes=2)
    assert StreamProfile() == usual


@pytest.mark.parametrize("name", ["window", "hop", "longest_word", "repeat_spacing", "votes"])
def test_there_is_one_of_each_at_least(name: str) -> None:
    assert getattr(StreamProfile(**{name: 1}), name) == 1
    with pytest.raises(StreamError, match=f"^{name} is 0; a stream needs 1 or more$"):
        StreamProfile(**{name: 0})


@pytest.mark.parametrize("name", ["edge", "jitter"])
def test_windows_may_hear_exactly_but_not_better_than_that(name: str) -> None:
    assert getattr(StreamProfile(**{name: 0}), name) == 0
    with pytest.raises(StreamError, match=f"^{name} is -1; it cannot be negative$"):
        StreamProfile(**{name: -1})


def test_a_profile_is_named_number_by_number_and_then_stays() -> None:
    with pytest.raises(TypeError):
        StreamProfile(6000)  # type: ignore[misc]
    profile = StreamProfile()
    with pytest.raises(AttributeError):
        profile.hop = 500  # type: ignore[misc]
    assert {profile, StreamProfile()} == {profile}


def test_where_windows_hear_exactly_the_longest_word_is_overlap_enough_for_one_vote() -> None:
    StreamProfile(window=1800, hop=1000, longest_word=800, edge=0, jitter=0, votes=1).check()
    with pytest.raises(StreamError, match="overlap by 799 ms: a word of 800 ms may be whole in none"):
        StreamProfile(window=1799, hop=1000, longest_word=800, edge=0, jitter=0, votes=1).check()


def test_what_is_refused_comes_with_the_length_that_is_not() -> None:
    """Windows as long as a message says are long enough, and one millisecond less is not."""
    for window in (1500, 3459):
        with pytest.raises(StreamError) as refused:
            StreamProfile(window=window).check()
        assert re.findall(r"windows of (\d+) ms", str(refused.value)) == [str(window), "3460"]
    StreamProfile(window=3460).check()


def test_what_more_votes_take() -> None:
    needed = [required_overlap(StreamProfile(hop=400, edge=10, jitter=3, longest_word=50, votes=n)) for n in (1, 2, 4)]
    assert needed == [82, 482, 1282]


@pytest.mark.parametrize(("jitter", "closest"), [(40, 242), (20, 122), (0, 2)])
def test_equal_words_may_be_as_close_as_their_times_are_exact(jitter: int, closest: int) -> None:
    StreamProfile(jitter=jitter, repeat_spacing=closest).check()
    if jitter:
        exact = f"after {closest - 1} ms and its time may be {jitter} ms off: .* exact to {jitter - 1} ms"
    else:
        exact = "after 1 ms and its time may be 0 ms off: .* exact to 0 ms"
    with pytest.raises(StreamError, match=exact):
        StreamProfile(jitter=jitter, repeat_spacing=closest - 1).check()


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
        ('{"hop": 0.5}', "hop: must be a whole number (got 0.5)"),
        ('{"hop": true}', "hop: must be a whole number (got True)"),
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
        save_profile(StreamProfile(), tmp_path / "nowhere" / "profile.json")


def test_a_profile_is_readable_by_people(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    save_profile(StreamProfile(), path)
    assert json.loads(path.read_text())["window"] == 6000
    assert path.read_text().count("\n") > 5
