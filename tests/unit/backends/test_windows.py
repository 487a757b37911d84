"""From window to window of a long recording: where the next one begins, and what of the last one counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.backends._windows import LENGTH, Heard, hear_windows, whole_segments
from pytest_whisperq.speech.audio import SAMPLE_RATE

TIMES = range(1000, 2501)


def at(seconds: float) -> int:
    """Return the timestamp of so many seconds."""
    return TIMES.start + round(50 * seconds)


@pytest.mark.parametrize(
    ("ids", "kept", "end"),
    [
        ([], [], 0),
        ([1, 2], [1, 2], 0),  # a model without timestamps hears 30 s after 30 s
        ([at(0), 1, 2], [at(0), 1, 2], 0),
        ([at(0), 1, at(9)], [at(0), 1, at(9)], 0),  # one time at the end: silence follows
        ([at(0), 1, at(9), at(9), 2], [at(0), 1, at(9)], 450),
        ([at(0), 1, at(9), at(9.5)], [at(0), 1, at(9)], 450),
        ([at(0), 1, at(9), at(9), 2, at(20), at(20), 3, 4], [at(0), 1, at(9), at(9), 2, at(20)], 1000),
        ([at(0), 1, at(9), at(9), 2, at(20)], [at(0), 1, at(9), at(9), 2, at(20)], 0),
        ([at(0), at(0), 1, 2], [at(0), at(0), 1, 2], 0),  # an end at the begin would lose what is said in the window
    ],
)
def test_a_segment_without_an_end_is_left_to_the_next_window(ids: list[int], kept: list[int], end: int) -> None:
    assert whole_segments(ids, TIMES) == (kept, end)


class Speaker:
    """Says a number every two seconds, whole in each window: what a model that hears everything says."""

    def __init__(self, samples: "np.ndarray[Any, Any]") -> None:
        self.said = [int(value) for value in samples[:: 2 * SAMPLE_RATE]]
        self.begun: list[int] = []

    def __call__(self, window: "np.ndarray[Any, Any]") -> Heard:
        count = len(window) / SAMPLE_RATE
        first = int(window[0])
        self.begun.append(first)
        ids: list[int] = []
        for number in range(int(count // 2)):
            ids += [at(2 * number), first + number, at(2 * number + 2)]
        if len(window) == LENGTH:
            ids += [at(30)]  # the next word has begun, and has no end yet
        return Heard(ids=ids)


def numbers(samples: "np.ndarray[Any, Any]", decode: Any) -> list[int]:
    return [index for _, ids in hear_windows(samples, decode, TIMES) for index in ids if index < TIMES.start]


@pytest.mark.parametrize("seconds", [2, 30, 60, 94])
def test_every_word_is_said_once(seconds: int) -> None:
    samples = np.repeat(np.arange(seconds // 2, dtype=np.float32), 2 * SAMPLE_RATE)
    assert numbers(samples, Speaker(samples)) == list(range(seconds // 2))


def test_the_next_window_begins_where_the_last_segment_ended_and_times_are_those_of_the_recording() -> None:
    samples = np.zeros(50 * SAMPLE_RATE, np.float32)
    said = iter([[at(0), 1, at(21), at(22), 2], [at(1), 2, at(29)], []])
    lengths: list[float] = []

    def decode(window: "np.ndarray[Any, Any]") -> Heard:
        lengths.append(len(window) / SAMPLE_RATE)
        return Heard(ids=next(said))

    assert list(hear_windows(samples, decode, TIMES)) == [(0.0, [at(0), 1, at(21)]), (21.0, [at(1), 2, at(29)])]
    assert lengths == [30.0, 29.0]


@given(st.lists(st.lists(st.one_of(st.integers(0, 5), st.integers(TIMES.start, TIMES.stop - 1)), max_size=8)))
def test_whatever_a_model_says_there_is_an_end(said: Sequence[Sequence[int]]) -> None:
    """A damaged model may say 0.00 for ever."""
    samples, answers, calls = np.zeros(3 * LENGTH, np.float32), iter(said), list[int]()

    def decode(window: "np.ndarray[Any, Any]") -> Heard:
        calls.append(len(window))
        return Heard(ids=next(answers, [at(0), 1, at(0), at(0), 2]))

    list(hear_windows(samples, decode, TIMES))
    assert len(calls) <= len(said) + 3


def test_a_window_in_which_nobody_speaks_is_passed_over_by_both_thresholds() -> None:
    samples = np.zeros(3 * LENGTH, np.float32)
    ids = [at(0), 7, at(9), at(9)]
    said = iter([Heard(ids=ids, no_speech=0.9, log_probability=-1.2), Heard(ids=[1], no_speech=0.9), Heard(ids=[2])])
    found = list(hear_windows(samples, lambda window: next(said), TIMES))
    assert found == [(30.0, [1]), (60.0, [2])]
    assert not Heard(ids=ids, no_speech=0.5, log_probability=-3.0).is_silent


@pytest.mark.parametrize(("rest", "windows"), [(0.0, 1), (0.09, 1), (0.1, 2)])
def test_less_than_a_tenth_of_a_second_is_no_window(rest: float, windows: int) -> None:
    samples = np.zeros(LENGTH + round(rest * SAMPLE_RATE), np.float32)
    assert len(list(hear_windows(samples, lambda window: Heard(ids=[1]), TIMES))) == windows
