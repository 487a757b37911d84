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

_SAMPLE, _DIRECTIONS = 500, (16, 32, 64, 128, 256)
_WHOLE = 50_000
"""Directions that take as long to compare two fingerprints in as it takes to read one whole."""
_TILE = 1 << 10
"""As many are compared with as many at once."""
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
        self._seconds = array("d")
        self._prints = _Rows(_BANDS * _STEPS)

    def add(self, print_: NDArray[np.float32], seconds: float) -> None:
        """Add a fingerprint, shape (size,), length 1 or 0, of a recording so long; all are of one size."""
        if not self._seconds:
            self._prints = _Rows(len(print_))
        self._prints.write(len(self._seconds), print_)
        self._seconds.append(seconds)

    def alike(self, least: float, among: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, int]]:
        """Yield the number of each that correlates with one before it by more than ``least``, and that of the nearest.

        ``among``, shape (count,), tells which are compared; None: all. None that does is left out, of recordings about
        as long. These are compared with each other, but only in a few directions, those in which a sample differs most.
        What lies in the others adds at most the product of its lengths (Cauchy and Schwarz), and only where that is
        enough the whole fingerprints are read again.
        """
        import numpy as np

        seconds = np.array(self._seconds)
        order = np.argsort(seconds, kind="stable").astype(np.uint32)
        if among is not None:
            order = order[among[order]]
        if len(order) < 2:
            return
        seconds = seconds[order]
        begin = np.searchsorted(seconds, (seconds - _PADDING) / (1 + _LONGER))  # of those that are not much shorter
        begin = begin.astype(np.uint32)
        bounds = self._bounds(order, least - _ERROR)
        nearest, most = np.zeros(len(self._seconds), np.uint32), np.full(len(self._seconds), least)
        for first in range(0, len(order), _TILE):
            rows = bounds.block(first, _TILE)
            for start in range(int(begin[first]), first + len(rows), _TILE):
                columns = bounds.block(start, min(_TILE, first + len(rows) - start))
                above = rows @ columns.T > least - _ERROR
                for row in np.flatnonzero(above.any(axis=1)):
                    place = first + int(row)
                    before = slice(max(0, int(begin[place]) - start), max(0, place - start))
                    others = start + before.start + np.flatnonzero(above[row, before])
                    self._compare(int(order[place]), order[others], nearest, most)
        for number in np.flatnonzero(most > least):
            yield int(number), int(nearest[number])

    def _compare(
        self, number: int, others: NDArray[np.uint32], nearest: NDArray[np.uint32], most: NDArray[np.float64]
    ) -> None:
        """Correlate a fingerprint with ``others``; keep what is the ``nearest`` one before each, and how near."""
        if not len(others):
            return
        own = self._prints.block(number, 1)[0]
        for start in range(0, len(others), _READ):
            some = others[start : start + _READ]
            for other, correlation in zip(some.tolist(), (self._prints.at(some) @ own).tolist(), strict=True):
                later, earlier = max(number, other), min(number, other)
                if correlation > most[later] or (correlation == most[later] and earlier < nearest[later]):
                    nearest[later], most[later] = earlier, correlation

    def _bounds(self, order: NDArray[np.uint32], least: float) -> _Rows:
        """Return rows of directions + 1, in an order, whose dot products are no less than correlations.

        So many directions that few of what correlates by no more than ``least`` seems to do so.
        """
        import numpy as np

        count = len(order)
        sample = self._prints.at(np.sort(order)[:: 1 + count // (2 * _SAMPLE)])
        directions = np.linalg.svd(sample[::2], full_matrices=False)[2]
        trial = sample[1::2]
        costs = {}
        for some in _DIRECTIONS:
            rows = _upper(trial, directions[:some])
            costs[some] = some + _WHOLE * float((np.tril(rows @ rows.T, -1) > least).mean())
        directions = directions[: min(costs, key=costs.__getitem__)]
        bounds = _Rows(len(directions) + 1)
        places = np.full(len(self._seconds), count, np.uint32)  # of those that are left out, behind all
        places[order] = np.arange(count, dtype=np.uint32)
        for start in range(0, len(places), _READ):
            rows = _upper(self._prints.block(start, _READ), directions)
            for place, row in zip(places[start : start + _READ].tolist(), rows, strict=True):
                if place < count:
                    bounds.write(place, row)
        return bounds


def _upper(prints: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what fingerprints, shape (n, size), are in some directions, and in a last column the rest of each."""
    import numpy as np

    within = prints @ directions.T
    rest = np.einsum("ij,ij->i", prints, prints) - np.einsum("ij,ij->i", within, within)
    rows: NDArray[np.float32] = np.column_stack([within, np.sqrt(np.maximum(rest, 0))])
    return rows


class _Rows:
    """Rows of ``size`` float32 in a file without a name. Raises `StoreError` where there is no room for it."""

    def __init__(self, size: int) -> None:
        self._bytes = 4 * size
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has the rows any longer
        except OSError as error:
            raise system_error(error) from error
        self._next = 0

    def write(self, place: int, row: NDArray[np.float32]) -> None:
        try:
            if place != self._next:  # a change of place writes what is buffered
                self._file.seek(place * self._bytes)
            self._file.write(row.tobytes())
        except OSError as error:
            raise system_error(error) from error
        self._next = place + 1

    def block(self, start: int, count: int) -> NDArray[np.float32]:
        """Return rows, shape (count, size); fewer at the end."""
        import numpy as np

        try:
            self._file.seek(start * self._bytes)
            read = self._file.read(count * self._bytes)
        except OSError as error:
            raise system_error(error) from error
        self._next = -1
        return np.frombuffer(read, np.float32).reshape(-1, self._bytes // 4)

    def at(self, places: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the rows at places, shape (n, size)."""
        import numpy as np

        rows = np.empty((len(places), self._bytes // 4), np.float32)
        for row, place in zip(rows, places.tolist(), strict=True):
            row[:] = self.block(place, 1)[0]
        return rows
