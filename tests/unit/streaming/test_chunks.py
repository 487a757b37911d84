"""Chunks, texts and overlaps of streams; merges on generated streams are in `property/test_merges.py`."""

import unicodedata

import pytest

from pytest_whisperq.streaming import (
    Chunk,
    LocalAgreement,
    Merger,
    StreamProfile,
    StreamWord,
    TextMerge,
    TimeAnchoredMerge,
    english_tens,
    join,
    key,
    required_overlap,
)
from pytest_whisperq.system.errors import StreamError


def words(text: str, step: int = 300) -> tuple[StreamWord, ...]:
    return tuple(StreamWord(part, index * step, index * step + 250) for index, part in enumerate(text.split()))


def test_a_chunk_that_ends_before_it_starts_is_an_error() -> None:
    with pytest.raises(StreamError, match="chunk 3: ends at 10 ms, before it starts at 20 ms"):
        Chunk(3, 20, 10)


NAN = float("nan")
SO = StreamWord("so", 0, 250)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((0, 0.0, 6.0), "chunk 0: start is 0.0, a float, where whole milliseconds are needed; give an int; of seconds"),
        ((0, 0, NAN), "end is nan, a float"),
        ((0, 0, True), "end is True, a bool"),
        ((0, 0, "6000"), "end is '6000', a str"),
        ((0, 0, 6000, (SO._replace(start=0.25),)), "the start of 'so' is 0.25, a float"),
        ((0, 0, 6000, (SO, SO._replace(end=NAN))), "the end of 'so' is nan, a float"),
        ((0, 0, 6000, (SO._replace(end=None),)), "the end of 'so' is None, a NoneType"),
        ((0, 0, 6000, [SO]), "words are a list; give a tuple of StreamWord"),
        ((0, 0, 6000, "so it is"), "words are a str"),
        ((0, 0, 6000, (("so", 0, 250),)), r"\('so', 0, 250\) is no word; give StreamWord"),
        ((0, 0, 6000, (StreamWord(None, 0, 250),)), "is no word; .* the text a str"),
        ((0, 0, 6, (StreamWord("so", 0, 1),)), "words in a window of 6 ms, 0 to 6; if these are seconds, give millis"),
        ((0, 20, 50, (StreamWord("so", 21, 22),)), "words in a window of 30 ms, 20 to 50; if these are seconds"),
        ((0.5, 0, 6000), "chunk 0.5: seq is 0.5, a float; count chunks"),
        ((-1, 0, 6000), "chunk -1: seq is -1"),
        ((0, 0, 6000, (), "yes"), "final is 'yes'; write True or False"),
    ],
)
def test_what_is_no_chunk_in_milliseconds_is_refused_at_once(arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(StreamError, match=told):
        Chunk(*arguments)


def test_what_decoders_do_to_words_is_left_to_the_merge() -> None:
    reaching_out = (StreamWord("so", -20, 300), StreamWord("it", 900, 800), StreamWord("is", 1100, 1200))
    assert Chunk(0, 0, 1000, reaching_out).words == reaching_out
    assert Chunk(1, 1000, 1000, (StreamWord("x", 1000, 1000),)).end == 1000


@pytest.mark.parametrize("same", ["Café,", "CAFÉ", " café.", unicodedata.normalize("NFD", "café"), "ｃａｆé"])
def test_words_are_the_same_whatever_they_look_like(same: str) -> None:
    assert key(same) == key("café")


def test_what_is_no_word_has_no_key() -> None:
    assert key(" … ") == ""


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["Hello,", " world"], "Hello, world"),
        (["五", "日", "本"], "五日本"),
        (["Tokyo", "は", "東京"], "Tokyo は東京"),
        (["안녕", "세계"], "안녕 세계"),
        (["", " "], ""),
    ],
)
def test_texts_are_joined_as_their_script_does(texts: list[str], joined: str) -> None:
    assert join(StreamWord(text, 0, 0) for text in texts) == joined


def test_tens_and_ones_are_a_number_and_nothing_else_is() -> None:
    assert english_tens("twenty", "five") == "25"
    assert english_tens("five", "twenty") is None
    assert english_tens("two", "five") is None


def test_the_overlap_that_is_needed() -> None:
    profile = StreamProfile(hop=1000, edge=250, jitter=40, longest_word=800, votes=2)
    assert required_overlap(profile) == 1000 + 2 * (250 + 80) + 800


def test_windows_too_short_for_any_merge_are_told_from_those_too_short_for_ours() -> None:
    with pytest.raises(StreamError, match=r"overlap by 500 ms: a word of 800 ms .* no merge can be right"):
        StreamProfile(window=1500, hop=1000).check()
    with pytest.raises(StreamError, match="takes 2460 ms; use windows of 3460 ms, hop less, or ask for fewer votes"):
        TimeAnchoredMerge(StreamProfile(window=3000, hop=1000))
    TimeAnchoredMerge(StreamProfile(window=3460, hop=1000))


def test_times_too_inexact_for_repeats_are_refused() -> None:
    with pytest.raises(StreamError, match="times have to be exact to 33 ms"):
        LocalAgreement(StreamProfile(repeat_spacing=200, jitter=40))


@pytest.mark.parametrize(("name", "value"), [("hop", 0), ("votes", 0), ("edge", -1)])
def test_a_profile_of_nothing_is_refused(name: str, value: int) -> None:
    with pytest.raises(StreamError, match=f"{name} is {value}"):
        StreamProfile(**{name: value})


@pytest.mark.parametrize("make", [TimeAnchoredMerge, LocalAgreement, lambda: TextMerge(lambda old, new: [*old, *new])])
def test_every_merge_is_a_merger_that_ends(make) -> None:
    merge = make()
    assert isinstance(merge, Merger)
    merge.push(Chunk(0, 0, 1000, words("so it is")))
    merge.flush()
    assert join(merge.committed) == "so it is"
    with pytest.raises(RuntimeError, match="flushed"):
        merge.push(Chunk(1, 0, 2000))


def test_a_window_that_is_decoded_again_votes_once() -> None:
    merge = TimeAnchoredMerge(StreamProfile(votes=2))
    for text in ("so it is", "so is it"):
        merge.push(Chunk(0, 0, 3000, words(text)))
    assert merge.committed == (), "one window is one vote, however often it is decoded"
    assert join(merge.push(Chunk(1, 0, 4000, words("so is it"))).committed) == "so is it"


def test_windows_that_never_agree_are_not_waited_for() -> None:
    merge = TimeAnchoredMerge(StreamProfile(votes=2), max_lag=5000)
    for number in range(8):
        merge.push(Chunk(number, 0, 1000 * (number + 2), (StreamWord(f"w{number}", 100, 400),)))
    assert len(merge.committed) == 1


def test_a_number_is_one_word_of_two() -> None:
    merge = TimeAnchoredMerge(StreamProfile(votes=2), numbers=english_tens)
    spoken = words("room twenty five please")
    digits = (spoken[0], StreamWord("25", 300, 850), spoken[3])
    for number, heard in enumerate((spoken, digits, spoken)):
        merge.push(Chunk(number, 0, 2500 + 500 * number, heard, number == 2))
    merge.flush()
    assert join(merge.committed) in ("room twenty five please", "room 25 please")


def test_a_window_that_is_decoded_again_may_move_a_word_to_its_end() -> None:
    merge = TimeAnchoredMerge(StreamProfile(votes=2))
    merge.push(Chunk(0, 0, 3000, (StreamWord("so", 2400, 2600),)))
    merge.push(Chunk(0, 0, 3000, (StreamWord("so", 2500, 2950),)))
    assert join(merge.flush().committed) == "so"
