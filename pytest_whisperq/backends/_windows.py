"""Recordings of any length, window after window, for runtimes that decode one window with timestamps.

The way of openai/whisper's ``transcribe`` (Radford et al. 2022, sections 3.8 and 4.5) at temperature 0. Two of its
habits are left out, for they make a run depend on luck or on a slip long before: sampling where it doubts, and the text
of the window before as a prompt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_whisperq.backends._whisper import SECONDS_PER_STEP
from pytest_whisperq.speech.audio import SAMPLE_RATE, WINDOW_SECONDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LENGTH = int(WINDOW_SECONDS * SAMPLE_RATE)
"""Samples of a window."""

NO_SPEECH = 0.6
LOG_PROBABILITY = -1.0
"""A window is silent where no speech is more likely than the first and its tokens, on average, less than the second."""

SHORTEST = 0.1
"""Seconds of sound that are still a window; in less, a model makes words up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a model said about a window.

    ``ids`` are its tokens, timestamps included, without prompt and end of text. ``no_speech`` is the probability of
    ``<|nospeech|>``, ``log_probability`` the mean over the tokens and the end of text.
    """

    ids: Sequence[int]
    no_speech: float = 0.0
    log_probability: float = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether nobody speaks, by both of openai/whisper's thresholds: either alone is wrong too often."""
        return self.no_speech > NO_SPEECH and self.log_probability <= LOG_PROBABILITY


def hear_windows(
    samples: "NDArray[np.float32]", decode: "Callable[[NDArray[np.float32]], Heard]", timestamps: range
) -> Iterator[tuple[float, list[int]]]:
    """Yield of each window of ``samples``, shape (n,), when it begins in seconds, and what was said that is whole.

    ``timestamps`` are the ids of 0.00 to 30.00 s. The next window begins where the last whole segment of this one ends.
    """
    begun = 0
    while len(samples) - begun >= SHORTEST * SAMPLE_RATE:
        window = samples[begun : begun + LENGTH]
        heard = decode(window)
        kept, steps = whole_segments(heard.ids, timestamps)
        if not heard.is_silent:
            yield begun / SAMPLE_RATE, kept
            if steps:
                begun += min(round(steps * SECONDS_PER_STEP * SAMPLE_RATE), len(window))
                continue
        begun += len(window)


def whole_segments(ids: Sequence[int], timestamps: range) -> tuple[list[int], int]:
    """Return the ids of all segments that have an end, and the timestamp of that end; 0 where the window is done.

    A segment without an end is said again in the next window. One timestamp at the end means that nothing follows it,
    and a window without two timestamps in a row is one segment.

    >>> timestamps = range(100, 1601)
    >>> whole_segments([100, 1, 2, 350, 350, 3], timestamps)
    ([100, 1, 2, 350], 250)
    >>> whole_segments([100, 1, 2, 350, 350, 3, 600], timestamps)
    ([100, 1, 2, 350, 350, 3, 600], 0)
    """
    is_time = [index in timestamps for index in ids]
    pairs = [place for place in range(1, len(ids)) if is_time[place - 1] and is_time[place]]
    steps = ids[pairs[-1] - 1] - timestamps.start if pairs else 0
    if not steps or is_time[-2:] == [False, True]:  # an end at 0.00 s is none: going on from there would never end
        return list(ids), 0
    return list(ids[: pairs[-1]]), steps
