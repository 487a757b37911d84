"""A merge under test, what it did with a stream, and how it is told that this was wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature

from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.subject import ContractError
from pytest_whisperq.streaming import Level, Merger, StreamProfile, StreamWord, Update, key


class MergeSubject:
    """A merge under test: what makes a new one, what it claims, and what it does not promise, with the reason.

    `make` is called with the profile of a stream, or with nothing if it takes nothing. `level` and `waivers` (from the
    name of a check to a reason) are read off it where they are not given. With `profile` all streams have that one.

    Raises `StreamError` where no merge can be right with the profile, and `ContractError` for a merge that takes none
    where none is named: it would be accused of what a profile asks that it was not made for.
    """

    def __init__(
        self,
        make: Callable[..., Merger],
        *,
        level: Level | None = None,
        profile: StreamProfile | None = None,
        waivers: Mapping[str, str] | None = None,
    ) -> None:
        self._make = make
        self.name = getattr(make, "__name__", type(make).__name__)
        claimed = level if level is not None else getattr(make, "level", None)
        if claimed is None:
            raise ContractError(f"{self.name} claims no level: give level=, or the class an attribute `level`")
        self.level = Level(claimed)
        if profile is not None:
            profile.check()  # with windows too short no merge can be right, and all would be accused
        self.profile = profile
        self.waivers = dict(waivers if waivers is not None else getattr(make, "waivers", {}))
        self.takes_profile = bool(signature(make).parameters)
        if profile is None and not self.takes_profile:
            raise ContractError(
                f"{self.name} takes no StreamProfile, and none is named: streams may have fewer votes or shorter "
                "windows than it is made for. Name those: profile=StreamProfile(window=…, hop=…, …), or "
                "--whisperq-merge-profile for a marker"
            )

    def new(self, stream: Stream) -> Merger:
        """Return a new merge for a stream."""
        return self._make(stream.profile) if self.takes_profile else self._make()


@dataclass(frozen=True, slots=True)
class Run:
    """What a merge did with a stream: what each push and the flush returned, and all that was committed after each."""

    updates: tuple[Update, ...]
    committed: tuple[tuple[StreamWord, ...], ...]

    @property
    def words(self) -> tuple[StreamWord, ...]:
        """What was committed in the end."""
        return self.committed[-1]


def run(subject: MergeSubject, stream: Stream) -> Run:
    """Push a stream through a new merge and flush it."""
    merge = subject.new(stream)
    updates, committed = [], []
    for chunk in stream.chunks:
        updates.append(merge.push(chunk))
        committed.append(tuple(merge.committed))
    updates.append(merge.flush())
    committed.append(tuple(merge.committed))
    return Run(tuple(updates), tuple(committed))


def texts(words: tuple[StreamWord, ...]) -> list[str]:
    """Return words as they are compared."""
    return [spelled for word in words for part in word.text.split() if (spelled := key(part))]


class MergeError(ContractError):
    """A merge broke an invariant; the message shows what it was told, what it should have said and what it said."""

    def __init__(
        self, subject: MergeSubject, stream: Stream, what: str, expected: list[str], actual: list[str]
    ) -> None:
        self.subject, self.stream, self.what = subject, stream, what
        self.checked = stream  # what the check was given, of which `stream` may be a part
        super().__init__(
            f"{subject.name}: {what}\n"
            f"  expected: {' '.join(expected) or '(nothing)'}\n"
            f"  found:    {' '.join(actual) or '(nothing)'}\n{stream.table()}"
        )
