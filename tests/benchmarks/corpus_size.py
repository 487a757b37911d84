"""How time and memory of a gate grow with its corpus: ``python tests/benchmarks/corpus_size.py [--rows 10000,100000]``.

For each number of rows: one file of noise, and a manifest that cuts it into as many clips of 20 to 60 ms (``--files``:
a file for each clip). A backend says six words that follow from the sound, at int8 a word more in one clip of fifty.
``whisperq corpus lint`` reads it, and pytest gates parity and accuracy with a report, twice: the first run digests and
decodes, the second finds everything in the cache. ``start`` is what a third run does before its first gate. Each is a
process of its own. Seconds are those of the processor, and the peak is that of resident memory.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from pytest_whisperq.backends import Backend, Clip, Hypothesis
from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber
from pytest_whisperq.speech import audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
CONFTEST = "from corpus_size import pytest_whisperq_backends\n"
RATE = 16_000
SHORTEST, LONGEST = 320, 960
"""Samples of a clip: a corpus has clips of many lengths, and only those of about one length can be copies."""
WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett")
SPEAKERS = 200
GATES = """
import pytest

@pytest.mark.whisperq_parity(min_exact_match=0.9)
@pytest.mark.whisperq_accuracy(max_drop=3)
def test_quality():
    pass
"""


def make(folder: Path, rows: int, *, files: bool) -> None:
    """Write recordings, manifest, script and tests into ``folder``."""
    random = np.random.default_rng(0)
    begin = np.concatenate([[0], np.cumsum(random.integers(SHORTEST, LONGEST + 1, rows))]).tolist()
    sound = random.integers(-20_000, 20_000, begin[-1], dtype=np.int16)
    (folder / "calls").mkdir()
    if not files:
        soundfile.write(folder / "calls" / "all.wav", sound, RATE, "PCM_16")
    with (folder / "calls" / "metadata.jsonl").open("w", encoding="utf-8") as manifest:
        for number in range(rows):
            start, stop = begin[number : number + 2]
            samples = sound[start:stop]
            span = {} if files else {"offset": start / RATE, "duration": (stop - start) / RATE}
            name = f"{number:07}.wav" if files else "all.wav"
            if files:
                soundfile.write(folder / "calls" / name, samples, RATE, "PCM_16")
            text = said_of((samples / 32768).astype(np.float32))
            row = {"file_name": name, **span, "text": text, "language": "en", "cluster": f"speaker {number % SPEAKERS}"}
            manifest.write(json.dumps(row) + "\n")
    (folder / "model").mkdir()
    (folder / "model" / "scripted.json").write_text('{"float32": {}, "int8": {}}', encoding="utf-8")
    (folder / "conftest.py").write_text(f"import sys\nsys.path.append({str(HERE)!r})\n{CONFTEST}", encoding="utf-8")
    (folder / "test_gates.py").write_text(GATES, encoding="utf-8")


def said_of(samples: "NDArray[np.float32]") -> str:
    """Return six words that follow from a sound."""
    return " ".join(WORDS[byte % len(WORDS)] for byte in bytes.fromhex(audio.pcm_digest(samples))[:6])


class Saying(ScriptedBackend):
    """Says of every sound what follows from it: a script of a million would be larger than all that is measured."""

    name = "saying"

    def load(self, precision: str, directory: Path, threads: int) -> "SayingTranscriber":
        """Return what says it; ``directory`` is not looked at."""
        return SayingTranscriber({}, self.precisions[precision])


class SayingTranscriber(ScriptedTranscriber):
    """Says at int8 a word more in one clip of fifty."""

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """Return what follows from each sound."""
        texts = [said_of(clip.samples) for clip in clips]
        if self.compute_type == "int8":
            texts = [text if zlib.crc32(text.encode()) % 50 else text.replace(" ", " oh ", 1) for text in texts]
        return [Hypothesis(text=text, tokens=(), language="en") for text in texts]


def pytest_whisperq_backends() -> dict[str, type[Backend]]:
    """Give the backend to the plugin; the conftest of a measured folder has this by import."""
    return {Saying.name: Saying}


def measure(folder: Path, command: Sequence[str]) -> tuple[float, float, int]:
    """Return the processor time that a command took, in s, the peak of its memory in MiB, and its exit code."""
    child = os.fork()
    if not child:
        os.chdir(folder)
        with (folder / "log.txt").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.execv(sys.executable, [sys.executable, *command])
    _, status, usage = os.wait4(child, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def run_apart(work: Callable[..., None], *arguments: Any, **named: Any) -> None:
    """Do something in a process of its own: the peak of one that is measured has that of who started it."""
    child = get_context("fork").Process(target=work, args=arguments, kwargs=named)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(f"{work.__name__} ended with exit code {child.exitcode}")


def steps(folder: Path) -> dict[str, list[str]]:
    """Return the commands that are measured."""
    options = ["--whisperq-backend=saying", "--whisperq-baseline=saying", "--whisperq-model=model"]
    options += ["--whisperq-corpus=calls", "--whisperq-cache-dir=cache", "--whisperq-max-divergence=0.2"]
    gate = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "test_gates.py", *options]
    return {
        "lint": ["-m", "pytest_whisperq", "corpus", "lint", "calls"],
        "first": [*gate, "--whisperq-report=out"],
        "again": [*gate, "--whisperq-report=out"],
        "start": ["-c", START],
    }


START = """
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.session import Session
typed = {"backend": "scripted", "baseline": "scripted", "model": "model", "corpus": "calls", "cache_dir": "cache"}
session = Session(resolve({f"whisperq_{name}": value for name, value in typed.items()}))
session.read()
session.recordings.doubts
"""


def table(counts: Sequence[int], workplace: Path, *, files: bool) -> list[str]:
    """Return a line for each step and number of rows: seconds, µs a row, MiB, and how much the files take."""
    lines = ["rows      step    seconds   µs a row   peak MiB   exit"]
    for rows in counts:
        folder = workplace / str(rows)
        folder.mkdir()
        run_apart(make, folder, rows, files=files)
        for name, command in steps(folder).items():
            seconds, peak, code = measure(folder, command)
            lines.append(f"{rows:<9} {name:<6} {seconds:8.1f} {1e6 * seconds / rows:10.0f} {peak:10.0f} {code:6}")
            print(lines[-1], file=sys.stderr, flush=True)
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted((folder / "out").glob("*"))}
        lines.append(f"{rows:<9} " + ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items()))
    return lines


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,100000", help="numbers of rows, separated by commas (10000,100000)")
    parser.add_argument("--files", action="store_true", help="a file for each clip, instead of one for all")
    parser.add_argument("--keep", type=Path, help="a folder to work in, that is kept")
    options = parser.parse_args()
    workplace = options.keep or Path(tempfile.mkdtemp())
    workplace.mkdir(exist_ok=True)
    try:
        print("\n".join(table([int(part) for part in options.rows.split(",")], workplace, files=options.files)))
    finally:
        if not options.keep:
            shutil.rmtree(workplace)


if __name__ == "__main__":
    main()
