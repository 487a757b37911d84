"""What recordings sound like, to find one again in another copy: in another encoding, louder, fainter or with noise."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_whisperq.speech.audio import SAMPLE_RATE
from pytest_whisperq.system.scratch import ScratchFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FRAME, _BANDS, _STEPS = 512, 24, 48

_TABLES = 64
"""So many times fingerprints are sorted into drawers, each time by other directions."""
_LEAST_BITS, _MORE_BITS = 12, 4
"""Drawers are told apart by so many bits at least, and by so many more than there are in the number of fingerprints."""
_TOGETHER, _SIDES, _OTHER = 8, 16, 0.2
"""Of so many tables so many sides are held, and what is alike lies on the other side of no more planes, as a share.

What correlates by 0.95 does of 0.1 of them, and strangers of half."""
_READ, _AT_ONCE = 1 << 8, 1 << 12
"""Fingerprints that are read at once, 4.5 kB each, and those whose drawers are looked through at once."""
_NAME = 32
"""Bits of a number behind the name of its drawer."""
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
    """Fingerprints of many recordings, beyond a few on the disk: those of a million are 4.5 GB.

    Raises `StoreError` where the folder for temporary files has no room.
    """

    def __init__(self) -> None:
        self._seconds = array("f")
        self._is_empty = bytearray()
        self._prints = _Rows(_BANDS * _STEPS)

    def add(self, print_: NDArray[np.float32], seconds: float) -> None:
        """Add a fingerprint, shape (size,), length 1 or 0, of a recording so long; all are of one size."""
        if not self._seconds:
            self._prints = _Rows(len(print_))
        self._prints.write(len(self._seconds), print_)
        self._seconds.append(seconds)
        self._is_empty.append(not print_.any())

    def alike(self, least: float, among: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, int]]:
        """Yield the number of each that correlates with one before it by more than ``least``, and that of the nearest.

        ``among``, shape (count,), tells which are compared; None: all. Of recordings about as long those are compared
        that are in one drawer (`_Drawers`). Time therefore grows with the recordings, not with their pairs.
        """
        import numpy as np

        is_wanted = ~np.frombuffer(self._is_empty, np.bool_)
        if among is not None:
            is_wanted &= among
        if np.count_nonzero(is_wanted) < 2:
            return
        seconds = np.frombuffer(self._seconds, np.float32)
        nearest, most = np.zeros(len(seconds), np.uint32), np.full(len(seconds), least, np.float32)
        drawers = _Drawers(self._prints, len(seconds))
        for table in range(_TABLES):
            for later, earlier in drawers.pairs(table, is_wanted):
                one, other = seconds[later], seconds[earlier]
                is_as_long = np.maximum(one, other) <= np.minimum(one, other) * (1 + _LONGER) + _PADDING
                is_new = (nearest[later] != earlier) | (most[later] == np.float32(least))
                pairs = np.flatnonzero(is_as_long & is_new)
                pairs = pairs[drawers.seem_alike(later[pairs], earlier[pairs])]
                self._compare(later[pairs], earlier[pairs], nearest, most)
        for number in np.flatnonzero(most > np.float32(least)):
            yield int(number), int(nearest[number])

    def _compare(
        self,
        later: NDArray[np.uint32],
        earlier: NDArray[np.uint32],
        nearest: NDArray[np.uint32],
        most: NDArray[np.float32],
    ) -> None:
        """Correlate pairs of fingerprints; keep the ``nearest`` one before each, and how near it is."""
        import numpy as np

        for start in range(0, len(later), _READ):
            some = slice(start, start + _READ)
            one, other = self._prints.at(later[some]), self._prints.at(earlier[some])
            correlations = np.einsum("ij,ij->i", one, other).tolist()
            for number, first, value in zip(later[some].tolist(), earlier[some].tolist(), correlations, strict=True):
                if value > most[number] or (value == most[number] and first < nearest[number]):
                    nearest[number], most[number] = first, value


class _Drawers:
    """Sorts fingerprints into drawers: two that are alike share one in some table, strangers hardly ever do.

    A drawer is named by on which side of some random planes a fingerprint lies. Two of correlation c lie on one side of
    a plane with probability 1 − arccos(c)/π (Charikar, STOC 2002). So of pairs that correlate by 0.95 one in 400,000 is
    missed among four thousand, and one in 170 among a million; there by 0.98, as most copies do, one in two million.
    Of what shares a drawer, the sides of a few tables together tell strangers apart without reading them.
    """

    def __init__(self, prints: _Rows, count: int) -> None:
        import numpy as np

        bits = max(_LEAST_BITS, _MORE_BITS + (count - 1).bit_length())
        planes = np.random.default_rng(0).standard_normal((prints.size, _TABLES * bits), np.float32)
        weights = 2.0 ** np.arange(bits)
        self._count = count
        self._names = _Rows(1)  # table after table
        self._sides = np.empty((count, _TOGETHER), np.uint16)
        self._most = int(_OTHER * _TOGETHER * min(bits, _SIDES))
        for start in range(0, count, _READ):
            sides = (prints.block(start, _READ) @ planes > 0).reshape(-1, _TABLES, bits)
            names = (sides.astype(np.float64) @ weights).astype(np.uint32)
            self._sides[start : start + _READ] = names[:, :_TOGETHER] % (1 << _SIDES)
            for table in range(_TABLES):
                self._names.write(table * count + start, np.ascontiguousarray(names[:, table]).view(np.float32))

    def pairs(
        self, table: int, is_wanted: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint32]]]:
        """Yield all pairs that share a drawer of a table, many at once: the later number of each, and the earlier.

        Only those that ``is_wanted``, shape (count,), are paired.
        """
        import numpy as np

        drawers = self._sorted(table, is_wanted)
        for start in range(0, len(drawers), _AT_ONCE):
            apart, places = 1, np.arange(start, min(start + _AT_ONCE, len(drawers)))
            while True:
                places = places[places + apart < len(drawers)]
                one, other = drawers[places], drawers[places + apart]
                is_shared = one >> _NAME == other >> _NAME
                places = places[is_shared]
                if not len(places):
                    break
                yield other[is_shared].astype(np.uint32), one[is_shared].astype(np.uint32)
                apart += 1

    def _sorted(self, table: int, is_wanted: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Return the drawers of a table and in each the numbers in their order: a number behind the drawer's name."""
        import numpy as np

        drawers, count = np.empty(np.count_nonzero(is_wanted), np.uint64), 0
        for start in range(0, self._count, _AT_ONCE):
            size = min(_AT_ONCE, self._count - start)
            names = self._names.block(table * self._count + start, size).view(np.uint32).ravel().astype(np.uint64)
            named = (names << _NAME | np.arange(start, start + size, dtype=np.uint64))[is_wanted[start : start + size]]
            drawers[count : count + len(named)] = named
            count += len(named)
        drawers.sort()
        return drawers

    def seem_alike(self, some: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Whether each pair is on the other side of no more planes than what is alike."""
        import numpy as np

        ones = np.array([number.bit_count() for number in range(256)], np.uint8)
        sides = (self._sides[some] ^ self._sides[others]).view(np.uint8)
        apart: NDArray[np.integer] = ones[sides].sum(axis=1)
        return apart <= self._most


class _Rows:
    """Rows of ``size`` float32, beyond a few on the disk. Raises `StoreError` where there is no room for them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._bytes = 4 * size
        self._file = ScratchFile()

    def write(self, place: int, rows: NDArray[np.float32]) -> None:
        """Put rows at a place, one behind the other."""
        self._file.put(place * self._bytes, rows.tobytes())

    def block(self, start: int, count: int) -> NDArray[np.float32]:
        """Return rows, shape (count, size); fewer at the end."""
        import numpy as np

        read = self._file.read(start * self._bytes, count * self._bytes)
        return np.frombuffer(read, np.float32).reshape(-1, self.size)

    def at(self, places: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the rows at places, shape (n, size)."""
        import numpy as np

        rows = np.empty((len(places), self.size), np.float32)
        for row, place in zip(rows, places.tolist(), strict=True):
            row[:] = self.block(place, 1)[0]
        return rows
