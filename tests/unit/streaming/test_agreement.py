"""`LocalAgreement`, one promise at a time; generated streams are in `property/test_merges.py`."""

from dataclasses import replace

import pytest

from pytest_whisperq.streaming import Chunk, Level, LocalAgreement, StreamProfile, StreamWord, join
from pytest_whisperq.streaming.simulate import windows

PROFILE = StreamProfile(window=3000, hop=1000, edge=0, jitter=20, longest_word=500, repeat_spacing=300, votes=2)


def at(start: int, text: str = "so", length: int = 100) -> StreamWord:
    return StreamWord(text, start, start + length)


def test_it_claims_to_survive_inexact_times() -> None:
    assert LocalAgreement.level is Level.JITTER


def test_what_windows_begin_with_alike_is_committed_and_the_rest_may_change() -> None:
    merge = LocalAgreement(PROFILE)
    assert merge.push(Chunk(0, 0, 1000, (at(100), at(300, "it"), at(500, "was")))) == (
        (),
        (at(100), at(300, "it"), at(500, "was")),
    )
    update = merge.push(Chunk(1, 0, 2000, (at(100, "So,"), at(300, "it"), at(500, "is"))))
    assert update == ((at(100, "So,"), at(300, "it")), (at(500, "is"),))


@pytest.mark.parametrize("votes", [1, 3])
def test_it_takes_as_many_windows_as_have_a_vote(votes: int) -> None:
    merge = LocalAgreement(replace(PROFILE, votes=votes, window=5000))
    for number in range(votes - 1):
        assert merge.push(Chunk(number, 0, 1000 + number, (at(100),))).committed == ()
    assert merge.push(Chunk(votes, 0, 2000, (at(100),))).committed == (at(100),)


def test_neither_an_empty_window_nor_one_sent_again_has_a_vote() -> None:
    merge = LocalAgreement(PROFILE)
    merge.push(Chunk(0, 0, 1000, (at(100),)))
    for chunk in (Chunk(1, 0, 1500), Chunk(0, 0, 1000, (at(100),))):
        assert merge.push(chunk) == ((), (at(100),))
    assert merge.push(Chunk(2, 0, 2000, (at(100),))).committed == (at(100),)


@pytest.mark.parametrize(("apart", "said"), [(259, "so"), (260, "so so")])
def test_a_word_is_said_again_if_it_starts_as_much_later_as_equal_words_do(apart: int, said: str) -> None:
    merge = LocalAgreement(replace(PROFILE, votes=1))
    merge.push(Chunk(0, 0, 1000, (at(100),)))
    merge.push(Chunk(1, 0, 2000, (at(100 + apart),)))
    assert join(merge.committed) == said


def test_of_equal_words_it_knows_the_one_again_that_it_committed_last() -> None:
    merge = LocalAgreement(replace(PROFILE, votes=1))
    merge.push(Chunk(0, 0, 1000, (at(100), at(400))))
    merge.push(Chunk(1, 0, 2000, (at(90), at(410), at(700, "it"))))
    assert join(merge.committed) == "so so it"


@pytest.mark.parametrize(("early", "said"), [(40, "so then"), (41, "so")])
def test_behind_a_word_that_is_not_heard_again_the_next_may_begin_as_early_as_times_are_off(early, said) -> None:
    merge = LocalAgreement(replace(PROFILE, votes=1))
    merge.push(Chunk(0, 0, 1000, (at(400, length=70),)))
    merge.push(Chunk(1, 450, 2000, (at(470 - early, "then"),)))
    assert join(merge.committed) == said
    assert merge.committed[-1].start >= 400


@pytest.mark.parametrize(("lag", "wait"), [(None, 3000 - 1000 - 500), (2500, 2500)])
def test_words_wait_for_agreement_while_the_next_window_holds_them_or_as_told(lag: int | None, wait: int) -> None:
    merge = LocalAgreement(PROFILE, max_lag=lag)
    for number, end in enumerate((1000, 600 + wait - 1)):
        assert merge.push(Chunk(number, 0, end, (at(500, f"w{number}"), at(900, "x")))).committed == ()
    update = merge.push(Chunk(2, 0, 600 + wait, (at(500, "w2"), at(900, "x"))))
    assert update == ((at(500, "w2"),), (at(900, "x"),))


def test_times_do_not_fall_where_windows_tell_them_otherwise() -> None:
    merge = LocalAgreement(replace(PROFILE, votes=1))
    merge.push(Chunk(0, 0, 1000, (at(300), at(500), StreamWord("it", 480, 490))))
    assert merge.committed == (at(300), at(500), StreamWord("it", 500, 500))


def test_it_keeps_the_windows_that_vote_and_nothing_after_the_end() -> None:
    merge = LocalAgreement(PROFILE)
    for number in range(5):
        merge.push(Chunk(number, 0, 1000 + number, (at(100), at(300, "…"), at(500, f"w{number}"))))
    assert merge.state_size == 6
    assert join(merge.flush().committed) == "w4"
    assert join(merge.committed) == "so w4", "what is no word is not said"
    assert merge.state_size == 0
    assert merge.flush() == ((), ())
    assert LocalAgreement().flush() == ((), ())


def test_words_that_have_waited_too_long_are_not_asked_for_how_long() -> None:
    merge = LocalAgreement(PROFILE, max_lag=1000)
    assert merge.push(Chunk(0, 0, 3000, (at(100), at(500, "it"), at(1950, "is")))) == (
        (at(100), at(500, "it")),
        (at(1950, "is"),),
    )


def test_a_window_of_no_words_at_all_is_heard_without_harm() -> None:
    merge = LocalAgreement(replace(PROFILE, votes=1))
    merge.push(Chunk(0, 0, 1000, (at(100),)))
    assert merge.push(Chunk(1, 0, 2000, (at(1500, "…"),))) == ((), ())


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_what_was_committed_is_known_again_however_many_words_come_after_it(more: int) -> None:
    merge = LocalAgreement(replace(PROFILE, votes=1))
    merge.push(Chunk(0, 0, 1000, (at(100), at(300, "short", 20))))
    after = tuple(at(340 + 200 * number, f"w{number}") for number in range(more))
    assert merge.push(Chunk(1, 0, 2000, (at(100), at(310, "short", 20), *after))).committed == after


def test_a_word_on_which_windows_never_agree_does_not_hold_up_those_behind_it() -> None:
    """Forty words in sliding windows, the third of them spelled in turns."""
    profile = StreamProfile()
    merge = LocalAgreement(profile)
    spans = windows(20_000, profile)
    for number, (start, end) in enumerate(spans):
        said = [StreamWord(f"w{n}", 500 * n, 500 * n + 400) for n in range(40)]
        said[2] = StreamWord(("color", "colour")[number % 2], 1000, 1400)
        whole = tuple(word for word in said if start <= word.start and word.end <= end)
        merge.push(Chunk(number, start, end, whole, final=number + 1 == len(spans)))
    merge.flush()
    found = [word.text for word in merge.committed]
    assert found[:2] + found[3:] == [f"w{n}" for n in range(40) if n != 2]
    assert found[2] in ("color", "colour")
