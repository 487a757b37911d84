"""What recordings sound like, to find one again in another copy: in another encoding, louder, fainter or with noise."""

from __future__ import annotations

import tempfile
from array import array
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
_LONGER, _PADDING = 0.1, 0.1
"""How much longer a copy may be, as a share and in seconds: an encoder pads, and what is stretched more is no copy."""


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
        self._size = 0
        self._seconds = array("d")
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has the fingerprints any longer
        except OSError as error:
            raise system_error(error) from error

    def add(self, print_: NDArray[np.float32], seconds: float) -> None:
        """Add a fingerprint, shape (size,), length 1 or 0, of a recording so long; all are of one size."""
        try:
            self._file.write(print_.tobytes())
        except OSError as error:
            raise system_error(error) from error
        self._seconds.append(seconds)
        self._size = len(print_)

    def alike(self, least: float) -> Iterator[tuple[int, int]]:
        """Yield the number of each that correlates with one before it by more than ``least``, and that of the nearest.

        None that does is left out, of recordings about as long. These are compared with each other, but only in a few
        directions, those in which a sample differs most. What lies in the others adds at most the product of its
        lengths (Cauchy and Schwarz), and only where that is enough the whole fingerprints are read again.
        """
        import numpy as np

        if len(self._seconds) < 2:
            return
        try:
            self._file.flush()
        except OSError as error:
            raise system_error(error) from error
        seconds = np.array(self._seconds)
        order = np.argsort(seconds, kind="stable")
        seconds = seconds[order]
        begin = np.searchsorted(seconds, (seconds - _PADDING) / (1 + _LONGER))  # of those that are not much shorter
        bounds = self._bounds(order)
        nearest: dict[int, tuple[float, int]] = {}
        first = 1
        while first < len(order):
            start = begin[first]
            last = min(len(order), first + 1 + _AT_ONCE // int(first + 1 - start))
            most = bounds[first:last] @ bounds[start : last - 1].T
            for row in np.flatnonzero(most.max(axis=1, initial=0) > least - _ERROR):
                place = first + row
                among = slice(int(begin[place] - start), int(place - start))
                others = begin[place] + np.flatnonzero(most[row, among] > least - _ERROR)
                self._compare(int(order[place]), order[others], least, nearest)
            first = last
        yield from ((number, nearest[number][1]) for number in sorted(nearest))

    def _compare(
        self, number: int, others: NDArray[np.int_], least: float, nearest: dict[int, tuple[float, int]]
    ) -> None:
        """Correlate a fingerprint with ``others``; keep in ``nearest`` what is the nearest one before each."""
        import numpy as np

        own = self._at(np.array([number]))[0]
        for start in range(0, len(others), _READ):
            some = others[start : start + _READ]
            for other, correlation in zip(some.tolist(), (self._at(some) @ own).tolist(), strict=True):
                later, earlier = max(number, other), min(number, other)
                best, which = nearest.get(later, (least, later))
                if (correlation, -earlier) > (best, -which):
                    nearest[later] = correlation, earlier

    def _bounds(self, order: NDArray[np.int_]) -> NDArray[np.float32]:
        """Return rows, shape (count, directions + 1), in an order, whose dot products are no less than correlations."""
        import numpy as np

        count = len(order)
        sample = self._at(np.arange(0, count, 1 + count // _SAMPLE))
        directions = np.linalg.svd(sample, full_matrices=False)[2][:_DIRECTIONS]
        bounds = np.empty((count, len(directions) + 1), np.float32)
        places = np.argsort(order)
        for start in range(0, count, _READ):
            prints = self._at(np.arange(start, min(start + _READ, count)))
            within = prints @ directions.T
            rest = np.einsum("ij,ij->i", prints, prints) - np.einsum("ij,ij->i", within, within)
            bounds[places[start : start + _READ]] = np.column_stack([within, np.sqrt(np.maximum(rest, 0))])
        return bounds

    def _at(self, places: NDArray[np.int_]) -> NDArray[np.float32]:
        """Return fingerprints, shape (n, size)."""
        import numpy as np

        found = np.empty((len(places), self._size), np.float32)
        for row, place in zip(found, places, strict=True):
            self._file.seek(int(place) * row.nbytes)
            row[:] = np.frombuffer(self._file.read(row.nbytes), np.float32)
        return found
