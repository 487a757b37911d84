"""What recordings sound like, to find one again in another copy: in another encoding, louder, fainter or with noise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.system.files import system_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FRAME, _BANDS, _STEPS = 512, 24, 48

_SAMPLE, _DIRECTIONS = 500, 64
_AT_ONCE = 1 << 21
"""Correlations that are held at once, 4 bytes each."""
_READ = 1 << 10
"""Fingerprints that are read at once, 4.5 kB each."""
_ERROR = 1e-3
"""What rounding may take from a correlation, and far more."""


def fingerprint(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a recording sounds like, shape (bands · steps,), length 1: its spectrum over its time.

    The logs of the energies in bands that widen upwards, at as many moments for every length, less their means in each
    band and at each moment: neither level, nor the colour of a line, nor where it is silent decides. The dot product of
    two is their correlation.
    """
    import numpy as np

    window, edges = _bands()
    padded = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    count = 1 + (len(padded) - _FRAME) // (_FRAME // 2)
    starts = (_FRAME // 2) * np.arange(count)
    frames = padded[starts[:, None] + np.arange(_FRAME)] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    # What lies 50 dB under the loudest is another noise in every copy.
    logs = np.log(np.maximum(bands, bands.max() * 1e-5 + 1e-12))
    moments = np.linspace(0, count, _STEPS + 1).astype(int)
    # Where two moments are in one frame, `reduceat` gives that frame.
    steps = np.add.reduceat(logs, moments[:-1], axis=0) / np.maximum(1, np.diff(moments))[:, None]
    centred = (steps - steps.mean(axis=0) - steps.mean(axis=1, keepdims=True) + steps.mean()).ravel()
    norm = float(np.linalg.norm(centred))
    unit: NDArray[np.float32] = (centred / norm if norm > 0 else centred).astype(np.float32)
    return unit


@lru_cache(maxsize=1)
def _bands() -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Return the window of a frame, and where in its spectrum bands begin and the last one ends."""
    import numpy as np

    edges = np.unique(np.geomspace(3, 3400 * _FRAME / SAMPLE_RATE, _BANDS + 1).astype(int))
    return np.hanning(_FRAME), edges


class Fingerprints:
    """Fingerprints of many recordings, in a file without a name: those of a million are 4.5 GB.

    Raises `StoreError` where the folder for temporary files has no room.
    """

    def __init__(self) -> None:
        self._count = self._size = 0
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has the fingerprints any longer
        except OSError as error:
            raise system_error(error) from error

    def add(self, print_: NDArray[np.float32]) -> None:
        """Add a fingerprint, shape (size,), length 1 or 0; all are of one size."""
        try:
            self._file.write(print_.tobytes())
        except OSError as error:
            raise system_error(error) from error
        self._count, self._size = self._count + 1, len(print_)

    def alike(self, least: float) -> Iterator[tuple[int, int]]:
        """Yield the number of each that correlates with one before it by more than ``least``, and that of the nearest.

        None that does is left out. Each is compared with each, but only in a few directions, those in which a sample
        differs most. What lies in the others adds at most the product of its lengths (Cauchy and Schwarz), and only
        where that is enough the whole fingerprints are read again.
        """
        import numpy as np

        if self._count < 2:
            return
        try:
            self._file.flush()
        except OSError as error:
            raise system_error(error) from error
        bounds, first = self._bounds(), 1
        while first < self._count:
            last = min(self._count, first + 1 + _AT_ONCE // self._count)
            most = np.tril(bounds[first:last] @ bounds[: last - 1].T, first - 1)  # 0 for what comes later
            for row in np.flatnonzero(most.max(axis=1) > least - _ERROR):
                number = int(first + row)
                nearest = self._nearest(number, np.flatnonzero(most[row] > least - _ERROR), least)
                if nearest is not None:
                    yield number, nearest
            first = last

    def _nearest(self, number: int, others: NDArray[np.int_], least: float) -> int | None:
        """Return which of ``others`` correlates most with a fingerprint, if it does by more than ``least``."""
        import numpy as np

        own = self._at(np.array([number]))[0]
        correlations = np.concatenate(
            [self._at(others[start : start + _READ]) @ own for start in range(0, len(others), _READ)]
        )
        best = int(correlations.argmax())
        return int(others[best]) if correlations[best] > least else None

    def _bounds(self) -> NDArray[np.float32]:
        """Return rows, shape (count, directions + 1), whose dot products are no less than the correlations."""
        import numpy as np

        sample = self._at(np.arange(0, self._count, 1 + self._count // _SAMPLE))
        directions = np.linalg.svd(sample, full_matrices=False)[2][:_DIRECTIONS]
        bounds = np.empty((self._count, len(directions) + 1), np.float32)
        for start in range(0, self._count, _READ):
            prints = self._at(np.arange(start, min(start + _READ, self._count)))
            within = prints @ directions.T
            rest = np.einsum("ij,ij->i", prints, prints) - np.einsum("ij,ij->i", within, within)
            bounds[start : start + len(prints)] = np.column_stack([within, np.sqrt(np.maximum(rest, 0))])
        return bounds

    def _at(self, places: NDArray[np.int_]) -> NDArray[np.float32]:
        """Return fingerprints, shape (n, size)."""
        import numpy as np

        found = np.empty((len(places), self._size), np.float32)
        for row, place in zip(found, places, strict=True):
            self._file.seek(int(place) * row.nbytes)
            row[:] = np.frombuffer(self._file.read(row.nbytes), np.float32)
        return found
