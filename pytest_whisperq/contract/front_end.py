"""Audio front ends under test: what prepares the samples of a window must not make another sound of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_whisperq.contract.subject import ContractError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FrontEnd = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Takes the samples of a window, shape (n,), 16 kHz in -1 … 1, and returns as many to decode."""

_SECOND = 16_000


def check_front_end(front_end: FrontEnd) -> None:
    """Raise `ContractError` unless windows of any sound stay what they are: finite, and the same where they overlap.

    The sounds: digital silence, which has no peak to divide by; a whisper before a shout, which a gain that follows
    the peak makes loud in one window and faint in the next; and both with silence between.
    """
    import numpy as np

    random = np.random.default_rng(0)
    noise = random.uniform(-1, 1, 4 * _SECOND).astype(np.float32)
    silence = np.zeros(2 * _SECOND, np.float32)
    whisper, shout = 0.01 * noise[: 2 * _SECOND], 0.9 * noise[2 * _SECOND :]
    sounds = {
        "digital silence": silence,
        "a whisper before a shout": np.concatenate([whisper, shout]),
        "a whisper, silence and a shout": np.concatenate([whisper, silence, shout]),
    }
    for name, samples in sounds.items():
        _check_sound(front_end, name, samples)


def _check_sound(front_end: FrontEnd, name: str, samples: NDArray[np.float32]) -> None:
    import numpy as np

    made = getattr(front_end, "__name__", type(front_end).__name__)
    window, hop = min(2 * _SECOND, len(samples)), _SECOND // 2
    previous: NDArray[np.float32] | None = None
    for start in range(0, len(samples) - window + 1, hop):
        given = samples[start : start + window]
        prepared = np.asarray(front_end(given.copy()))
        where = f"{made}: {name}, {start / _SECOND:g} to {(start + window) / _SECOND:g} s"
        if prepared.shape != given.shape:
            raise ContractError(f"{where}: {len(given)} samples became {prepared.shape}; return as many as were given")
        if not np.isfinite(prepared).all():
            raise ContractError(f"{where}: samples are not finite; do not divide by a peak that may be 0")
        if np.abs(given).max() > 0 and np.abs(prepared).max() == 0:
            raise ContractError(f"{where}: nothing is left of the sound")
        if previous is not None:
            then, now = previous[hop:], prepared[: window - hop]
            loudness = max(float(np.abs(then).max()), float(np.abs(now).max()), 1e-9)
            if float(np.abs(then - now).max()) > 0.01 * loudness:
                gain = float(np.abs(now).max()) / max(float(np.abs(then).max()), 1e-9)
                raise ContractError(
                    f"{where}: what the window before heard too is {gain:.2g} times as loud now; take one gain for the "
                    "whole stream, or none"
                )
        previous = prepared


def peak_scaled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a window by its own peak: NaN for digital silence, and another gain in every window. Known bad."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        scaled: NDArray[np.float32] = samples / np.abs(samples).max()
    return scaled


def peak_scaled_softly(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Likewise, with silence let be: no NaN, and the gain jumps all the same. Known bad."""
    import numpy as np

    scaled: NDArray[np.float32] = samples / max(float(np.abs(samples).max()), 1e-6)
    return scaled


FRONT_ENDS: tuple[FrontEnd, ...] = (peak_scaled, peak_scaled_softly)
"""Front ends as they are often written, each of which `check_front_end` fails."""
