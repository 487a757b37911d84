"""Batches that are shared out among actors, and what happens where one of these is lost. Knows nothing of Ray.

An actor that ends over a batch leaves it to others, clip by clip; the second one that ends over the same clip ends the
run, which names it. An actor that is lost with its node has nothing to do with what it decoded: its batch goes to
others as it is. Whatever happens to it, no batch is tried for ever.
"""

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.decoding.engine import Batch, Decoded
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.system.errors import DecodeError

OPTION = "--whisperq-engine"

_ENDS = 2
"""So many actors may end over one clip, or while they load a model; the last of them ends the run."""

_LOSSES = 5
"""So many actors may be lost with their nodes over one batch."""

_AHEAD = 2
"""So many batches an actor has at once: it need not wait for the next one to arrive."""

_PATIENCE = 600.0
"""Seconds in which one actor has to be there that can decode: a processor is free, and the model loaded."""

_LOOK = 1.0
"""Seconds without an answer, after which the pool looks for nodes that have joined."""

Ticket = Any
"""Stands for an answer that is to come; it can be the key of a dictionary."""


class Lost(Exception):  # noqa: N818 - it says what happened to an actor, which need not be an error
    """An actor is gone; ``is_blameless`` says that its node, or the way to it, is gone too."""

    def __init__(self, reason: str, *, is_blameless: bool) -> None:
        super().__init__(reason)
        self.is_blameless = is_blameless


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What executes where a model is loaded."""

    compute_type: str
    operations: str


class Actor(Protocol):
    """One that loads a model once, and then decodes batches one after the other."""

    node: str
    """How people know the node that it is on."""
    opening: Ticket
    """What comes when it has loaded the model, or cannot yet."""


class Actors(Protocol):
    """What runs actors somewhere."""

    def start(self, count: int) -> Sequence[Actor]:
        """Start so many actors, or as many more as there is room for; each begins to load the model."""
        ...

    def opened(self, actor: Any) -> Opened | None:
        """Return what executes in an actor, None where its `Actor.opening` is another one now.

        Raises `Lost`, or a `WhisperqError` for a model that cannot be loaded there, or must not.
        """
        ...

    def ask(self, actor: Any, batch: Batch) -> Ticket:
        """Have a batch decoded, after all that the actor was asked before."""
        ...

    def answer(self, actor: Any, ticket: Ticket, batch: Batch) -> list[Hypothesis]:
        """Return what an actor says about a batch; raise `Lost`, or a `WhisperqError` where it cannot be decoded."""
        ...

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> Sequence[Ticket]:
        """Return those of which the answer is there, as soon as there is one; none where there is none in time."""
        ...

    def stop(self, actor: Any) -> None:
        """End an actor, which may be gone already."""
        ...


@dataclass(slots=True, eq=False)
class _Task:
    batch: Batch
    ended: list[str] = field(default_factory=list)
    """The nodes on which an actor ended over it."""
    losses: int = 0


@dataclass(slots=True, eq=False)
class _Member:
    actor: Actor
    tasks: deque[tuple[Ticket, _Task]] = field(default_factory=deque)


class Pool:
    """Decodes with at most ``size`` actors; a `Running` (see `engine`) once it is open."""

    def __init__(self, actors: Actors, spec: ModelSpec, size: int) -> None:
        self._actors = actors
        self._spec = spec
        self._size = size
        self._opening: list[_Member] = []
        self._ready: list[_Member] = []
        self._again: deque[_Task] = deque()
        self._ended: list[str] = []
        self._first: tuple[str, Opened] | None = None
        self._rate = _Rate()

    @property
    def compute_type(self) -> str:
        """What executes, in every actor."""
        return self._executes.compute_type

    @property
    def operations(self) -> str:
        """What the runtime says of its mix of types."""
        return self._executes.operations

    @property
    def _executes(self) -> Opened:
        if self._first is None:
            raise ValueError("the pool is not open")
        return self._first[1]

    @property
    def pace(self) -> str:
        """Where is decoded, and how many clips a second: `` on 2 nodes, 41 clips/s``."""
        nodes = len({member.actor.node for member in self._ready})
        return f" on {nodes} node{'' if nodes == 1 else 's'}{self._rate}"

    def open(self) -> None:
        """Start actors, and wait for the first that can decode; the others come later.

        Raises `DecodeError` where none does.
        """
        self._start()
        self._wait_for_one()

    def decode(self, batches: Iterator[Batch]) -> Generator[Decoded]:
        """Yield batches, or parts of them, as they are decoded; raise `DecodeError` for what cannot be."""
        self._rate.begin()
        while True:
            self._wait_for_one()
            self._feed(batches)
            if not self._again and not any(member.tasks for member in self._ready):
                return
            for batch, hypotheses in self._look():
                self._rate.add(len(batch))
                yield batch, hypotheses

    def close(self) -> None:
        """End all actors."""
        for member in (*self._opening, *self._ready):
            self._actors.stop(member.actor)
        self._opening, self._ready = [], []

    def _wait_for_one(self) -> None:
        """Wait until an actor is ready."""
        begin = time.monotonic()
        while not self._ready:
            for _ in self._look():
                pass
            if not self._ready and time.monotonic() - begin > _PATIENCE:
                raise DecodeError(
                    f"no actor could load {self._spec} in {_PATIENCE / 60:g} minutes: no processor of the cluster "
                    "became free, or loading takes longer",
                    where=OPTION,
                    remedy="let other work on the cluster end, or use another cluster",
                )

    def _start(self) -> None:
        wanted = self._size - len(self._ready) - len(self._opening)
        self._opening += [_Member(actor) for actor in self._actors.start(wanted)] if wanted > 0 else []
        if not self._opening and not self._ready:
            raise DecodeError(
                f"no node of the cluster is left to decode with {self._spec}",
                where=OPTION,
                remedy="start nodes with a processor or more, and run again; what is decoded is kept",
            )

    def _feed(self, batches: Iterator[Batch]) -> None:
        """Give every actor something to do, and what it does next: first one batch to each."""
        for ahead in range(_AHEAD):
            for member in self._ready:
                if len(member.tasks) > ahead:
                    continue
                task = self._again.popleft() if self._again else _next(batches)
                if task is None:
                    return
                member.tasks.append((self._actors.ask(member.actor, task.batch), task))

    def _look(self) -> Iterator[Decoded]:
        """Wait for what comes next, and yield what is decoded."""
        members = {member.actor.opening: member for member in self._opening}
        members |= {member.tasks[0][0]: member for member in self._ready if member.tasks}
        arrived = self._actors.wait(list(members), _LOOK)
        if not arrived:
            self._start()
        for ticket in arrived:
            member = members[ticket]
            try:
                if member in self._opening:
                    self._open(member)
                else:
                    _, task = member.tasks[0]
                    hypotheses = self._actors.answer(member.actor, ticket, task.batch)
                    member.tasks.popleft()
                    yield task.batch, hypotheses
            except Lost as lost:
                self._lose(member, lost)

    def _open(self, member: _Member) -> None:
        opened = self._actors.opened(member.actor)
        if opened is None:
            return
        if self._first is None:
            self._first = member.actor.node, opened
        node, executes = self._first
        if opened != executes:
            raise DecodeError(
                f"{self._spec} executes as {_told(opened)} on {member.actor.node}, and as {_told(executes)} on {node}: "
                "their transcripts are those of two models",
                where=OPTION,
                remedy="decode on nodes that are alike",
            )
        self._opening.remove(member)
        self._ready.append(member)

    def _lose(self, member: _Member, lost: Lost) -> None:
        """Take an actor out that is gone, leave what it had to others, and start another one where there is room."""
        self._actors.stop(member.actor)
        if member in self._opening:
            self._opening.remove(member)
            if not lost.is_blameless:
                self._ended.append(member.actor.node)
            if len(self._ended) >= _ENDS:
                raise DecodeError(
                    f"{len(self._ended)} actors ended while they loaded {self._spec}, on {_names(self._ended)}: {lost}",
                    where=OPTION,
                    remedy="see that a node has the memory for a model for each of its actors",
                )
        else:
            self._ready.remove(member)
            (_, first), *rest = member.tasks
            self._again.extendleft(reversed([*self._parts(first, member.actor.node, lost), *(one for _, one in rest)]))
        self._start()

    def _parts(self, task: _Task, node: str, lost: Lost) -> list[_Task]:
        """Return what of a batch over which an actor was lost is tried again; raise `DecodeError` where it is enough.

        Clip by clip, where the batch may be to blame: one of them is.
        """
        item = next(iter(task.batch.values()))
        if lost.is_blameless:
            task.losses += 1
            if task.losses > _LOSSES:
                raise DecodeError(
                    f"{task.losses} nodes were lost, one after the other, while they decoded a batch that begins with "
                    f"{item.id}: {lost}",
                    where=OPTION,
                    remedy="see why nodes are lost, and run again; what is decoded is kept",
                )
            return [task]
        task.ended.append(node)
        if len(task.batch) > 1:
            return [_Task({clip: one}, [*task.ended], task.losses) for clip, one in task.batch.items()]
        if len(task.ended) >= _ENDS:
            raise DecodeError(
                f"the clip {item.id} has ended {len(task.ended)} actors that decoded it, on {_names(task.ended)}: "
                f"{lost}",
                where=f"{self._spec} at {item.where}",
                remedy="decode it in a process of its own to see why, or take it out of the corpus",
            )
        return [task]


def _next(batches: Iterator[Batch]) -> _Task | None:
    batch = next(batches, None)
    return None if batch is None else _Task(batch)


def _told(opened: Opened) -> str:
    return f"{opened.compute_type!r}{f' ({opened.operations})' if opened.operations else ''}"


def _names(nodes: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(nodes))


class _Rate:
    """Clips a second since decoding began; the text is a new one twice a second at most, so that lines can be read."""

    def __init__(self) -> None:
        self._begin = self._told = time.monotonic()
        self._clips = 0
        self._text = ""

    def begin(self) -> None:
        """Begin to count."""
        self._begin = time.monotonic()
        self._clips = 0

    def add(self, clips: int) -> None:
        """Count clips."""
        self._clips += clips
        now = time.monotonic()
        if not self._text or now - self._told >= 0.5:
            self._told = now
            self._text = f", {self._clips / max(now - self._begin, 1e-3):.3g} clips/s"

    def __str__(self) -> str:
        return self._text
