"""What streaming costs, on streams whose every figure is known."""

import random
from dataclasses import replace

import pytest

from pytest_whisperq.measuring.edges import measure_profile
from pytest_whisperq.measuring.streaming import average_lagging, commit_lags, computing, stability
from pytest_whisperq.streaming import Chunk, StreamProfile, StreamWord
from pytest_whisperq.streaming.overlap import widened
from pytest_whisperq.streaming.simulate import Event, windows
from pytest_whisperq.system.errors import StreamError

ONE, TWO, THREE = StreamWord("one", 0, 500), StreamWord("two", 500, 900), StreamWord("three", 1000, 1500)


def plain(text: str) -> str:
    return text.lower()


def event(
    sent: int, committed: tuple[StreamWord, ...] = (), tentative: tuple[StreamWord, ...] = (), took: float = 100.0
) -> Event:
    return Event(sent, sent + took, took, committed, tentative)


def test_a_lag_runs_from_the_end_of_a_word_to_its_commit() -> None:
    events = [event(1000, (ONE,)), event(2000, (ONE, TWO, THREE)), event(2000, (ONE, TWO, THREE), took=0.0)]
    truth = (ONE, TWO, THREE)
    assert commit_lags(truth, events, plain, computing=False) == [500.0, 1100.0, 500.0]
    assert commit_lags(truth, events, plain, computing=True) == [600.0, 1200.0, 600.0]


def test_a_word_heard_as_another_has_a_lag_and_a_lost_one_none() -> None:
    heard = (ONE._replace(text="won"), THREE)
    assert commit_lags((ONE, TWO, THREE), [event(2000, heard)], plain, computing=False) in (
        [1500.0, None, 500.0],
        [None, 1100.0, 500.0],  # "won" may stand for either
    )
    assert commit_lags((ONE,), [event(2000)], plain, computing=False) == [None]
    assert commit_lags((ONE,), [], plain, computing=False) == [None]


def test_words_are_aligned_as_the_normalizer_spells_them() -> None:
    heard = StreamWord("ONE,", 0, 500)
    assert commit_lags((ONE,), [event(2000, (heard,))], lambda text: plain(text).strip(","), computing=False) == [1500]


def test_lagging_of_a_perfect_echo_is_its_delay() -> None:
    # Four words evenly over 4 s, each committed 700 ms after it began.
    assert average_lagging([700.0, 1700.0, 2700.0, 3700.0], 4000.0, 4) == 700.0


def test_lagging_ends_with_the_first_word_after_the_speaker() -> None:
    # τ is the second word: those that come later with it are not counted again.
    assert average_lagging([1000.0, 4000.0, 4000.0, 4000.0], 4000.0, 4) == (1000.0 + 3000.0) / 2


def test_lagging_is_no_better_for_saying_too_much() -> None:
    # Length-adaptive: the pace is that of the longer text. By the reference's it would be (1000 - 1000) / 2 = 0.
    assert average_lagging([1000.0, 1000.0, 1000.0, 1000.0], 2000.0, 2) == (1000 + 500 + 0 - 500) / 4
    assert average_lagging([], 2000.0, 2) is None


def test_what_changes_in_the_middle_erases_all_behind_it_but_is_one_unstable_word() -> None:
    other = ONE._replace(text="won")
    events = [event(1000, (), (ONE, TWO)), event(2000, (), (other, TWO)), event(60_000, (other, TWO))]
    found = stability(events)
    assert found.erasure == 2 / 2
    assert found.unstable == 1 / 2
    assert found.flicker == 1.0
    assert found.retractions == 0


def test_a_committed_word_that_changes_is_a_retraction() -> None:
    assert stability([event(1000, (ONE, TWO)), event(2000, (ONE, THREE))]).retractions == 1
    assert stability([event(1000, (ONE, TWO)), event(2000, (ONE,))]).retractions == 1
    assert stability([event(1000, (ONE,)), event(2000, (ONE, TWO))]).retractions == 0


def test_a_growing_text_is_stable() -> None:
    found = stability([event(1000, (), (ONE,)), event(2000, (ONE,), (TWO,)), event(3000, (ONE, TWO))])
    assert (found.erasure, found.unstable) == (0.0, 0.0)


def test_computing_falls_behind_and_catches_up() -> None:
    events = [event(1000, took=1500.0), event(2000, took=1200.0), event(3000, took=0.0), event(3000, took=0.0)]
    found = computing(events, decoded=9000.0)
    assert found.factor == pytest.approx(0.9)
    assert found.backlog == pytest.approx(0.7)
    assert found.window_95 == pytest.approx(1.5)
    assert found.redecoded == pytest.approx(3.0)


def stream(edge: int, off: int, profile: StreamProfile) -> tuple[list[Chunk], tuple[StreamWord, ...]]:
    """Two minutes of different words, garbled within ``edge`` ms of the windows' ends, times up to ``off`` ms off."""
    chance = random.Random(0)
    truth = tuple(StreamWord(f"word{number}", 400 * number, 400 * number + 300) for number in range(300))
    chunks = []
    spans = windows(120_000, profile)
    for number, (start, end) in enumerate(spans):
        words = []
        for word in truth:
            if start <= word.start and word.end <= end:
                inside = (start == 0 or word.start - start >= edge) and (end == 120_000 or end - word.end >= edge)
                moved = (word.start + chance.randint(-off, off), word.end + chance.randint(-off, off))
                words.append(StreamWord(word.text if inside else "garbage", *moved))
        chunks.append(Chunk(number, start, end, tuple(words), number + 1 == len(spans)))
    return chunks, truth


@pytest.mark.parametrize(("edge", "off"), [(0, 0), (400, 50), (900, 200)])
def test_a_planted_edge_zone_and_jitter_are_found(edge: int, off: int) -> None:
    profile = StreamProfile(window=8000)
    found = measure_profile([stream(edge, off, profile)], profile)
    assert abs(found.edge - edge) <= 100
    assert abs(found.jitter - 0.75 * off) <= 10
    assert found.longest_word == 300
    found.check()


def test_windows_stay_what_was_heard_and_are_widened_for_the_next_time() -> None:
    profile = StreamProfile(window=4000)
    found = measure_profile([stream(900, 200, profile)], profile)
    assert found.window == 4000
    with pytest.raises(StreamError, match="overlap by 3000 ms"):
        found.check()
    widened(found).check()
    assert widened(StreamProfile()) == StreamProfile()


def test_a_few_words_do_not_measure_a_model() -> None:
    profile = StreamProfile()
    chunks, truth = stream(0, 0, profile)
    with pytest.raises(StreamError, match=r"of \d+ words in the middle of windows were heard as .*; 50 are needed"):
        measure_profile([(chunks[:3], truth)], profile)


@pytest.mark.parametrize("said", [(), (StreamWord("garbage", 0, 100),)])
def test_a_model_that_hears_nothing_right_is_not_measured_as_perfect(said: tuple[StreamWord, ...]) -> None:
    profile = StreamProfile()
    chunks, truth = stream(0, 0, profile)
    deaf = [
        replace(chunk, words=tuple(w._replace(start=w.start + chunk.start, end=w.end + chunk.start) for w in said))
        for chunk in chunks
    ]
    with pytest.raises(StreamError, match=r"0 of \d+ words .* or a model that hears more"):
        measure_profile([(deaf, truth)], profile)


def test_where_sound_begins_and_ends_there_is_no_edge() -> None:
    """Words at the first start and the last end are heard as in the middle; else a short stream had only edges."""
    profile = StreamProfile(window=8000)
    chunks, truth = stream(0, 0, profile)
    cut = [replace(chunk, words=chunk.words[1:]) if chunk.start else chunk for chunk in chunks]
    found = measure_profile([(cut, truth)], profile)
    assert 0 < found.edge <= 400  # the first word of a window is lost, but for those that begin the stream
    assert measure_profile([(chunks, truth)], profile).edge == 0


def test_the_longest_word_is_not_the_one_a_pause_was_given_to() -> None:
    profile = StreamProfile(window=8000)
    chunks, truth = stream(0, 0, profile)
    odd = (truth[0]._replace(end=truth[0].start + 29_000), *truth[1:])
    assert measure_profile([(chunks, odd)], profile).longest_word == 300
