"""The groups of utterances by which bounds are drawn, held as numbers: a few bytes an utterance.

As strings, the names of a million utterances take a hundred megabytes, and a dict of them as much again. Here a name is
looked up where it comes from when somebody asks for it.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from operator import eq
from typing import TYPE_CHECKING, overload

from pytest_whisperq.system.column import Column
from pytest_whisperq.system.keys import Keys, key_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_START_BYTES = 8
"""So long is the number by which a name is sorted: seven bytes of it, and whether it goes on."""

_FEW = 2**12
"""So many names are held to be sorted in full, and so many different ones are numbered as they come in."""

_AT_ONCE = 2**16
"""Numbers that are looked up at once."""


class Groups(Sequence[str]):
    """The name of the group of each utterance, equal to any sequence of the same names.

    ``numbers`` has the number of each utterance's group, in the order of the names, shape (utterances,). ``firsts`` has
    the place of each group's name in ``names``, shape (groups,).
    """

    def __init__(self, names: Sequence[str], numbers: "NDArray[np.int32]", firsts: "NDArray[np.int32]") -> None:
        self.names = names
        self.numbers = numbers
        self.firsts = firsts
        # Not of a method of it: what refers to itself stays until somebody searches for garbage, and its file too.
        self._named = lru_cache(maxsize=2**10)(lambda number: names[int(firsts[number])])

    @property
    def size(self) -> int:
        """How many groups there are; an empty name is one group here."""
        return len(self.firsts)

    def name(self, number: int) -> str:
        """Return the name of a group."""
        return self.names[int(self.firsts[number])]

    def at(self, places: "Sequence[int] | NDArray[np.intp]") -> "Groups":
        """Return the groups of some of the utterances."""
        import numpy as np

        return self.renumbered(self.numbers[np.asarray(places, np.intp)])

    def renumbered(self, numbers: "NDArray[np.int32]") -> "Groups":
        """Return groups with the same names, of utterances that are in those of ``numbers``."""
        import numpy as np

        is_left = np.zeros(self.size, np.bool_)
        is_left[numbers] = True
        places = np.cumsum(is_left, dtype=np.int32) - 1
        return Groups(self.names, places[numbers], self.firsts[is_left])

    def one_by_one(self, order: "NDArray[np.intp]") -> "array[int]":
        """Return the places of all utterances, group after group; ``order`` has the numbers of the groups.

        Places are counted into their groups, some at a time. To sort all of them takes twice the memory.

        >>> import numpy as np
        >>> grouped(["ben", "anna", "ben"]).one_by_one(np.array([1, 0]))
        array('I', [0, 2, 1])
        """
        import numpy as np

        ranks = np.empty(self.size, np.int32)
        ranks[order] = np.arange(self.size, dtype=np.int32)
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(self), _AT_ONCE)]
        counts = np.zeros(self.size, np.int32)
        for part in parts:
            np.add.at(counts, ranks[self.numbers[part]], 1)
        begins = np.cumsum(counts, dtype=np.int32) - counts
        found = array("I", [0]) * len(self)
        places = np.asarray(found)
        for part in parts:
            ranked = ranks[self.numbers[part]]
            by_rank = np.argsort(ranked, kind="stable")
            ranked = ranked[by_rank]
            before = np.searchsorted(ranked, ranked)  # of the part, in a group before that of each
            places[begins[ranked] + np.arange(len(ranked)) - before] = part.start + by_rank
            np.add.at(begins, ranked, 1)
        return found

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._named(int(number)) for number in self.numbers[place]]
        return self._named(int(self.numbers[place]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]


class GroupSums:
    """Sums of whole numbers over each group, 8 bytes each, added up utterance by utterance.

    ``numbers`` has the number of each utterance's group, of which there are ``count``, as `numbered` returns both.

    >>> sums = GroupSums(*numbered(["ben", "anna", "ben"]), columns=2)
    >>> for place, row in enumerate([(1, 10), (2, 20), (3, 30)]):
    ...     sums.add(place, *row)
    >>> sums.table.tolist()
    [[2.0, 20.0], [4.0, 40.0]]
    """

    def __init__(self, numbers: "NDArray[np.int32]", count: int, *, columns: int) -> None:
        self._numbers = numbers.data
        self._columns = tuple(array("q", bytes(8 * count)) for _ in range(columns))

    def add(self, place: int, *row: int) -> None:
        """Add a number to each column, of the utterance at a place."""
        group = self._numbers[place]
        for column, number in zip(self._columns, row, strict=True):
            column[group] += number

    @property
    def table(self) -> "NDArray[np.float64]":
        """The sums, shape (groups, columns)."""
        import numpy as np

        return np.array(self._columns, np.float64).T


class Marks:
    """What tells names apart and what sorts them, on the disk where there are many names.

    Up to `_FEW` different ones are told apart by a dictionary, which takes 150 bytes of each; more of them by sorting.
    """

    def __init__(self) -> None:
        self._known: dict[int, int] | None = {}
        """The number of each different name by its key, while they are few."""
        self._numbers = Column("I")
        self._firsts, self._starts = array("i"), Column("Q")
        """Of each different name: where it came in, and what sorts it."""
        self._keys = Keys()
        """Of many different names the key of each that came in, and ``_starts`` has what sorts it."""

    def add(self, name: str) -> None:
        """Mark one more name."""
        key, start = _mark(name)
        if self._known is not None:
            number = self._known.setdefault(key, len(self._known))
            if number == _FEW:
                self._spread(self._known)
        if self._known is None:
            self._keys.add(key)
            self._starts.append(start)
            return
        if number == len(self._firsts):
            self._firsts.append(len(self._numbers))
            self._starts.append(start)
        self._numbers.append(number)

    def _spread(self, known: Mapping[int, int]) -> None:
        """Mark each name that came in by itself."""
        keys, starts = [*known], self._starts[:]
        self._starts = Column("Q", map(starts.__getitem__, self._numbers))
        self._keys = Keys(map(keys.__getitem__, self._numbers))
        self._known, self._numbers, self._firsts = None, Column("I"), array("i")

    def groups(self, names: Sequence[str]) -> Groups:
        """Return the groups of the ``names`` that were marked, of which those that begin alike are looked up."""
        import numpy as np

        if self._known is None:
            firsts, numbers = _distinct(self._keys)
            starts = np.asarray(self._starts)[firsts]
        else:
            firsts, numbers = np.array(self._firsts, np.int32), np.asarray(self._numbers, np.int32)
            starts = np.asarray(self._starts)
        order = _in_order(names, firsts, starts)
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            some[:] = places[some]
        return Groups(names, numbers, firsts[order])


class ClustersOfSounds:
    """Clusters of utterances and the sounds of their clips."""

    def __init__(self) -> None:
        self._clusters, self._clips = Marks(), Keys()

    def add(self, cluster: str, clip: str) -> None:
        """Note the cluster of one more utterance, and what identifies its sound."""
        self._clusters.add(cluster)
        self._clips.add(_mark(clip)[0] if cluster == clip else key_of(clip))

    @cached_property
    def sounds(self) -> int:
        """How many sounds there are; no more may come in."""
        return sum(int(_is_first(records).sum()) for records in self._clips.in_order())

    def groups(self, names: Sequence[str]) -> Groups:
        """Return the cluster of each utterance, of all with one sound the first by name; ``names`` are the clusters."""
        import numpy as np

        groups = self._clusters.groups(names)
        if self.sounds == len(self._clips):
            return groups
        _, numbers = _distinct(self._clips)
        cluster = np.full(self.sounds, groups.size, np.int32)
        np.minimum.at(cluster, numbers, groups.numbers)
        return groups.renumbered(cluster[numbers])


def grouped(names: Iterable[str]) -> Groups:
    """Return the groups that utterances are in by their names; what is no sequence is held, equal names once.

    >>> groups = grouped(["ben", "anna", "ben"])
    >>> groups.numbers.tolist(), groups.size, groups[0]
    ([1, 0, 1], 2, 'ben')
    """
    names, marks = held(names), Marks()
    for name in names:
        marks.add(name)
    return marks.groups(names)


def held(names: Iterable[str]) -> Sequence[str]:
    """Return a sequence as it is, and of anything else its names, equal ones as one string."""
    if isinstance(names, Sequence):
        return names
    known: dict[str, str] = {}
    return tuple(known.setdefault(name, name) for name in names)


def numbered(clusters: Sequence[str]) -> "tuple[NDArray[np.int32], int]":
    """Return the number of each utterance's group and how many there are; an empty name is a group of its own.

    Groups are numbered in the order of their names. First come those without, as if their names were their places.

    >>> numbers, count = numbered(["k", "", "a", "k", ""])
    >>> numbers.tolist(), count
    ([3, 0, 2, 3, 1], 4)
    """
    import numpy as np

    groups = clusters if isinstance(clusters, Groups) else grouped(clusters)
    if not groups.size or groups.name(0):
        return groups.numbers, groups.size
    alone = np.flatnonzero(groups.numbers == 0)
    digits = 1 + np.searchsorted(10 ** np.arange(1, 18, dtype=np.int64), alone, side="right")
    as_names = np.lexsort((digits, alone * 10 ** (18 - digits)))  # 1, 10, 100, 11 … 2, 20
    numbers = groups.numbers + np.int32(len(alone) - 1)
    numbers[alone[as_names]] = np.arange(len(alone))
    return numbers, groups.size + len(alone) - 1


def _distinct(keys: Keys) -> "tuple[NDArray[np.int32], NDArray[np.int32]]":
    """Return where each key is that there is, the first time, and of each place the number of its key."""
    import numpy as np

    firsts, numbers = array("i"), np.empty(len(keys), np.int32)
    for records in keys.in_order():
        is_first, places = _is_first(records), records["place"].astype(np.int32)
        numbers[places] = len(firsts) - 1 + np.cumsum(is_first, dtype=np.int32)
        firsts.frombytes(places[is_first].tobytes())
    return np.frombuffer(firsts, np.int32), numbers


def _is_first(records: "NDArray[np.void]") -> "NDArray[np.bool_]":
    """Whether each record, sorted by key, is the first of its key."""
    import numpy as np

    keys = records["key"]
    is_first = np.ones(len(keys), np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    return is_first


def _in_order(names: Sequence[str], firsts: "NDArray[np.int32]", starts: "NDArray[np.uint64]") -> "NDArray[np.intp]":
    """Return the numbers of groups in the order of their names, which are at ``firsts`` of ``names``.

    They are sorted by their ``starts``, what begins alike by what comes then, and a few by all of their names: never
    are the names of all held.
    """
    import numpy as np

    def name(group: int) -> str:
        return names[int(firsts[group])]

    order = np.argsort(starts, kind="stable")
    todo = [(slice(0, len(order)), starts[order], 0)]
    while todo:
        part, starts, skipped = todo.pop()
        skipped += _START_BYTES - 1
        edges = np.flatnonzero(np.concatenate([[True], starts[1:] != starts[:-1], [True]]))
        for run in np.flatnonzero(np.diff(edges) > 1):
            alike = slice(part.start + int(edges[run]), part.start + int(edges[run + 1]))
            groups = order[alike]
            if len(groups) <= _FEW:
                order[alike] = sorted(groups.tolist(), key=name)
                continue
            starts_there = np.fromiter(
                (_start(_bytes(name(group)), skipped) for group in groups), np.uint64, len(groups)
            )
            by_start = np.argsort(starts_there, kind="stable")
            order[alike] = groups[by_start]
            todo.append((alike, starts_there[by_start], skipped))
    return order


@lru_cache(maxsize=2**10)
def _mark(name: str) -> tuple[int, int]:
    """Return the key of a name, and a number that sorts as its beginning does."""
    return key_of(name), _start(_bytes(name), 0)


def _bytes(name: str) -> bytes:
    """Return a name in UTF-8, which sorts as its characters do."""
    return name.encode("utf-8", "surrogatepass")


def _start(name: bytes, skipped: int) -> int:
    """Return a number that sorts as what follows the ``skipped`` bytes: seven more, and how many there are at most."""
    start = name[skipped : skipped + _START_BYTES]
    return int.from_bytes(start[: _START_BYTES - 1].ljust(_START_BYTES - 1, b"\0"), "big") << 8 | len(start)
