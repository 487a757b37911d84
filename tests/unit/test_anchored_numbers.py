"""`TimeAnchoredMerge` with numbers: windows that write "25" beside windows that write "twenty five"."""

from pytest_whisperq.streaming import Chunk, StreamProfile, TimeAnchoredMerge, Word, english_tens, join

PROFILE = StreamProfile(window=3000, hop=1000, edge=200, jitter=20, longest_word=500, repeat_spacing=300, votes=2)


def at(start: int, text: str, length: int = 100) -> Word:
    return Word(text, start, start + length)


def numbered() -> TimeAnchoredMerge:
    return TimeAnchoredMerge(PROFILE, numbers=english_tens)


def test_a_window_that_writes_digits_agrees_with_one_that_writes_words() -> None:
    one = numbered()
    one.push(Chunk(0, 0, 3000, (at(500, "twenty"), at(700, "five"), at(1500, "so"))))
    update = one.push(Chunk(1, 0, 3100, (at(500, "25", 300), at(1500, "so"))))
    assert join(update.committed) in ("25 so", "twenty five so")


def test_half_a_number_at_the_end_of_a_window_is_not_said() -> None:
    """The window has "twenty" its inside, "five" is not heard yet: the next window may say "25"."""
    one = numbered()
    for number, end in enumerate((2000, 2050)):
        assert one.push(Chunk(number, 0, end, (at(1600, "twenty"),))).committed == ()
    for number, end in enumerate((2600, 2700), 2):
        one.push(Chunk(number, 0, end, (at(1600, "25", 300), at(2000, "so"))))
    one.flush()
    assert join(one.committed) == "25 so"
