"""A run on a real Ray cluster of two nodes says what one process says, whatever is killed meanwhile."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_project import GATES, Project

pytestmark = pytest.mark.matrix

NOTE = "measured on this machine, not on the cluster of --whisperq-engine"
TESTS = f"""{GATES}
@pytest.mark.whisperq_catastrophe
@pytest.mark.whisperq_size
def test_the_rest():
    pass
"""
OPTIONS = [
    *("--whisperq-baseline=scripted", "--whisperq-model=model", "--whisperq-corpus=calls"),
    *("--whisperq-max-size-ratio=1.1", "--whisperq-threads=1", "--whisperq-decode-batch=4", "--assert=plain"),
]
GATED = ("--whisperq-candidate=scripted:int8,scripted:int4-sym", "--whisperq-max-drop=3")


class Nodes:
    """A cluster whose head decodes nothing, with two nodes of one processor each, and as many again after a test."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.workers: list[Any] = []
        self.refill()

    def refill(self) -> None:
        while len(self.workers) < 2:
            self.add()

    def add(self, **environment: str) -> Any:
        node = self._cluster.add_node(num_cpus=1, env_vars=environment or None)
        self.workers.append(node)
        return node

    def kill(self, node: Any) -> None:
        self.workers.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    @property
    def address(self) -> str:
        return str(self._cluster.address)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
    pytest.importorskip("ray", reason='a Ray cluster needs: pip install "pytest-whisperq[ray]"')
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield Nodes(started)
    finally:
        started.shutdown()


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    cluster.refill()
    return cluster


def few(number: int, text: str) -> str:
    return text.replace("alpha", "bravo") if number % 25 == 0 else text


def most(number: int, text: str) -> str:
    return "bravo" if number % 2 else text


def slow(project: Project, seconds: float) -> None:
    """Let every token of what a model says take so long."""
    path = project.model / "scripted.json"
    script = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: {**one, "seconds": {"token": seconds}} for name, one in script.items()}))


def start(project: Project, nodes: Nodes | None, *arguments: str) -> "subprocess.Popen[str]":
    """Start pytest, in a process of its own, on a cluster or without one."""
    engine = ["--whisperq-engine=ray"] if nodes else []
    environment = {**os.environ, "RAY_ADDRESS": nodes.address if nodes else ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", *OPTIONS, *engine, *arguments]
    where = project.pytester.path
    return subprocess.Popen(
        command, cwd=where, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(run: "subprocess.Popen[str]") -> SimpleNamespace:
    shown, _ = run.communicate(timeout=500)
    return SimpleNamespace(ret=run.returncode, text=shown)


def clips(project: Project, cache: str) -> list[str]:
    """Return every clip that is cached, as often as it is."""
    files = (project.pytester.path / cache / "transcripts").glob("*.jsonl")
    return [json.loads(line)["clip"] for path in files for line in path.read_text().split("\n")[1:-1]]


def wait_for(condition: Callable[[], bool], run: "subprocess.Popen[str]") -> None:
    for _ in range(4000):
        if condition():
            return
        assert run.poll() is None, finish(run).text
        time.sleep(0.05)
    raise AssertionError("nothing happened")


def report(project: Project, folder: str) -> Any:
    """Return the report of a run, less what is measured anew and what says where."""
    document = json.loads((project.pytester.path / folder / "report.json").read_text(encoding="utf-8"))

    def less(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: less(one) for key, one in value.items() if key not in ("created", "build_seconds", "build_memory")
            }
        if isinstance(value, list):
            anew = (["build_seconds"], ["build_memory"])
            return [less(one) for one in value if one != NOTE and not (isinstance(one, list) and one[:1] in anew)]
        return value

    return less(document)


def test_a_node_that_is_killed_in_the_middle_changes_nothing(project: Project, nodes: Nodes) -> None:
    project.record(120, speakers=30, int8=few, int4_sym=most)
    slow(project, 0.01)
    project.pytester.makepyfile(TESTS)
    whole = finish(start(project, None, *GATED, "--whisperq-cache-dir=alone", "--whisperq-report=whole"))
    run = start(project, nodes, *GATED, "--whisperq-cache-dir=cluster", "--whisperq-report=shared")
    wait_for(lambda: len(clips(project, "cluster")) >= 40, run)
    nodes.kill(nodes.workers[-1])
    shared = finish(run)
    assert (shared.ret, whole.ret) == (1, 1), shared.text  # int4-sym says something else in every second clip
    assert f"decoded on the Ray cluster at {nodes.address}; all else, speed" in shared.text
    assert "measured on this machine, not on the cluster" in shared.text  # of size
    assert report(project, "shared") == report(project, "whole")
    assert {gate["verdict"] for gate in report(project, "shared")["gates"]} == {"PASS", "FAIL", "INCONCLUSIVE"}
    for path in (project.pytester.path / "cluster" / "transcripts").glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(set(lines)) == len(lines)  # no clip twice; of int4-sym not all, for it was stopped early


def test_a_driver_that_is_killed_resumes(project: Project, nodes: Nodes) -> None:
    project.record(40, int8=few)
    slow(project, 0.03)
    project.pytester.makepyfile(GATES)
    run = start(project, nodes, "--whisperq-backend=scripted", "--whisperq-cache-dir=cache")
    wait_for(lambda: len(clips(project, "cache")) >= 12, run)
    run.kill()
    run.communicate()
    kept = clips(project, "cache")
    again = finish(start(project, nodes, "--whisperq-backend=scripted", "--whisperq-cache-dir=cache"))
    assert "whisperq gates" in again.text, again.text
    decoded = clips(project, "cache")
    assert set(kept) <= set(decoded)
    assert len(decoded) == 80  # each clip once for each model: what was decoded is not decoded again
    assert all(decoded.count(one) == 2 for one in set(decoded))


POISON = """
import os

from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber


class Crashing(ScriptedTranscriber):
    def transcribe(self, clips):
        hypotheses = super().transcribe(clips)
        if any(one.text == "poison" for one in hypotheses):
            os._exit(139)
        return hypotheses


class Frail(ScriptedBackend):
    name = "frail"

    def load(self, precision, directory, threads):
        loaded = super().load(precision, directory, threads)
        return Crashing(loaded._texts, loaded.compute_type)


def pytest_whisperq_backends():
    return {"frail": Frail}
"""


def test_a_clip_that_ends_its_actors_is_named(project: Project, nodes: Nodes) -> None:
    project.record(24, int8=lambda number, text: "poison" if number == 10 else text)
    project.pytester.makeconftest(POISON)
    project.pytester.makepyfile(GATES)
    shown = finish(start(project, nodes, "--whisperq-backend=frail", "--whisperq-cache-dir=cache"))
    assert shown.ret == 1
    assert "frail:int8 at calls/metadata.csv:12: the clip clip0010.wav has ended 2 actors" in shown.text, shown.text
    assert len(clips(project, "cache")) >= 24  # of the baseline; of frail, what others decoded is kept


ELSEWHERE = """
from pytest_whisperq.decoding import ray_engine

seen = ray_engine.request_for


def unseen(*arguments):
    return {**seen(*arguments), "directory": "/nowhere/model"}


ray_engine.request_for = unseen
"""


def test_a_model_travels_to_nodes_that_do_not_see_it(project: Project, nodes: Nodes) -> None:
    here = project.pytester.path / "node"
    for node in list(nodes.workers):
        nodes.kill(node)
    nodes.add(XDG_CACHE_HOME=str(here))
    project.record(12, int8=few)
    project.pytester.makeconftest(ELSEWHERE)
    project.pytester.makepyfile(GATES)
    shown = finish(start(project, nodes, "--whisperq-backend=scripted", "--whisperq-cache-dir=cache"))
    assert len(clips(project, "cache")) == 24, shown.text
    assert (
        len(list((here / "pytest-whisperq" / "artifacts").glob("*/model/scripted.json"))) == 1
    )  # one script, two models
    nodes.kill(nodes.workers[0])


def test_a_node_that_rounds_otherwise_is_refused(project: Project, nodes: Nodes) -> None:
    for node in list(nodes.workers):
        nodes.kill(node)
    nodes.add(CT2_FORCE_CPU_ISA="GENERIC")
    project.record(12, int8=few)
    project.pytester.makepyfile(GATES)
    shown = finish(start(project, nodes, "--whisperq-backend=scripted", "--whisperq-cache-dir=cache"))
    assert shown.ret == 1
    assert "would transcribe scripted:float32 otherwise than this machine: the processor is" in shown.text, shown.text
    assert "CT2_FORCE_CPU_ISA=GENERIC' there" in shown.text
    assert clips(project, "cache") == []
    nodes.kill(nodes.workers[0])
