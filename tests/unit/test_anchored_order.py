"""`TimeAnchoredMerge` where windows come late, miss words, or tell times that swap them: words keep their order."""

from dataclasses import replace

from pytest_whisperq.streaming import Chunk, StreamProfile, TimeAnchoredMerge, Word, join

PROFILE = StreamProfile(window=3000, hop=1000, edge=200, jitter=20, longest_word=500, repeat_spacing=300, votes=2)
"""The inside of a window begins 220 ms behind its start and ends 220 ms before its end."""


def merge(**changes: int) -> TimeAnchoredMerge:
    return TimeAnchoredMerge(replace(PROFILE, **changes))


def at(start: int, text: str = "so", length: int = 100) -> Word:
    return Word(text, start, start + length)


def said(one: TimeAnchoredMerge) -> str:
    one.flush()
    return join(one.committed)


def test_a_window_that_comes_late_still_says_what_no_other_heard() -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 1000, (at(500),)))
    one.push(Chunk(2, 3000, 6000, (at(5850, "then"),)))
    one.push(Chunk(1, 1000, 4000, (at(3100, "it"),)))
    assert said(one) == "so it then"


def test_a_word_that_an_earlier_window_missed_comes_between_the_others() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500), at(1100, "then"))))
    one.push(Chunk(1, 400, 1350, (at(700, "it"),)))
    assert said(one) == "so it then"


def test_short_words_keep_their_order_where_times_would_swap_them() -> None:
    """Said at 1220 and 1250 ms. The first is heard late where it is well inside, the second a little early."""
    one = merge()
    one.push(Chunk(0, 0, 1480, (at(1240, "a", 15),)))
    one.push(Chunk(1, 1000, 3000, (at(1205, "a", 30), at(1232, "b", 58))))
    assert said(one) == "a b"


def test_times_do_not_fall_where_windows_tell_them_otherwise() -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 2000, (at(400), at(700, "a", 10))))
    one.push(Chunk(1, 0, 2100, (at(400), at(672, "a", 10), at(680, "b", 10))))
    assert one.committed == (at(400), at(700, "a", 10), Word("b", 700, 700))
