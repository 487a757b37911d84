"""Do the tests of the merges notice a mutant? ``python tests/benchmarks/merge_mutants.py``: 15 minutes of one core.

Each mutant (`mutating`) is judged by what judges the merges (`mutant_suite`): their unit tests, then every check of the
contract on streams that are made beforehand, always the same ones, then the rates of the level INTERIOR. It is killed
by the first that fails, and by using many times the processor time that the merges need as they are. Of those that
survive it is told on how many streams they answer otherwise at all.

Resumable: it notes each mutant in a file and goes on behind the last. ``--again`` judges those that survived, as after
a new test. A mutant lives in a process forked for it; no file of the package is written.
"""

import argparse
import importlib.abc
import importlib.util
import json
import os
import pickle
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tqdm import tqdm

PACKAGE = "pytest_whisperq.streaming"
MODULES = ("anchored", "slots", "overlap", "agreement")
READY = (
    "pytest",
    "hypothesis.strategies",
    "pytest_whisperq.backends",
    "pytest_whisperq.speech.corpus",
    "jiwer",
    "rich",
)
"""Imported before mutants are forked; none of them may import `PACKAGE`."""
MEMORY = 4 << 30
"""Bytes a mutant may use: some append without end."""


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds the mutated source where the module is asked for."""

    def __init__(self, module: str, source: str) -> None:
        self._module, self._source = f"{PACKAGE}.{module}", source

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        return importlib.util.spec_from_loader(name, self) if name == self._module else None

    def get_source(self, fullname: str) -> str:
        return self._source


def forked(task: Callable[[], Any]) -> tuple[Any, int]:
    """Return what a function returns in a process of its own, or None, and the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            with os.fdopen(writing, "wb") as out:
                out.write(pickle.dumps(task()))
        finally:
            os._exit(0)  # never back into the loop of the parent
    os.close(writing)
    with os.fdopen(reading, "rb") as end:
        told = end.read()
    _, status = os.waitpid(child, 0)
    return (pickle.loads(told) if told else None), os.WTERMSIG(status)


def judged(module: str, source: str, streams: Any, plain: list[str]) -> tuple[str, list[str]]:
    """Return what killed a mutant, or its answers if nothing did."""

    def task() -> tuple[str, list[str]]:
        sys.meta_path.insert(0, Mutated(module, source))
        found: tuple[str, list[str]] = import_module("mutant_suite").judge(module, pickle.loads(streams), plain)
        return found

    found, ended = forked(task)
    return found or ("time" if ended == signal.SIGXCPU else "import", [])


def main() -> str | None:
    """Go on where the file of results ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", nargs="+", choices=MODULES, default=MODULES)
    parser.add_argument("--results", type=Path, default=Path("merge_mutants.jsonl"))
    parser.add_argument("--again", action="store_true", help="judge those that survived before once more")
    args = parser.parse_args()
    try:
        from mutating import mutants
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed; cosmic-ray makes the mutants. Run: pip install cosmic-ray"
    for name in READY:
        import_module(name)
    streams, _ = forked(lambda: pickle.dumps(import_module("mutant_suite").make_streams()))
    root = Path(import_module("pytest_whisperq").__file__ or "").parent / "streaming"
    sources = {module: (root / f"{module}.py").read_text() for module in args.modules}
    lines = args.results.read_text().splitlines() if args.results.exists() else []
    known = {record["mutant"]: record for record in map(json.loads, lines)}
    wanted = {one.name: one for module, source in sources.items() for one in mutants(module, source)}
    plain = {}
    for module, source in sources.items():
        killer, plain[module] = judged(module, source, streams, [])
        if killer:
            return f"{module} as it is fails already: {killer}"
    for name, mutant in tqdm(wanted.items(), unit="mutant", disable=not sys.stderr.isatty()):
        if name in known and (known[name]["killer"] or not args.again):
            continue
        killer, answers = judged(mutant.module, mutant.source, streams, plain[mutant.module])
        differs = sum(one != other for one, other in zip(answers, plain[mutant.module], strict=bool(answers)))
        known[name] = {"mutant": name, "killer": killer, "differs": differs}
        with args.results.open("a") as out:
            out.write(json.dumps(known[name]) + "\n")
    report(wanted, known)
    return None


def report(wanted: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Print how many were killed, by what, and each that survived."""
    print("| module | mutants | killed | unit tests | contract | rates | hang | fail at import |\n|---|" + "---|" * 7)
    for module in MODULES:
        killers = Counter(known[name]["killer"] for name, one in wanted.items() if one.module == module)
        cells = [killers[how] for how in ("unit tests", "contract", "rates", "time", "import")]
        print(f"| {module} | {killers.total()} | {sum(cells)} | {' | '.join(map(str, cells))} |")
    survivors = [(one, known[name]["differs"]) for name, one in wanted.items() if not known[name]["killer"]]
    for one, differs in sorted(survivors, key=lambda pair: (pair[0].module, pair[0].line)):
        print(
            f"\n{one.module}.py:{one.line} {one.operator}, {differs} streams answered otherwise", *one.change, sep="\n"
        )
    share = 1 - len(survivors) / len(wanted)
    print(f"\n{len(wanted)} mutants, {len(wanted) - len(survivors)} killed ({share:.1%}), {len(survivors)} survive")


if __name__ == "__main__":
    sys.exit(main())
