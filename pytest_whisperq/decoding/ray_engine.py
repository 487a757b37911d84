"""Decodes on a Ray cluster: actors load a model once, and take batches (`pool`, `actor`). Ray is imported when needed.

A cluster is trusted: whoever can reach it can run anything on its nodes, and Ray hands pickled values about.
"""

import logging
import os
import socket
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_whisperq.backends import Hypothesis, Task, get_backend
from pytest_whisperq.decoding.actor import DecodingActor, Request, request_for, value_of
from pytest_whisperq.decoding.decoder import Decoder, answers, batch_errors, clips_of
from pytest_whisperq.decoding.engine import Batch
from pytest_whisperq.decoding.errors import decode_errors
from pytest_whisperq.decoding.pool import OPTION, Lost, Opened, Pool
from pytest_whisperq.models.delivery import pieces_of
from pytest_whisperq.models.ready_made import names_folder
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import ConfigError, DecodeError
from pytest_whisperq.system.files import first_line
from pytest_whisperq.system.machine import cpu_quota

_AUTO = "ray://auto"
_SECONDS_TO_REACH = 5.0


def place(engine: str) -> str:
    """Return in words which cluster an engine means: ``ray``, ``ray://auto`` or ``ray://HOST:PORT``."""
    if engine == _AUTO:
        return "the Ray cluster that runs on this machine"
    address = engine if "://" in engine else _stated()
    return f"the Ray cluster at {address}" if address else "a Ray cluster that is started on this machine"


def _stated() -> str:
    """Return the address that the environment states, "" for none."""
    return os.environ.get("RAY_ADDRESS", "").strip()


class RayEngine:
    """Decodes on a cluster that is joined, or started, when the first model decodes.

    It is that of ``RAY_ADDRESS``, or a new one on this machine (``ray``); the one that runs on this machine
    (``ray://auto``); or one elsewhere, by Ray Client (``ray://HOST:PORT``).
    """

    is_exclusive = True

    def __init__(self, engine: str, decoder: Decoder) -> None:
        self._engine = engine
        self._decoder = decoder

    @cached_property
    def _ray(self) -> Any:
        # Before it is imported: its statistics of use go to its makers.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # on a machine that has other work to do
        return optional_imports.require("ray", extra="ray", purpose="decode on a Ray cluster")

    @property
    def _address(self) -> tuple[str, str]:
        """What `ray.init` is given, and who says so."""
        if self._engine == _AUTO:
            return "auto", OPTION
        if "://" in self._engine:
            return self._engine, OPTION
        return (_stated(), f"{OPTION} (RAY_ADDRESS)") if _stated() else ("local", OPTION)

    def check(self) -> None:
        """Raise `ConfigError` where nobody listens at the address, or it is none; see `Engine.check`."""
        address, where = self._address
        if address in ("auto", "local"):
            return
        host, _, port = address.rpartition("://")[2].rpartition(":")
        remedy = "name one as ray://HOST:10001, of Ray Client, or HOST:6379 in RAY_ADDRESS on a node of the cluster"
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ConfigError(f"{address!r} is no address of a Ray cluster", where=where, remedy=remedy)
        try:
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_REACH).close()
        except OSError as error:
            raise ConfigError(
                f"no Ray cluster can be reached at {address}: {error.strerror or error}",
                where=where,
                remedy="start it (ray start --head), or mend the address",
            ) from error

    @contextmanager
    def running(self, artifact: Artifact, clips: int, task: Task) -> Iterator[Pool]:
        """Load a built model in actors, see `Engine.running`; never more of them than there are batches."""
        self._join()
        actors = RayActors(self._ray, artifact, self._decoder, task)
        pool = Pool(actors, artifact.spec, max(1, -(-clips // self._decoder.batch)))
        try:
            pool.open()
            self._decoder.attest(artifact.spec, pool.compute_type)
            yield pool
        finally:
            pool.close()

    def _join(self) -> None:
        """Join the cluster, or start it; a process that has done so stays in it."""
        ray = self._ray
        if ray.is_initialized():
            return
        self.check()
        address, where = self._address
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address == "local":
            settings |= {"num_cpus": cpu_quota(), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Ray will change some day is no failure of this run's tests
                ray.init(address, **settings)
        except Exception as error:  # of Ray, of gRPC, of the network
            start = address == "local"
            raise ConfigError(
                f"cannot {'start' if start else 'join'} {place(self._engine)}: {first_line(error)}",
                where=where,
                remedy="start one with ray start --head, of the same versions of Ray and Python as here",
            ) from error


@dataclass(slots=True, eq=False)
class _RayActor:
    node: str
    node_id: str
    handle: Any
    request: Request
    opening: Any


class RayActors:
    """The actors of one model on the nodes of a cluster: as many on each as have processors for their threads."""

    def __init__(self, ray: Any, artifact: Artifact, decoder: Decoder, task: Task) -> None:
        self._ray = ray
        self._artifact = artifact
        self._decoder = decoder
        self._task = task
        self._count: Counter[str] = Counter()
        self._gone: set[str] = set()
        self._files: list[tuple[str, list[Any]]] | None = None

    @property
    def _spec(self) -> ModelSpec:
        return self._artifact.spec

    @cached_property
    def _request(self) -> Request:
        record = self._decoder.store.record(self._artifact)
        backend = get_backend(self._spec.backend)
        return request_for(backend, self._spec.precision, self._decoder.threads, self._artifact.directory, record)

    @cached_property
    def _class(self) -> Any:
        return self._ray.remote(DecodingActor)

    def start(self, count: int) -> list[_RayActor]:
        """Start actors, see `Actors.start`; on each node one, then on each a second one, and so on."""
        nodes = self._nodes()
        places = sorted(
            (self._count[node["NodeID"]] + number, index)
            for index, node in enumerate(nodes)
            for number in range(self._room(node))
        )
        return [self._begin(nodes[index]) for _, index in places[:count]]

    def _nodes(self) -> list[Mapping[str, Any]]:
        return [node for node in self._asked(self._ray.nodes) if node["Alive"] and node["NodeID"] not in self._gone]

    def _threads(self, node: Mapping[str, Any]) -> int:
        """Return how many threads an actor has: as many as here, or as there are processors."""
        return min(self._decoder.threads, int(node["Resources"].get("CPU", 0)))

    def _room(self, node: Mapping[str, Any]) -> int:
        threads = self._threads(node)
        return int(node["Resources"]["CPU"]) // threads - self._count[node["NodeID"]] if threads else 0

    def _begin(self, node: Mapping[str, Any]) -> _RayActor:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        threads, node_id = self._threads(node), node["NodeID"]
        self._count[node_id] += 1
        handle = self._class.options(
            num_cpus=threads,
            max_restarts=0,  # the pool decides who tries what again
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
        ).remote(_fetch)
        request = self._request.copy()
        request["threads"] = threads
        name = f"{node['NodeManagerAddress']} ({node_id[:8]})"
        return _RayActor(name, node_id, handle, request, handle.open.remote(request, None))

    def opened(self, actor: _RayActor) -> Opened | None:
        """Return what executes, see `Actors.opened`; an actor that does not see the files of the model is sent them."""
        spec = self._spec
        answer = self._get(actor, actor.opening)
        with decode_errors(f"{spec} was built but cannot be loaded on {actor.node}"), names_folder(spec.folder):
            found = value_of(answer)
        if "identity" in found:
            raise _foreign(spec, actor.node, found["identity"], self._request["identity"])
        if "lacks" in found:
            actor.opening = actor.handle.open.remote(actor.request, self._sent())
            return None
        self._decoder.attest_device(spec, str(found["device"]))
        return Opened(compute_type=str(found["compute_type"]), operations=str(found["operations"]))

    def _sent(self) -> list[tuple[str, list[Any]]]:
        """Return the files of the model in the object store, in pieces; they are put there once."""
        if self._files is None:
            files = pieces_of(self._artifact, self._request["record"])
            self._files = [(name, [self._asked(self._ray.put, piece) for piece in pieces]) for name, pieces in files]
        return self._files

    def ask(self, actor: _RayActor, batch: Batch) -> Any:
        """Send the samples of a batch, see `Actors.ask`: nodes need no recordings."""
        clips = clips_of(list(batch.values()))
        samples = self._asked(self._ray.put, [clip.samples for clip in clips])  # not as arguments: Ray Client warns
        return self._asked(actor.handle.transcribe.remote, samples, [clip.language for clip in clips], self._task)

    def answer(self, actor: _RayActor, ticket: Any, batch: Batch) -> list[Hypothesis]:
        """Return what a model says about a batch, see `Actors.answer`."""
        answer = self._get(actor, ticket)
        with batch_errors(self._spec, list(batch.values())):
            rows = value_of(answer)
        hypotheses = [Hypothesis(text=text, tokens=tokens, language=language) for text, tokens, language in rows]
        return answers(self._spec, hypotheses, len(batch))

    def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        """Return the tickets that are answered, see `Actors.wait`."""
        waiting = list(tickets)
        if not waiting:
            return []
        some, rest = self._asked(self._ray.wait, waiting, num_returns=1, timeout=seconds)
        more = self._asked(self._ray.wait, rest, num_returns=len(rest), timeout=0)[0] if some and rest else []
        return [*some, *more]

    def stop(self, actor: _RayActor) -> None:
        """End an actor; one that cannot be reached ends with the cluster, or with this process."""
        self._count[actor.node_id] -= 1
        try:
            self._ray.kill(actor.handle)
        except Exception as error:  # noqa: BLE001 - it is gone already, or the cluster is
            logging.getLogger(__name__).debug("%s", error)

    def _asked(self, ask: Any, *arguments: Any, **keywords: Any) -> Any:
        """Ask the cluster something; raise `DecodeError` where it is not there any more."""
        try:
            return ask(*arguments, **keywords)
        except (ConnectionError, self._ray.exceptions.RayError) as error:
            raise DecodeError(
                f"the Ray cluster is lost: {first_line(error)}",
                where=OPTION,
                remedy="see that its head runs, and run again; what is decoded is kept",
            ) from error

    def _get(self, actor: _RayActor, ticket: Any) -> Any:
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(ticket)
        except exceptions.ActorUnavailableError as error:  # the way to its node is gone, and mostly the node
            self._gone.add(actor.node_id)
            raise Lost(first_line(error), is_blameless=True) from error
        except exceptions.RayActorError as error:
            if "No module named 'pytest_whisperq" in str(error):
                raise DecodeError(
                    f"pytest-whisperq is not installed on {actor.node}",
                    where=OPTION,
                    remedy="install it on every node of the cluster, with the same backends as here",
                ) from error
            raise Lost(_reason(error), is_blameless=self._is_node_gone(actor)) from error
        except exceptions.RayTaskError as error:
            raise DecodeError(f"{self._spec} failed on {actor.node}: {first_line(error)}", where=OPTION) from error
        except exceptions.RayError as error:  # an object that went with its node, a node without memory or disk
            raise Lost(first_line(error), is_blameless=True) from error
        except ConnectionError as error:
            raise DecodeError(
                f"the Ray cluster is lost: {first_line(error)}",
                where=OPTION,
                remedy="see that its head runs, and run again; what is decoded is kept",
            ) from error

    def _is_node_gone(self, actor: _RayActor) -> bool:
        is_there = any(node["NodeID"] == actor.node_id for node in self._nodes())
        if not is_there:
            self._gone.add(actor.node_id)
        return not is_there


def _fetch(piece: Any) -> bytes:
    import ray

    found: bytes = ray.get(piece)
    return found


def _reason(error: Exception) -> str:
    """Return the line of Ray's message that says why an actor is gone; those before it say which one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "exit detail" in line or "actor is dead" in line or "died because" in line]
    return f"{(told or lines or ['it is gone'])[-1]:.200}"


def _foreign(spec: ModelSpec, node: str, there: Mapping[str, str], here: Mapping[str, str]) -> DecodeError:
    """Return the error for a node that differs in what transcripts depend on."""
    name = next(name for name in {**here, **there} if here.get(name) != there.get(name))
    return DecodeError(
        f"{node} would transcribe {spec} otherwise than this machine: {name} is {there.get(name, 'absent')!r} there, "
        f"and {here.get(name, 'absent')!r} here",
        where=OPTION,
        remedy="decode on nodes with the same versions, processor and environment variables as here, or judge on one "
        "of those nodes",
    )
