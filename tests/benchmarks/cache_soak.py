"""Flip bits in a cache, and read it: ``python tests/benchmarks/cache_soak.py [--flips 1000000] [--seed 0]``.

A flip hits one bit of transcripts, of the audio index, of the record of a built model, or of its weights. What is then
read has to be what was written, or missing. After one flip in ``--every`` a whole run follows, a gate with it: it has
to say what was damaged, come to the figures it came to before, and leave a cache in which all is sound. Prints what
became of the flips of each kind of file; the first that is read as something else is named, and ends it with 1.
A million take an hour where TMPDIR is in memory (``/dev/shm``), and several on a disk.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tqdm import tqdm

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models import cache
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import is_sound
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.system.sealed import read_sealed

CLIPS = 24
TEXTS = ("india juliett", "zwölf Boxkämpfer", "a line\nbreak", "")
"""What models say, by turns; the last is for noise without speech."""


class WrongError(Exception):
    """A flipped bit that was taken for what was written."""


class World:
    """A corpus, a scripted model and the cache of a run over both, as it was before any bit was flipped."""

    def __init__(self, root: Path) -> None:
        self._root = root
        _record(root)
        run = self._start()
        self._specs = (run.session.baseline_spec, run.session.spec(run.config.candidates[0]))
        self._expected = self._judge(run)
        self.files = {path: path.read_bytes() for path in self._cached() if path.parent.name != "locks"}
        self._believed = {path: self._read(path) for path in self.files}
        self._session = self._start().session

    def _start(self) -> GateRunner:
        typed = {
            "candidate": "scripted:int8",
            "baseline": "scripted:float32",
            "model": str(self._root / "model"),
            "corpus": str(self._root / "corpus"),
            "cache_dir": str(self._root / "cache"),
        }
        return GateRunner(resolve({f"whisperq_{name}": value for name, value in typed.items()}))

    def _cached(self) -> list[Path]:
        return sorted(path for path in (self._root / "cache").rglob("*") if path.is_file())

    def _judge(self, run: GateRunner) -> tuple[Any, ...]:
        judgement = run.judge("accuracy", run.config.candidates[0]).judgement
        texts = [run.session.transcripts(spec).texts for spec in self._specs]
        return judgement.checks, judgement.details[:2], texts, run.session.recordings.facts

    def kind(self, path: Path) -> str:
        """Return what a file of the cache is."""
        return {"model": "weights", "transcripts": "transcripts"}.get(path.parent.name, path.name)

    def _read(self, path: Path) -> Mapping[str, Any]:
        """Return what a run would believe of what is in a file, by name."""
        if path.suffix == ".jsonl":
            return {json.dumps(record): record for record in read_sealed(path).records}
        entry = path.parent if path.name == "artifact.json" else path.parent.parent
        return {"sound": True} if is_sound(entry) else {}

    def flip(self, path: Path, bit: int) -> str:
        """Flip a bit, say how its file is read, and leave it flipped; raise `WrongError` for what was never written."""
        data = bytearray(self.files[path])
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        found, believed = self._read(path), self._believed[path]
        if not found.items() <= believed.items():
            raise WrongError(f"bit {bit} of {path}: {found}")
        for spec in self._specs if path.parent.name == "transcripts" else ():
            self._compare(spec, path, bit)
        return "read as it was" if found == believed else "not read"

    def _compare(self, spec: ModelSpec, path: Path, bit: int) -> None:
        known = self._session.known(spec)
        texts = zip(known.texts, self._texts(spec), strict=True)
        if any(heard not in (None, text) for heard, text in texts) or known.compute_type not in ("", spec.promised):
            raise WrongError(f"bit {bit} of {path}: {known}")

    def _texts(self, spec: ModelSpec) -> tuple[str, ...]:
        texts: tuple[str, ...] = self._expected[2][self._specs.index(spec)]
        return texts

    def run_again(self, path: Path) -> None:
        """Run on a cache with a flipped bit; raise `WrongError` unless the run says so, heals it, and is right."""
        is_cut = path.suffix == ".jsonl" and not path.read_bytes().endswith(b"\n")
        damaged = [entry for entry in cache.entries(self._root / "cache", verify=True) if entry.is_damaged]
        if len(damaged) != (0 if is_cut else 1):
            raise WrongError(f"{path} is not called damaged: {damaged}")
        run = self._start()
        for spec in self._specs:
            run.session.store.intact(spec)  # a warm run reads transcripts alone
        found = self._judge(run)
        if found != self._expected:
            raise WrongError(f"{path}: {found}, and not {self._expected}")
        if len(run.session.repairs) != (0 if is_cut else 1):
            raise WrongError(f"{path}: what was damaged is told as {run.session.repairs}")
        if problems := [entry for entry in cache.entries(self._root / "cache", verify=True) if entry.problem]:
            raise WrongError(f"{path} is not healed: {problems}")

    def restore(self, path: Path | None = None) -> None:
        """Put a file back as it was, or all that a run may have written anew."""
        for one in [path] if path else self.files:
            one.write_bytes(self.files[one])


def _record(root: Path) -> None:
    """Write a corpus of noise, and the script of a model that says what stands in it, or nearly."""
    (root / "corpus").mkdir()
    rows, said = [], {"float32": {}, "int8": {}}  # type: tuple[list[str], dict[str, dict[str, str]]]
    for number, noise in enumerate(np.random.default_rng(0).uniform(-0.5, 0.5, (CLIPS, 1600))):
        name, text = f"clip{number}.wav", TEXTS[number % len(TEXTS)]
        soundfile.write(root / "corpus" / name, noise, audio.SAMPLE_RATE, "PCM_16")
        digest = audio.pcm_digest(audio.load(AudioSource(label=name, file=str(root / "corpus" / name))))
        said["float32"][digest], said["int8"][digest] = text, f"{text} mike" if text and number % 5 == 0 else text
        rows.append(json.dumps({"file_name": name, "text": text, "kind": "" if text else "nonspeech"}))
    (root / "corpus" / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (root / "model").mkdir()
    (root / "model" / "scripted.json").write_text(json.dumps(said), encoding="utf-8")


def soak(root: Path, flips: int, seed: int, every: int) -> Counter[tuple[str, str]]:
    """Flip so many bits in an empty folder's cache; return how often each kind of file was read in which way."""
    world, random = World(root), np.random.default_rng(seed)
    files, results = list(world.files), Counter[tuple[str, str]]()
    for number in tqdm(range(flips), unit="flip", disable=not sys.stderr.isatty()):
        path = files[int(random.integers(len(files)))]
        kind = world.kind(path)
        results[kind, world.flip(path, int(random.integers(8 * len(world.files[path]))))] += 1
        if number % every == 0:
            world.run_again(path)
            results[kind, "healed by a run"] += 1
            world.restore()
        else:
            world.restore(path)
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1000, help="a whole run after one flip in so many")
    args = parser.parse_args()
    root, start = Path(tempfile.mkdtemp()), time.perf_counter()
    try:
        results = soak(root, args.flips, args.seed, args.every)
    except WrongError as error:
        print(f"read as something else: {error}")
        sys.exit(1)
    finally:
        shutil.rmtree(root)
    ways = ("not read", "read as it was", "healed by a run")
    print(f"| {' | '.join(('file', 'flips', *ways))} |\n|{'---|' * 5}")
    for kind in sorted({kind for kind, _ in results}):
        counts = [results[kind, way] for way in ways]
        print(f"| {' | '.join(map(str, (kind, sum(counts[:2]), *counts)))} |")
    print(f"{args.flips} flips, none read as something else; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
