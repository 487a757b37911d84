"""Which cluster an engine means, and what is refused before anything decodes. Ray itself: tests/plugin/test_ray.py."""

import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.config import settings
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.decoding.ray_engine import RayActors, RayEngine, place
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.session import silent
from pytest_whisperq.system.errors import ConfigError, MissingDependency


@pytest.fixture
def decoder(store: ArtifactStore) -> Decoder:
    return Decoder(store, threads=2, batch=4, progress=silent)


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "typed",
    [
        *("", "spark", "ray:", "ray://", "ray://host", "ray://host:", "ray://host:0", "http://host:10001"),
        *("ray://user@host:1", "ray://host/path:1", "ray://a b:1", "ray://host:70000"),
    ],
)
def test_what_is_no_engine_is_refused(typed: str) -> None:
    with pytest.raises(ConfigError, match=r"--whisperq-engine: must be process, ray, ray://auto or ray://HOST:PORT"):
        resolve({"whisperq_engine": typed})


def test_a_cluster_and_workers_are_not_mixed() -> None:
    with pytest.raises(ConfigError, match=r"--whisperq-engine: .* or in 2 xdist workers, not both; drop -n"):
        resolve({"whisperq_engine": "ray"}, workers=2)


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.optional_imports, "missing", lambda modules: [one for one in modules if one == "grpc"])
    with pytest.raises(MissingDependency, match=r"needs grpc, not installed.*pip install .pytest-whisperq\[ray\]"):
        resolve({"whisperq_engine": "ray://host:10001"})
    assert resolve({"whisperq_engine": "ray"}).engine == "ray"
    monkeypatch.setattr(settings.optional_imports, "missing", list)
    with pytest.raises(MissingDependency, match="ray needs ray, not installed"):
        resolve({"whisperq_engine": "ray"})


def test_an_address_where_nobody_listens_names_who_said_it(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{unused_port()}"
    with pytest.raises(ConfigError, match=rf"^--whisperq-engine: no Ray cluster can be reached at ray://{address}: "):
        RayEngine(f"ray://{address}", decoder).check()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=rf"^--whisperq-engine \(RAY_ADDRESS\): no Ray cluster .* at {address}: "):
        RayEngine("ray", decoder).check()
    monkeypatch.setenv("RAY_ADDRESS", "head")
    with pytest.raises(ConfigError, match=r"RAY_ADDRESS\): 'head' is no address of a Ray cluster"):
        RayEngine("ray", decoder).check()


def test_a_bad_address_ends_a_run_before_the_corpus_is_read(tmp_path: Path, start_run: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("pytest_whisperq.system.optional_imports.missing", lambda names: [])  # Ray is not everywhere
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{unused_port()}")
    with pytest.raises(ConfigError, match="RAY_ADDRESS"):
        start_run(engine="ray").session.read()
    assert not (tmp_path / "cache").exists()


def test_an_engine_says_which_cluster_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert place("ray") == "a Ray cluster that is started on this machine"
    assert place("ray://auto") == "the Ray cluster that runs on this machine"
    assert place("ray://10.0.0.7:10001") == "the Ray cluster at ray://10.0.0.7:10001"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    assert place("ray") == "the Ray cluster at 10.0.0.7:6379"


def test_actors_are_spread_over_nodes_by_their_processors(
    store: ArtifactStore, spec: Any, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"head": 0, "small": 1, "big": 5, "dead": 8}
    nodes = [{"NodeID": name, "Alive": name != "dead", "Resources": {"CPU": n}} for name, n in sizes.items()]
    ray = SimpleNamespace(nodes=lambda: nodes, exceptions=SimpleNamespace(RayError=RuntimeError), kill=lambda _: None)
    actors = RayActors(ray, store.get(spec), decoder, "transcribe")
    begun: list[tuple[str, int]] = []

    def begin(node: Any) -> Any:
        begun.append((node["NodeID"], actors._threads(node)))
        actors._count[node["NodeID"]] += 1
        return SimpleNamespace(node_id=node["NodeID"], handle=None)

    monkeypatch.setattr(actors, "_begin", begin)
    started = actors.start(9)
    assert begun == [("small", 1), ("big", 2), ("big", 2)]
    assert actors.start(9) == []
    actors.stop(started[0])
    assert [one.node_id for one in actors.start(9)] == ["small"]


def test_ray_is_not_imported_before_something_decodes() -> None:
    code = (
        "import sys; from pytest_whisperq.config.settings import resolve; from pytest_whisperq.session import Session; "
        "Session(resolve({'whisperq_engine': 'ray://auto'})).engine_is_there; assert 'ray' not in sys.modules"
    )
    pytest.importorskip("ray")
    subprocess.run([sys.executable, "-c", code], check=True)
