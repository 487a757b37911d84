"""`TimeAnchoredMerge`, one promise at a time; generated streams are in `property/test_merges.py`."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_whisperq.streaming import (
    Chunk,
    Level,
    LocalAgreement,
    Merger,
    StreamProfile,
    StreamWord,
    TimeAnchoredMerge,
    join,
)

PROFILE = StreamProfile(window=3000, hop=1000, edge=200, jitter=20, longest_word=500, repeat_spacing=300, votes=2)
GUARD = PROFILE.edge + PROFILE.jitter
"""So far from an end of a window its words are told to be in its inside."""


def merge(**changes: int) -> TimeAnchoredMerge:
    return TimeAnchoredMerge(replace(PROFILE, **changes))


def at(start: int, text: str = "so", length: int = 100) -> StreamWord:
    return StreamWord(text, start, start + length)


def test_it_claims_to_survive_all_that_can_be_survived() -> None:
    assert TimeAnchoredMerge.level is Level.DISTURBED


@pytest.mark.parametrize(("start", "committed"), [(2000 - GUARD - 100, True), (2000 - GUARD - 99, False)])
def test_what_reaches_into_the_end_of_a_window_is_proposed_and_not_said(start: int, committed: bool) -> None:
    update = merge(votes=1).push(Chunk(0, 0, 2000, (at(start),)))
    assert update.committed == ((at(start),) if committed else ())
    assert update.tentative == (() if committed else (at(start),))


@pytest.mark.parametrize(("start", "committed"), [(1000 + GUARD, True), (1000 + GUARD - 1, False)])
def test_what_begins_at_the_beginning_of_a_window_is_proposed_and_not_said(start: int, committed: bool) -> None:
    update = merge(votes=1).push(Chunk(1, 1000, 3000, (at(start),)))
    assert update.committed == ((at(start),) if committed else ())


def test_where_sound_begins_and_ends_no_window_errs() -> None:
    first, last = at(0, "first"), at(1900, "last")
    assert merge(votes=1).push(Chunk(0, 0, 2000, (first, last), True)).committed == (first, last)


def test_a_window_that_turns_out_to_be_the_last_is_heard_to_its_end() -> None:
    one = merge(votes=1)
    assert one.push(Chunk(0, 0, 2000, (at(1900),))).committed == ()
    assert one.push(Chunk(0, 0, 2000, (at(1900),), True)).committed == (at(1900),)


def test_half_of_the_windows_are_not_most_and_four_of_seven_are() -> None:
    one = merge()
    for number, text in enumerate(("yes", "no", "nor", "yes", "no", "yes")):
        assert one.push(Chunk(number, 0, 2000 + number, (at(500, text),))).committed == ()
    assert one.push(Chunk(6, 0, 2006, (at(500, "yes"),))).committed == (at(500, "yes"),)


def test_of_two_that_are_heard_as_often_the_latest_is_said() -> None:
    one = merge(votes=3, window=4000)
    for number, text in enumerate(("no", "yes", "yes", "no")):
        update = one.push(Chunk(number, 0, 2000 + number, (at(500, text),)))
        assert join(update.tentative) == ("no", "yes", "yes", "no")[number]
    assert join(one.flush().committed) == "no"


def test_a_word_is_written_as_the_window_wrote_it_that_had_it_farthest_from_its_ends() -> None:
    one = merge(votes=3, window=4000)
    for number, (start, end, text) in enumerate([(0, 1000, "So."), (0, 1150, "so"), (200, 3000, "So")]):
        one.push(Chunk(number, start, end, (at(500, text),)))
    assert join(one.committed) == "so"


def test_a_word_that_most_windows_do_not_hear_is_dropped() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500), at(1000, "invented"))))
    for number in (1, 2):
        one.push(Chunk(number, 0, 2000 + number, (at(500),)))
    one.flush()
    assert join(one.committed) == "so"


def test_what_one_window_hears_in_silence_is_outvoted_by_windows_that_hear_nothing() -> None:
    one = merge()
    for number, end in enumerate((3000, 4000, 5000, 6000, 7000, 8000)):
        one.push(Chunk(number, end - 3000, end, (at(3600, "thanks"),) if end == 5000 else ()))
    one.flush()
    assert one.committed == ()


def test_a_window_that_is_decoded_again_to_nothing_has_not_listened() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500),)))
    for _ in range(3):
        one.push(Chunk(0, 0, 2000))
    assert join(one.flush().committed) == "so"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (500 - GUARD, 600 + GUARD, "then"),
        (500 - GUARD + 1, 600 + GUARD, "so then"),
        (500 - GUARD, 600 + GUARD - 1, "so then"),
    ],
)
def test_only_windows_that_have_a_word_well_inside_can_deny_it(start: int, end: int, said: str) -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500), at(1500, "then"))))
    for number in (1, 2):
        one.push(Chunk(number, start, end, (at(start, "edge", 10),)))
    assert join(one.flush().committed).replace("edge ", "") == said


def test_what_was_heard_at_an_end_alone_is_gone_once_a_window_knows_better() -> None:
    one = merge()
    assert join(one.push(Chunk(0, 0, 2000, (at(500), at(1850, "thanks")))).tentative) == "so thanks"
    assert join(one.push(Chunk(1, 0, 2500, (at(500, "ah"),))).tentative) == "ah"


def test_ends_of_windows_agree_on_nothing() -> None:
    one = merge()
    for number in range(3):
        assert one.push(Chunk(number, 0, 2000 + number, (at(1850, "thanks"),))).committed == ()
    assert join(one.flush().committed) == "thanks", "but what nobody denies is kept"


def test_a_word_is_where_the_window_heard_it_that_had_it_inside() -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 2000, (at(1850),)))
    assert one.push(Chunk(1, 0, 2500, (at(1900),))).committed == (at(1900),)


def test_garbage_at_an_end_does_not_move_a_word() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2500, (at(1800),)))
    assert one.push(Chunk(1, 0, 2000, (at(1850),))).tentative == (at(1800),)


def test_words_are_cut_to_their_window_and_put_in_order() -> None:
    heard = (
        StreamWord("three", 900, 5000),
        StreamWord("two", 600, 500),
        StreamWord("one", -100, 300),
        StreamWord("…", 700, 800),
    )
    told = merge(votes=1).push(Chunk(0, 0, 2000, heard, True)).committed
    assert told == (StreamWord("one", 0, 300), StreamWord("two", 600, 600), StreamWord("three", 900, 2000))


@pytest.mark.parametrize("apart", [0, 2 * PROFILE.jitter])
def test_a_word_whose_times_differ_by_twice_the_jitter_is_one_word(apart: int) -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500),)))
    assert one.push(Chunk(1, 0, 2100, (at(500 + apart),))).committed != ()
    assert join(one.flush().committed) == ""


def test_times_may_be_as_inexact_as_equal_words_are_far_apart() -> None:
    profile = StreamProfile(window=4000, jitter=100, repeat_spacing=602)
    one = TimeAnchoredMerge(profile)
    one.push(Chunk(0, 0, 3000, (at(900),)))
    assert join(one.push(Chunk(1, 0, 3100, (at(1100),))).committed) == "so"
    again = TimeAnchoredMerge(replace(profile, votes=1))
    again.push(Chunk(0, 0, 2000, (at(900),)))
    assert join(again.push(Chunk(1, 900, 3900, (at(1302),))).committed) == "so", "said twice, 402 ms apart at least"


def test_equal_words_as_close_as_they_may_be_are_two_words() -> None:
    """Said at 980 and at 1222 ms, heard 40 ms late and 40 ms early; the window between the two was lost."""
    one = TimeAnchoredMerge(StreamProfile(edge=0, jitter=40, repeat_spacing=242, longest_word=300, votes=1))
    assert one.push(Chunk(0, 0, 1160, (at(1020, length=80),))).committed != ()
    assert one.push(Chunk(2, 1000, 3000, (at(1182, length=80),))).committed == (at(1182, length=80),)


@pytest.mark.parametrize(("behind", "said"), [(41, "so then"), (40, "so")])
def test_a_word_may_begin_before_the_last_one_ends_if_times_tell_where_both_begin(behind: int, said: str) -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 1000, (at(400, length=300),)))
    one.push(Chunk(1, 0, 2000, (at(400, length=300), at(400 + behind, "then", 350))))
    assert join(one.committed) == said


@pytest.mark.parametrize(("early", "said"), [(40, "so then"), (41, "so")])
def test_behind_a_word_too_short_for_that_the_next_begins_where_it_ends(early: int, said: str) -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 1000, (at(400, length=70),)))
    one.push(Chunk(1, 0, 2000, (at(400, length=70), at(470 - early, "then"))))
    assert join(one.committed) == said


@pytest.mark.parametrize("votes", [1, 2])
@pytest.mark.parametrize("make", [TimeAnchoredMerge, LocalAgreement])
def test_words_that_overlap_are_all_said(make: Callable[[StreamProfile], Merger], votes: int) -> None:
    said = (StreamWord("alpha", 0, 400), StreamWord("beta", 300, 800), StreamWord("gamma", 800, 1200))
    one = make(replace(PROFILE, window=4000, votes=votes))
    for number, end in enumerate(range(500, 6000, 250)):
        start = max(0, end - 4000)
        one.push(Chunk(number, start, end, tuple(word for word in said if start <= word.start and word.end <= end)))
    one.flush()
    assert one.committed == said


def test_words_that_overlap_are_told_one_after_the_other() -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 1000, (at(400, length=300),)))
    one.push(Chunk(1, 0, 2000, (at(400, length=300), StreamWord("then", 660, 690))))
    assert one.committed == (at(400, length=300), StreamWord("then", 660, 690))


@pytest.mark.parametrize(("lag", "wait"), [(None, PROFILE.window), (1500, 1500)])
def test_words_wait_for_agreement_no_longer_than_a_window_or_what_they_are_told(lag: int | None, wait: int) -> None:
    one = TimeAnchoredMerge(PROFILE, max_lag=lag)
    for number, end in enumerate((1000, 600 + wait - 1)):
        assert one.push(Chunk(number, 0, end, (at(500, f"w{number}"),))).committed == ()
    assert join(one.push(Chunk(2, 0, 600 + wait, (at(500, "w2"),))).committed) == "w2"


def test_what_no_later_window_can_have_inside_is_said_as_it_was_heard() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(1000),)))
    assert one.push(Chunk(1, 900, 3000)).committed == ()
    assert one.push(Chunk(2, 1000, 3100)).committed == (at(1000),)


def test_a_window_of_no_length_says_nothing() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(1000),)))
    update = one.push(Chunk(1, 2000, 2000, (at(2000, "x", 0),)))
    assert update == ((), (at(1000),))


def test_an_older_decoding_of_a_window_that_comes_again_does_not_replace_the_newer_one() -> None:
    one = merge()
    older, newer = (Chunk(0, 0, 3000, (at(500, text),)) for text in ("yes", "no"))
    for chunk in (older, newer, older):
        update = one.push(chunk)
    assert join(update.tentative) == "no"


def test_a_window_that_comes_late_brings_no_word_back() -> None:
    one = merge(votes=1)
    for number, start in enumerate((0, 1000, 2000, 3000)):
        one.push(
            Chunk(number, start, start + 3000, tuple(at(t, f"w{t}") for t in range(start + 300, start + 2900, 500)))
        )
    before = one.committed
    assert one.push(Chunk(0, 0, 3000, (at(500, "late"), at(2850, "last")))).committed == ()
    assert one.committed == before


def test_a_word_at_the_start_of_a_window_behind_lost_sound_is_not_taken_for_one_that_was_denied() -> None:
    """No window before had this place in its inside, so that the next one with the same start tells it first."""
    one = merge(votes=1)
    for number, (start, end, words) in enumerate(((0, 2000, (at(500),)), (5000, 5400, ()), (5000, 6500, (at(5050),)))):
        one.push(Chunk(number, start, end, words))
    one.flush()
    assert join(one.committed) == "so so"


def test_windows_that_grow_behind_lost_sound_are_waited_for() -> None:
    """They may be so short that all of them is beginning, where none is sure."""
    one = merge(votes=1, edge=700, repeat_spacing=122)
    for number, (end, words) in enumerate(((2000, ()), (5150, (at(5000),)), (5210, (at(5000), at(5110, "it"))))):
        one.push(Chunk(number, 0 if number == 0 else 5000, end, words))
    one.flush()
    assert join(one.committed) == "so it"


def test_an_empty_window_that_comes_again_takes_nothing_back() -> None:
    one = merge()
    empty = Chunk(1, 0, 2000)
    one.push(empty)
    shown = one.push(Chunk(0, 0, 1500, (at(1350),))).tentative
    assert shown == (at(1350),)
    assert one.push(empty).tentative == shown


def test_where_the_first_window_comes_second_its_beginning_is_known_all_the_same() -> None:
    one = merge(votes=1)
    for seq, start, end, words in (
        (1, 0, 600, ()),
        (0, 0, 300, ()),
        (2, 20, 1200, (at(30, "thanks"),)),
        (3, 500, 2500, ()),
    ):
        one.push(Chunk(seq, start, end, words))
    one.flush()
    assert one.committed == ()


def test_the_first_window_may_come_second_and_be_empty() -> None:
    """It says where sound begins, so that a window can deny what was heard there at the end of another."""
    one = merge(votes=1)
    for seq, end, words in ((1, 300, (at(0, "thanks"),)), (0, 200, ()), (2, 1000, ()), (3, 2000, (at(600),))):
        one.push(Chunk(seq, 0, end, words))
    one.flush()
    assert join(one.committed) == "so"


def test_what_it_keeps_does_not_grow() -> None:
    one, sizes = merge(), []
    for number in range(60):
        start = 1000 * number
        heard = tuple(at(t, f"w{t}") for t in range(start + 50, start + 3000, 250))
        one.push(Chunk(number, start, start + 3000, heard))
        sizes.append(one.state_size)
    assert sizes[10] == sizes[-1] < 60
    one.flush()
    assert one.state_size == 0


def test_its_size_is_told_in_windows_votes_and_words_that_it_would_know_again() -> None:
    one = merge(votes=1)
    one.push(Chunk(0, 0, 2000, (at(500), at(700, "it"), at(1850, "is"))))
    assert one.state_size == 1 + 1 + 1 + 2


def test_flushing_says_what_is_left_once() -> None:
    one = merge()
    one.push(Chunk(0, 0, 2000, (at(500), at(1000, "it"))))
    assert join(one.flush().committed) == "so it"
    assert one.flush() == ((), ())
    assert join(one.committed) == "so it"
