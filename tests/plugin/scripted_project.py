"""A user's project in a temporary directory: recordings, transcripts, and a "model" that says what it is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# No digits: whisper-english joins "one two" to 12, and six words would be one.
WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]
GATES = """
import pytest

@pytest.mark.whisperq_parity
def test_parity():
    pass

@pytest.mark.whisperq_accuracy
def test_accuracy():
    pass
"""

Change = Callable[[int, str], str]

PLAIN_OR_WORKERS = [pytest.param((), id="plain"), pytest.param(("-n2",), id="n2", marks=pytest.mark.matrix)]
with_workers = pytest.mark.parametrize(
    "any_project", [pytest.param((), id="plain"), pytest.param(("-n2",), id="n2")], indirect=True
)
"""Run a test in two workers on every push, too: others with `any_project` are left to ``tox run -e matrix``."""


class Project:
    """Recordings in ``calls/``, a script in ``model/``, and pytest pointed at both."""

    def __init__(self, request: pytest.FixtureRequest, arguments: tuple[str, ...]) -> None:
        self.pytester: pytest.Pytester = request.getfixturevalue("pytester")
        self.corpus = self.pytester.path / "calls"
        self.model = self.pytester.path / "model"
        self._make_corpus = request.getfixturevalue("make_corpus")
        self._make_script = request.getfixturevalue("make_script")
        self._arguments = arguments

    def record(self, count: int = 300, speakers: int = 0, **precisions: Change) -> None:
        """Make ``count`` recordings of six words; each precision says what its function makes of the reference.

        They are shared out among so many ``speakers``, or have none.
        """
        random = np.random.default_rng(0)
        references = [" ".join(random.choice(WORDS, 6)) for _ in range(count)]
        columns = {"language": ["en"] * count}
        if speakers:
            columns["cluster"] = [f"speaker{number % speakers}" for number in range(count)]
        self._make_corpus(self.corpus, references, columns)
        said = {
            name.replace("_", "-"): [change(index, text) for index, text in enumerate(references)]
            for name, change in precisions.items()
        }
        self._make_script(self.model, self.corpus, {"float32": None, **said})

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest on the project's own tests, gating the scripted backend unless told otherwise."""
        candidate = (
            () if any("backend" in a or "candidate" in a for a in arguments) else ("--whisperq-backend=scripted",)
        )
        return self.run_plain(*candidate, *arguments)

    def run_plain(self, *arguments: str) -> pytest.RunResult:
        """Run pytest without naming a candidate."""
        return self.pytester.runpytest(
            "--whisperq-model=model",
            "--whisperq-baseline=scripted",
            "--whisperq-corpus=calls",
            "--whisperq-cache-dir=cache",
            "--whisperq-max-size-ratio=1.1",  # a script is as long whatever the precision
            "--assert=plain",  # or each run would read what files each installed package has
            *self._arguments,
            *arguments,
        )

    def transcript_files(self) -> list[Path]:
        """The transcript caches of the project's runs."""
        return sorted((self.pytester.path / "cache" / "transcripts").glob("*.jsonl"))


def same(index: int, reference: str) -> str:
    """Say what is right."""
    return reference


def catastrophic(index: int, reference: str) -> str:
    """Lose two words of six in every second clip."""
    return " ".join(reference.split()[2:]) if index % 2 else reference


def slipping(index: int, reference: str) -> str:
    """Get one word wrong in every twentieth clip: 0.83 points."""
    return reference.rsplit(" ", 1)[0] + " wrong" if index % 20 == 0 else reference


def report(project: Project, folder: str) -> dict[str, Any]:
    """Return the document of a run."""
    found: dict[str, Any] = json.loads((project.pytester.path / folder / "report.json").read_text(encoding="utf-8"))
    return found


def without_times(value: Any) -> Any:
    """Return a document less when it was made, and what building took."""
    if isinstance(value, dict):
        times = ("created", "build_seconds", "build_memory")
        return {key: without_times(one) for key, one in value.items() if key not in times}
    if isinstance(value, list):
        return [without_times(one) for one in value if not (isinstance(one, list) and one[:1] in TIMES)]
    return value


TIMES = (["build_seconds"], ["build_memory"])
"""Details of a judgement, each a pair."""
