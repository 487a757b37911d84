"""What a second node gains: ``python tests/benchmarks/ray_nodes.py [--clips N] [--rounds N] [--candidate MODEL]``.

A candidate of the embedded model transcribes clips of the embedded corpus on a real Ray cluster of this machine: on one
node of one processor, and on two, in turns. Actors have one thread. The model is built beforehand, and the cluster is
joined. The ratio is that of the medians, by what decoding takes from the first batch on, and by all of it, with the
start of the actors and the loading of the model. It needs two processors, and nothing else may compute on them.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.session import Session


def transcribe(session: Session, stages: dict[str, float]) -> tuple[float, float]:
    """Return the seconds from the first batch to the last, and those of all, actors' start included."""
    stages.clear()
    begin = time.perf_counter()
    said = session.model(session.config.candidates[0]).transcripts
    end = time.perf_counter()
    if len(said.texts) != len(session.corpus.utterances):
        raise SystemExit("not all was transcribed")
    return end - stages["opened"], end - begin


def main() -> None:
    """Measure, and print a line for each number of nodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=300, help="utterances of the embedded corpus (300)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--candidate", default="ctranslate2:int8", help="what transcribes")
    parser.add_argument("--batch", type=int, default=8, help="utterances of a batch (8)")
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
    import ray
    from ray.cluster_utils import Cluster

    from pytest_whisperq.decoding.pool import Pool

    stages: dict[str, float] = {}
    opened = Pool.open

    def timed(pool: Pool) -> None:
        opened(pool)
        stages["opened"] = time.perf_counter()

    Pool.open = timed  # type: ignore[method-assign, assignment]
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    seconds: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    texts: set[tuple[str, ...]] = set()
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "whisperq_candidate": options.candidate,
            "whisperq_max_utterances": str(options.clips),
            "whisperq_decode_batch": str(options.batch),
            "whisperq_cache_dir": folder,
            "whisperq_threads": "1",
            "whisperq_engine": "ray",
        }
        first = Session(resolve(asked))
        first.store.get(first.spec(first.config.candidates[0]))
        for number in range(2 * options.rounds):
            nodes = 1 + number % 2
            second = cluster.add_node(num_cpus=1) if nodes == 2 else None
            shutil.rmtree(Path(folder) / "transcripts", ignore_errors=True)
            session = Session(resolve(asked))
            session.read()
            seconds[nodes].append(transcribe(session, stages))
            print(f"{nodes} of one processor: {seconds[nodes][-1][0]:.1f} s; load {os.getloadavg()[0]:.1f}", flush=True)
            texts.add(tuple(session.model(session.config.candidates[0]).transcripts.texts))
            if second:
                cluster.remove_node(second)
                while sum(node["Alive"] for node in ray.nodes()) > 2:
                    time.sleep(0.5)
    ray.shutdown()
    cluster.shutdown()
    medians = {
        nodes: [statistics.median(column) for column in zip(*rows, strict=True)] for nodes, rows in seconds.items()
    }
    for nodes, (decoding, whole) in medians.items():
        each = ", ".join(f"{row[0]:.1f}" for row in seconds[nodes])
        print(f"{nodes} of one processor: {decoding:6.1f} s of decoding ({each}), {whole:6.1f} s in all")
    gains = [one / two for one, two in zip(medians[1], medians[2], strict=True)]
    print(f"two nodes decode {gains[0]:.2f} times as fast as one; {gains[1]:.2f} times with the start of actors")
    print(f"their texts are {'the same' if len(texts) == 1 else 'NOT the same'}")


if __name__ == "__main__":
    main()
