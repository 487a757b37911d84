"""`TimeAnchoredMerge`: how windows vote, one promise at a time."""

from dataclasses import replace

from pytest_whisperq.streaming import Chunk, StreamProfile, StreamWord, TimeAnchoredMerge, join

PROFILE = StreamProfile(window=4000, hop=1000, edge=200, jitter=20, longest_word=500, repeat_spacing=300, votes=3)
"""The inside of a window begins 220 ms behind its start and ends 220 ms before its end."""


def merge(**changes: int) -> TimeAnchoredMerge:
    return TimeAnchoredMerge(replace(PROFILE, **changes))


def at(start: int, text: str = "so", length: int = 100) -> StreamWord:
    return StreamWord(text, start, start + length)


def test_what_most_windows_heard_is_proposed_though_the_latest_heard_otherwise() -> None:
    one = merge()
    for number, text in enumerate(("yes", "yes", "no")):
        update = one.push(Chunk(number, 0, 2000 + number, (at(500, text),)))
    assert join(update.tentative) == "yes"


def test_a_window_that_is_decoded_again_votes_last() -> None:
    one = merge()
    for number, text in ((0, "yes"), (1, "no"), (0, "Yes")):
        update = one.push(Chunk(number, 0, 2000 + number, (at(500, text),)))
    assert join(update.tentative) == "Yes"


def test_a_window_that_is_decoded_again_may_deny_what_it_heard() -> None:
    one = merge()
    for number in (0, 1):
        one.push(Chunk(number, 0, 2000 + number, (at(500), at(1000, "invented"))))
    assert join(one.push(Chunk(0, 0, 2000, (at(500),))).tentative) == "so"


def test_a_word_that_was_heard_well_inside_is_not_gone_at_the_first_denial() -> None:
    one = merge(votes=2)
    one.push(Chunk(0, 0, 2500, (at(1800),)))
    one.push(Chunk(1, 0, 2000, (at(1850),)))
    one.push(Chunk(2, 0, 2600, (at(500, "ah"),)))
    assert "so" in join(one.push(Chunk(3, 0, 2700, (at(500, "ah"), at(1800)))).committed)


def test_what_is_heard_at_the_beginning_of_a_window_keeps_its_place_from_the_next_word() -> None:
    """The first window has "it" at its end and loses it; the second has "so" at its beginning."""
    one = merge()
    one.push(Chunk(0, 0, 1480, (at(1150),)))
    one.push(Chunk(1, 1000, 4000, (at(1150), at(1280, "it"))))
    one.flush()
    assert join(one.committed) == "so it"


def test_what_was_committed_is_known_again_beside_the_same_word_heard_at_an_end() -> None:
    """The first window hears "no" once more at its end, nearer to where the second hears the only one there is."""
    one = merge(votes=1)
    one.push(Chunk(0, 0, 1290, (at(950, "no"), at(1015, "no", 85))))
    one.push(Chunk(1, 0, 2500, (at(990, "no", 80),)))
    one.flush()
    assert join(one.committed) == "no"


def test_garbage_at_the_start_of_a_window_does_not_keep_garbage_at_the_end_of_the_one_before() -> None:
    """Found by the soak: the second window has the place in its inside."""
    one = TimeAnchoredMerge(StreamProfile(window=1000, hop=500, edge=100, jitter=0, longest_word=300, votes=1))
    one.push(Chunk(0, 0, 1000, ()))
    one.push(Chunk(1, 500, 1500, (StreamWord("thanks", 1199, 1499),)))
    one.push(Chunk(2, 1000, 2000, (StreamWord("thanks", 1000, 1040), StreamWord("a", 1580, 1660))))
    one.flush()
    assert join(one.committed) == "a"
