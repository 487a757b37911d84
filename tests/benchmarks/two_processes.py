"""What two processes could gain over two threads: ``python tests/benchmarks/two_processes.py [--clips N]``.

Decodes clips of the embedded corpus with models that are loaded, without pytest and without a cache of transcripts: in
one process with one thread, in one with as many threads as there are processes, and in several processes of one thread
that share the batches. Workers of a run (`two_workers.py`) load models and share clips besides. Nothing else may
compute beside it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session


def session_of(options: argparse.Namespace, threads: int) -> Session:
    """Return the run whose models and clips are measured."""
    typed = {"candidate": options.candidates, "cache_dir": options.cache, "max_utterances": str(options.clips)}
    return Session(resolve({f"whisperq_{name}": value for name, value in (typed | {"threads": str(threads)}).items()}))


def specs_of(session: Session) -> list[ModelSpec]:
    """Return the baseline and the candidates."""
    return [session.baseline_spec, *map(session.spec, session.config.candidates)]


def serve(options: argparse.Namespace, threads: int, part: int, parts: int) -> None:
    """In a process of its own: load each model, say so, and decode every batch of a part when a line comes."""
    session = session_of(options, threads)
    batches = session.decoder.batches(session.corpus.utterances)[part::parts]
    for spec in specs_of(session):
        transcriber = session.decoder.load(session.store.get(spec))
        session.decoder.run(spec, transcriber, batches[0])  # the first batch warms up
        print("ready", flush=True)
        sys.stdin.readline()
        for batch in batches:
            session.decoder.run(spec, transcriber, batch)
        print("done", flush=True)


def seconds(options: argparse.Namespace, processes: int, threads: int) -> Iterator[float]:
    """Yield the seconds that each model takes."""
    with ExitStack() as stack:
        pipes: list[tuple[IO[str], IO[str]]] = []
        for part in range(processes):
            command = [sys.executable, __file__, *sys.argv[1:], "--cache", options.cache]
            command += ["--serve", *map(str, (threads, part, processes))]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert child.stdin
            assert child.stdout
            stack.enter_context(child)
            pipes.append((child.stdin, child.stdout))
        for _ in specs_of(session_of(options, threads)):
            for _, told in pipes:
                _wait(told, "ready")
            begin = time.perf_counter()
            for asked, _ in pipes:
                print(file=asked, flush=True)
            for _, told in pipes:
                _wait(told, "done")
            yield time.perf_counter() - begin


def _wait(told: IO[str], word: str) -> None:
    for line in told:  # libraries print, too
        if line.strip() == word:
            return
    raise SystemExit("a process ended before its models had decoded")


def main() -> None:
    """Measure, and print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="utterances of the embedded corpus (200)")
    parser.add_argument("--candidates", default="ctranslate2:int8,openvino:int8", help="what decodes beside float32")
    parser.add_argument("--processes", type=int, default=2, help="and threads that they are compared with (2)")
    parser.add_argument("--cache", default="", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=3, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options, *options.serve)
        return
    with tempfile.TemporaryDirectory() as options.cache:
        specs, count = specs_of(session := session_of(options, 1)), options.processes
        for spec in specs:
            session.store.get(spec)
        ways = [[*seconds(options, *way)] for way in ((1, 1), (1, count), (count, 1))]
    print(f"| model | one thread | {count} threads | {count} processes |\n|---|---|---|---|")
    for spec, one, several, apart in zip(specs, *ways, strict=True):
        print(f"| {spec} | {one:.1f} s | {several:.1f} s | {apart:.1f} s |")
    print(f"{count} processes decode all of it {sum(ways[1]) / sum(ways[2]):.2f} times as fast as {count} threads")


if __name__ == "__main__":
    main()
