"""Actors that come, decode and are lost: every batch is decoded once, and none is tried for ever."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.decoding import pool as pools
from pytest_whisperq.decoding.engine import Batch
from pytest_whisperq.decoding.pool import Lost, Opened, Pool
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.system.errors import DecodeError

INT8 = Opened(compute_type="int8", operations="")


@dataclass(eq=False)
class Somebody:
    node: str
    opening: Any
    is_gone: bool = False
    asked: list[Any] = field(default_factory=list)


@dataclass
class Cluster:
    """A cluster of so many nodes, with a place for one actor each; what happens on it is said beforehand."""

    nodes: list[str]
    poison: set[str] = field(default_factory=set)
    """Clips that end an actor."""
    dies_with: dict[str, str] = field(default_factory=dict)
    """Nodes that are lost over a clip, once."""
    executes: dict[str, Opened] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    """Nodes that have to be sent the model's files first."""
    cannot_load: set[str] = field(default_factory=set)
    log: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    alive: list[Somebody] = field(default_factory=list)

    def start(self, count: int) -> list[Somebody]:
        busy = {one.node for one in self.alive}
        new = [Somebody(node, f"open {node} {len(self.log)}") for node in self.nodes if node not in busy][:count]
        self.alive += new
        return new

    def opened(self, actor: Somebody) -> Opened | None:
        if actor.node in self.cannot_load:
            raise Lost("out of memory", is_blameless=False)
        if actor.node in self.lacking:
            self.lacking.remove(actor.node)
            actor.opening = f"sent {actor.node}"
            return None
        return self.executes.get(actor.node, INT8)

    def ask(self, actor: Somebody, batch: Batch) -> Any:
        ticket = (actor.node, len(self.log), *batch)
        self.log.append((actor.node, tuple(batch)))
        actor.asked.append(ticket)
        return ticket

    def answer(self, actor: Somebody, ticket: Any, batch: Batch) -> list[Hypothesis]:
        for clip in batch:
            if self.dies_with.get(clip) == actor.node:
                del self.dies_with[clip]
                self.nodes.remove(actor.node)
                raise Lost("its node is gone", is_blameless=True)
            if clip in self.poison:
                raise Lost("exit code 139", is_blameless=False)
        return [Hypothesis(text=f"{clip} says {actor.node}") for clip in batch]

    def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        opening = [ticket for ticket in tickets if isinstance(ticket, str)]
        return opening or [tickets[len(self.log) % len(tickets)]]  # in any order

    def stop(self, actor: Somebody) -> None:
        actor.is_gone = True
        self.alive.remove(actor)


def batches(*sizes: int) -> list[dict[str, Utterance]]:
    numbers = iter(range(sum(sizes)))
    return [{f"c{number}": clip(number) for number in (next(numbers) for _ in range(size))} for size in sizes]


def clip(number: int) -> Utterance:
    name = f"clip{number}.wav"
    return Utterance(id=name, where=f"metadata.csv:{number + 2}", audio=AudioSource(label=name), reference="x")


def decode(cluster: Cluster, spec: ModelSpec, wanted: Iterable[Batch], size: int = 9) -> dict[str, str]:
    """Decode all, and return what was said about each clip; fails where one is decoded twice."""
    pool = Pool(cluster, spec, size)
    said: dict[str, str] = {}
    try:
        pool.open()
        assert pool.compute_type == "int8"
        for batch, hypotheses in pool.decode(iter(wanted)):
            assert not said.keys() & batch.keys()
            said |= {one: hypothesis.text for one, hypothesis in zip(batch, hypotheses, strict=True)}
    finally:
        pool.close()
    assert not cluster.alive
    return said


def test_batches_are_shared_out_and_each_is_decoded_once(spec: ModelSpec) -> None:
    cluster = Cluster(["a", "b"])
    said = decode(cluster, spec, batches(3, 3, 3, 3, 1))
    assert sorted(said) == sorted(f"c{number}" for number in range(13))
    assert {node for node, _ in cluster.log} == {"a", "b"}


def test_no_more_actors_are_started_than_there_are_batches(spec: ModelSpec) -> None:
    cluster = Cluster(["a", "b", "c"])
    decode(cluster, spec, batches(2), size=1)
    assert {node for node, _ in cluster.log} == {"a"}


def test_batches_are_taken_when_somebody_can_decode_them(spec: ModelSpec) -> None:
    cluster, taken = Cluster(["a"]), list[int]()
    pool = Pool(cluster, spec, 1)
    pool.open()
    many = batches(*[1] * 50)
    decoded = pool.decode(taken.append(number) or batch for number, batch in enumerate(many))  # type: ignore[func-returns-value]
    next(decoded)
    assert len(taken) <= 3  # what stops early has not asked for all of a corpus
    decoded.close()
    pool.close()


def test_a_model_that_a_node_does_not_see_is_sent_there(spec: ModelSpec) -> None:
    cluster = Cluster(["a"], lacking={"a"})
    assert len(decode(cluster, spec, batches(2, 2))) == 4


def test_a_node_that_is_lost_leaves_its_batches_to_others(spec: ModelSpec) -> None:
    cluster = Cluster(["a", "b"], dies_with={"c3": "b"})
    said = decode(cluster, spec, batches(2, 2, 2, 2, 2))
    assert len(said) == 10
    assert [node for node, clips in cluster.log if clips == ("c2", "c3")] == ["b", "a"]  # as it was, not clip by clip


def test_a_clip_that_ends_two_actors_is_named(spec: ModelSpec) -> None:
    cluster = Cluster(["a", "b"], poison={"c4"})
    with pytest.raises(DecodeError, match=r"metadata\.csv:6: the clip clip4\.wav has ended 2 actors .*exit code 139"):
        decode(cluster, spec, batches(3, 3, 3))
    tries = [clips for _, clips in cluster.log if "c4" in clips]
    assert tries == [("c3", "c4", "c5"), ("c4",)]  # once in its batch, once alone
    assert not cluster.alive


def test_an_actor_that_ends_once_costs_nothing(spec: ModelSpec) -> None:
    cluster = Cluster(["a"], poison={"c1"})
    answer = cluster.answer

    def once(actor: Somebody, ticket: Any, batch: Batch) -> list[Hypothesis]:
        try:
            return answer(actor, ticket, batch)
        finally:
            cluster.poison.clear()

    cluster.answer = once  # type: ignore[method-assign]
    assert len(decode(cluster, spec, batches(2, 2))) == 4


def test_nodes_that_are_lost_one_after_the_other_end_the_run(spec: ModelSpec) -> None:
    class Doomed(Cluster):
        def answer(self, actor: Somebody, ticket: Any, batch: Batch) -> list[Hypothesis]:
            raise Lost("its node is gone", is_blameless=True)

    with pytest.raises(DecodeError, match=r"6 nodes were lost.*clip0\.wav"):
        decode(Doomed(["a", "b"]), spec, batches(2))


def test_no_node_left_is_an_error(spec: ModelSpec) -> None:
    with pytest.raises(DecodeError, match="no node of the cluster is left"):
        decode(Cluster([]), spec, batches(1))
    with pytest.raises(DecodeError, match="no node of the cluster is left"):
        decode(Cluster(["a"], dies_with={"c0": "a"}), spec, batches(1))


def test_a_model_that_no_actor_can_load_is_an_error(spec: ModelSpec) -> None:
    with pytest.raises(DecodeError, match="2 actors ended while they loaded scripted:int8, on a: out of memory"):
        decode(Cluster(["a"], cannot_load={"a"}), spec, batches(1))


def test_nodes_on_which_another_type_executes_are_not_mixed(spec: ModelSpec) -> None:
    cluster = Cluster(["a", "b"], executes={"a": Opened(compute_type="float32", operations="")})
    with pytest.raises(DecodeError, match="executes as 'int8' on b, and as 'float32' on a"):
        decode(cluster, spec, batches(*[1] * 9))


def test_no_free_processor_is_an_error_after_a_while(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Cluster):
        def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
            return []

    monkeypatch.setattr(pools, "_PATIENCE", 0.0)
    with pytest.raises(DecodeError, match="no processor of the cluster became free"):
        decode(Busy(["a"]), spec, batches(1))


def test_nodes_that_join_decode_too(spec: ModelSpec) -> None:
    class Growing(Cluster):
        def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
            if len(self.log) == 4 and len(self.nodes) == 1:
                self.nodes.append("b")
                return []
            return super().wait(tickets, seconds)

    cluster = Growing(["a"])
    assert len(decode(cluster, spec, batches(*[1] * 20))) == 20
    assert {node for node, _ in cluster.log} == {"a", "b"}


def test_the_pace_is_that_of_the_cluster(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(pools.time, "monotonic", lambda: now[0])
    pool = Pool(Cluster(["a", "b"]), spec, 2)
    pool.open()
    paces = []
    for _ in pool.decode(iter(batches(4, 4, 4, 4))):
        now[0] += 0.1
        paces.append(pool.pace)
    assert paces[-1].startswith(" on 2 nodes, ")
    assert paces[-1].endswith(" clips/s")
    pool.close()
