"""What the installed plugin costs a pytest run that gates nothing: ``python tests/benchmarks/plugin_cost.py [ROUNDS]``.

Runs one trivial test with and without the plugin in alternation, each in a fresh interpreter. Prints differences of
processor time (wall time on a shared machine varies by more than the plugin costs): the median of the pairs, and that
of the fastest run on each side, which noise can only lengthen.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def seconds(directory: str, *arguments: str) -> float:
    """Return the user and system time of one pytest run, in seconds."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, directory]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=directory, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        seconds(directory)  # warm the file cache
        timed: dict[tuple[str, ...], list[float]] = {(): [], ("-p", "no:whisperq"): []}
        for index in range(rounds):
            for arguments in list(timed) if index % 2 else list(timed)[::-1]:
                timed[arguments].append(seconds(directory, *arguments))
    with_plugin, without = timed.values()
    paired = statistics.median(a - b for a, b in zip(with_plugin, without, strict=True))
    print(
        f"plugin cost over {rounds} pairs: median difference {paired * 1e3:.1f} ms, "
        f"difference of the fastest runs {(min(with_plugin) - min(without)) * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
