"""`TimeAnchoredMerge` where windows come late, miss words, or tell times that swap them: words keep their order."""

from dataclasses import replace

import pytest

from pytest_whisperq.streaming import Chunk, StreamProfile, StreamWord, TimeAnchoredMerge, join

PROFILE = StreamProfile(window=3000, hop=1000, edge=200, jitter=20, longest_word=500, repeat_spacing=300, votes=2)
"""The inside of a window begins 220 ms behind its start and ends 220 ms before its end."""


def merge(**changes: int) -> TimeAnchoredMerge:
    return TimeAnchoredMerge(replace(PROFILE, **changes))


def at(start: int, text: str = "so", length: int = 100) -> StreamWord:
    return StreamWord(text, start, start + length)


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
    assert one.committed == (at(400), at(700, "a", 10), StreamWord("b", 700, 700))


def test_two_words_that_a_late_window_alone_heard_come_before_the_others() -> None:
    one = merge()
    one.push(Chunk(1, 600, 2600, (at(1300, "c"), at(1500, "d"))))
    one.push(Chunk(0, 0, 1450, (at(500, "a"), at(700, "b"))))
    assert said(one) == "a b c d"


@pytest.mark.parametrize("moved", [1980, 2500])
def test_a_window_sent_again_long_after_brings_nothing_back_that_others_denied(moved: int) -> None:
    one = merge()
    first = Chunk(0, 0, 2000, (at(500), at(1000, "invented")))
    for chunk in (first, Chunk(1, 0, 2500, (at(500),)), Chunk(2, 0, 2600, (at(500),)), Chunk(3, moved, moved + 3000)):
        one.push(chunk)
    assert one.push(first) == ((), ())
    assert said(one) == "so"


def test_what_windows_do_not_agree_on_waits_for_the_window_where_sound_begins() -> None:
    one = merge()
    one.push(Chunk(1, 300, 3300, (at(700, "it"),)))
    one.push(Chunk(2, 1000, 3700, (at(2000, "then"),)))
    one.push(Chunk(0, 0, 2300, (at(400), at(700, "it"), at(2000, "then"))))
    assert said(one) == "so it then"


def test_a_short_word_is_known_again_as_it_was_said_not_as_it_was_heard_last() -> None:
    """So short that the word after it might begin in the same place."""
    one = TimeAnchoredMerge(replace(PROFILE, votes=3, window=4000), max_lag=1000)
    for number, (end, text) in enumerate([(1200, "a"), (1300, "a"), (1530, "b"), (1600, "a")]):
        update = one.push(Chunk(number, 0, end, (at(500, text, 30),)))
    assert update.tentative == ()
    assert said(one) == "a"


def test_what_is_heard_at_an_end_does_not_move_the_place_of_a_word() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2500, (at(1800),)))
    one.push(Chunk(1, 0, 2000, (at(1985, length=10),)))
    assert join(one.push(Chunk(2, 0, 2600, (at(1780),))).committed) == "so"


def test_what_is_heard_at_an_end_does_not_take_the_place_of_a_word_that_is_heard_as_well() -> None:
    """The window begins with a "no" that nobody said, just where an earlier one heard the "no" that comes then."""
    one = TimeAnchoredMerge(replace(PROFILE, window=4000, jitter=60, repeat_spacing=362))
    one.push(Chunk(0, 0, 3000, (at(1000, "no"), at(1250, "then"))))
    update = one.push(Chunk(1, 800, 1600, (at(1000, "no", 40), at(1120, "no", 80))))
    assert join(update.committed) == "no"
    assert said(one) == "no then"


def test_a_word_belongs_to_the_place_of_its_like_though_another_word_is_nearer() -> None:
    one = merge()
    one.push(Chunk(0, 0, 1210, (at(1000, "it", 50), at(1060, "then", 50))))
    one.push(Chunk(1, 800, 3800, (at(1020, "then", 60),)))
    assert said(one) == "it then"


def test_the_last_window_is_heard_however_little_it_is_longer_than_the_one_before() -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 750, (at(400),)))
    one.push(Chunk(1, 0, 790, (at(400), at(650, "it")), True))
    assert join(one.committed) == "so it"


def test_a_window_that_says_nothing_and_comes_late_takes_nothing_away() -> None:
    """It has what an end alone has heard yet in its inside."""
    one = merge()
    one.push(Chunk(1, 1000, 4000, (at(1100),)))
    one.push(Chunk(2, 800, 3000))
    assert said(one) == "so"


def test_the_first_window_may_be_short_and_come_when_others_are_past_it() -> None:
    one = merge()
    one.push(Chunk(1, 300, 3300, (at(700, "it"),)))
    one.push(Chunk(2, 1000, 3700, (at(2000, "then"),)))
    one.push(Chunk(0, 0, 900, (at(400),)))
    assert said(one) == "so it then"


def test_what_an_end_has_invented_holds_nothing_up_once_a_window_has_it_in_its_inside() -> None:
    """Two windows agree on "then"; one alone could tell that nothing was said before it."""
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500), at(1700, "invented"))))
    one.push(Chunk(1, 0, 2500, (at(500), at(1985, "then"))))
    one.push(Chunk(2, 1600, 4000, (at(1985, "then"),)))
    assert join(one.committed) == "so then"


def test_a_word_comes_behind_its_neighbour_though_an_invented_one_goes() -> None:
    one = merge()
    one.push(Chunk(0, 0, 1000, (at(900, "invented", 50),)))
    one.push(Chunk(1, 800, 3800, (at(1100, "a", 50), at(1500, "c"), at(1800, "d"))))
    one.push(Chunk(2, 0, 1300, (at(1100, "a", 50), at(1200, "b", 50))))
    assert said(one) == "a b c d"


@pytest.mark.parametrize(("start", "text"), [(5220, "so"), (5219, "it so")])
def test_behind_lost_sound_what_the_first_window_knew_is_not_taken_from_the_beginning_of_the_next(
    start: int, text: str
) -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000))
    one.push(Chunk(5, 5000, 8000, (at(6000),)))
    one.push(Chunk(6, 5100, 8100, (at(start, "it"), at(6000))))
    assert said(one) == text
